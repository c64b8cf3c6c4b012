"""`modelyard model explain` and `modelyard model explanation`: which columns move a model's predictions."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Final

from modelyard.cli import jobs
from modelyard.cli import options as flags
from modelyard.cli.output import as_table

if TYPE_CHECKING:
    from modelyard.client import Client

_COLUMNS: Final = ("column", "mean_abs", "mean")


def register(group: flags.Group) -> None:
    """Add the commands to `model`."""
    command = group.verb("explain", explain, example="model explain -n NAME -v 1 --data azureml:flights:2 --stream")
    flags.named(command, "model")
    flags.version(command)
    command.add_argument("--data", help="a reference or a path; default: the sample it was registered with")
    command.add_argument("--rows", type=flags.count, default=200, help="so many are explained (default: %(default)s)")
    command.add_argument("--environment", help="a reference: what the model predicts in; default: what is known of it")
    command.add_argument("--code", metavar="FOLDER", help="modules that the model or --loader needs")
    command.add_argument(
        "--loader",
        type=_loader,
        metavar="MODULE:FUNCTION",
        help="of --code: given the model's folder, it gives what predicts a table",
    )
    command.add_argument("-s", "--stream", action="store_true", help="wait, and print what the job writes")
    flags.changes(command)
    command = group.verb("explanation", explanation, draw=drawn, example="model explanation -n NAME -v 1")
    flags.named(command, "model")
    flags.version(command)
    command.add_argument("-p", "--download-path", metavar="FOLDER", help="also fetch its files: one line for each row")


def explain(client: Client, options: argparse.Namespace) -> Any:
    """Submit the job that explains a model version: Shapley values of its predictions over rows of data."""
    job = client.explanations.create(
        options.name, options.version, label=options.label, data=options.data, rows=options.rows,
        environment=options.environment, code=options.code, loader=options.loader,
    )  # fmt: skip
    return jobs.submitted(client, job, options)


def explanation(client: Client, options: argparse.Namespace) -> Any:
    """A model version's newest explanation: the mean absolute contribution of each column to each output."""
    version = str(client.models.get(options.name, options.version, label=options.label)["version"])
    if options.download_path is not None:
        client.explanations.download(options.name, version, target=options.download_path)
    return client.explanations.get(options.name, version)


def _loader(text: str) -> str:
    module, _, function = text.partition(":")
    if not all(name.isidentifier() for name in (*module.split("."), function)):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form MODULE:FUNCTION")
    return text


def drawn(found: dict[str, Any]) -> str:
    """A table for each output, the strongest column first."""
    return "\n\n".join(_output(output, found["summary"]) for output in found["summary"]["outputs"])


def _output(output: dict[str, Any], summary: dict[str, Any]) -> str:
    lines = [
        {"column": feature["name"], "mean_abs": f"{feature['mean_abs']:.4g}", "mean": f"{feature['mean']:+.4g}"}
        for feature in output["features"]
    ]
    head = f"{output['name']}, over {summary['rows']} rows: {output['base_value']:.4g} without knowing any column"
    return f"{head}\n{as_table(lines, _COLUMNS)}"
