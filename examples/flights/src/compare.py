"""Is the candidate better than the champion? Both are measured on the same flights, which neither has seen.

    python compare.py --candidate FOLDER --champion FOLDER --held_out FOLDER --decision FOLDER

The candidate is approved when its log loss is lower by at least 1 % of the champion's (what people are told are
probabilities, so these must be right) and its area under the ROC curve is not lower by more than 0.005 (nor may it order
flights worse). Writes decision.json. A candidate that is not approved is no failure: the command still ends with 0.
"""

import argparse
import json
from pathlib import Path

import joblib
from evaluate import measure
from features import read_flights


def decide(
    candidate: dict[str, float], champion: dict[str, float], min_improvement: float, max_auc_loss: float
) -> dict[str, object]:
    """The decision with all that it rests on."""
    improvement = 1 - candidate["log_loss"] / champion["log_loss"]
    auc_change = candidate["auc"] - champion["auc"]
    return {
        "approved": improvement >= min_improvement and auc_change >= -max_auc_loss,
        "criterion": f"log loss lower by at least {min_improvement:.1%}, AUC not lower by more than {max_auc_loss}",
        "rows": candidate["rows"],
        "log_loss_improvement": improvement,
        "auc_change": auc_change,
        "candidate": candidate,
        "champion": champion,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--candidate", type=Path, required=True)
    parser.add_argument("--champion", type=Path, required=True)
    parser.add_argument("--held_out", type=Path, required=True)
    parser.add_argument("--decision", type=Path, required=True)
    parser.add_argument("--min_improvement", type=float, default=0.01)
    parser.add_argument("--max_auc_loss", type=float, default=0.005)
    arguments = parser.parse_args()

    flights = read_flights(arguments.held_out)
    measured = [measure(joblib.load(f / "model.joblib"), flights) for f in (arguments.candidate, arguments.champion)]
    decision = decide(measured[0], measured[1], arguments.min_improvement, arguments.max_auc_loss)
    arguments.decision.mkdir(parents=True, exist_ok=True)
    (arguments.decision / "decision.json").write_text(json.dumps(decision, indent=2) + "\n")
    print(json.dumps(decision, indent=2))
