"""Measures a model on flights it has not seen.

    python evaluate.py --model FOLDER --test FOLDER --metrics FOLDER

Writes metrics.json: area under the ROC curve, log loss and Brier score, the share of late flights, and the log loss of
telling every flight just that share, which a model must beat to be of any use.
"""

import argparse
import json
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from features import FEATURES, LABEL, read_flights
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score
from sklearn.pipeline import Pipeline


def measure(model: Pipeline, flights: pd.DataFrame) -> dict[str, float]:
    """The metrics of a model over labelled flights."""
    late = flights[LABEL].to_numpy()
    if len(np.unique(late)) < 2:
        raise SystemExit("all of these flights have the same answer: nothing can be measured on them")
    probability = model.predict_proba(flights[FEATURES])[:, 1]
    return {
        "auc": float(roc_auc_score(late, probability)),
        "log_loss": float(log_loss(late, probability)),
        "brier": float(brier_score_loss(late, probability)),
        "base_rate": float(late.mean()),
        "base_log_loss": float(log_loss(late, np.full(len(late), late.mean()))),
        "predicted_rate": float(probability.mean()),
        "rows": len(flights),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--metrics", type=Path, required=True)
    arguments = parser.parse_args()

    metrics = measure(joblib.load(arguments.model / "model.joblib"), read_flights(arguments.test))
    arguments.metrics.mkdir(parents=True, exist_ok=True)
    (arguments.metrics / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    for name, value in metrics.items():
        print(f"{name}: {value:.4g}")
