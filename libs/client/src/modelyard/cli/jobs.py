"""`modelyard job …`."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any, Final, Literal

from modelyard.cli import options as flags
from modelyard.cli import unsupported
from modelyard.cli.options import CommandError, Groups

if TYPE_CHECKING:
    from modelyard.client import Client

    Archived = Literal["false", "true", "only"]

_LIST: Final = ("name", "type", "status", "display_name", "experiment_name", "created_by", "created_at")
_STEPS: Final = ("name", "status", "attempt", "seconds", "source", "detail")
_SAID: Final = ("display_name", "experiment_name", "description", "tags")
_STEPS_NOTE: Final = (
    "steps are no jobs of their own: their outputs are those of {0}, as `job download -n {0} --output-name STEP.OUTPUT`"
)
_DETACHED: Final = 130


def register(groups: Groups) -> None:
    """Add the group."""
    group = flags.group(groups, "job", "command jobs and pipelines", "job create -f pipeline.yml --stream")

    command = group.verb("create", create, example="job create -f job.yml --set inputs.rate=0.1 --stream")
    flags.from_file(command)
    flags.named(command, "job", required=False)
    command.add_argument("-s", "--stream", action="store_true", help="print what it writes until it has ended")
    flags.web(command, "-e")
    flags.changes(command)
    command = group.verb("show", show, example="job show -n NAME --query status -o tsv")
    flags.named(command, "job")
    flags.web(command, "-e")
    command = group.verb("list", list_, columns=_LIST, example="job list --status failed")
    command.add_argument("--status", type=str.lower, help="such as running, completed or failed")
    command.add_argument("--experiment", help="of this experiment only")
    command.add_argument(
        "--parent-job-name", metavar="NAME", help="the steps of this job, which are no jobs of their own"
    )
    command.add_argument("--all-results", type=str.lower, choices=("true", "false"), help="however many there are")
    either = command.add_mutually_exclusive_group()
    either.add_argument("--include-archived", action="store_true", help="archived ones too")
    either.add_argument("--archived-only", action="store_true", help="archived ones and no others")
    flags.bounded(command)
    command = group.verb("validate", validate, example="job validate -f job.yml")
    flags.from_file(command)
    command.set_defaults(offline=True)
    command = group.verb("show-services", show_services, example="job show-services -n NAME")
    flags.named(command, "job")
    command = group.verb("steps", steps, columns=_STEPS, example="job steps -n NAME -o table")
    flags.named(command, "job")
    command = group.verb("stream", stream, example="job stream -n NAME")
    flags.named(command, "job")
    command.add_argument("--step", help="of this step only")
    command = group.verb("cancel", cancel, example="job cancel -n NAME")
    flags.named(command, "job")
    flags.changes(command)
    command = group.verb("download", download, example="job download -n NAME --output-name model -p folder")
    flags.named(command, "job")
    command.add_argument(
        "--output-name", help="this output; `step.output` for one of a step. Default: all of the job's"
    )
    command.add_argument("--all", action="store_true", help="all of the job's, as by default")
    command.add_argument("-p", "--download-path", default=".", metavar="FOLDER")
    command = group.verb(
        "update", update, example="job update -n NAME --set tags.team=flights display_name='first try'"
    )
    flags.named(command, "job")
    flags.web(command, "-e")
    flags.edited(command, ", ".join(_SAID))
    flags.changes(command)
    for verb, run in (("archive", archive), ("restore", restore)):
        command = group.verb(verb, run, example=f"job {verb} -n NAME")
        flags.named(command, "job")
        flags.changes(command)
    unsupported.verb(group, "connect-ssh", "steps have no SSH server", "job connect-ssh -n NAME --node-index 0")


def create(client: Client, options: argparse.Namespace) -> Any:
    """Submit a job: its code and files are uploaded, the state of git is kept with it."""
    job = client.jobs.submit(client.specs.prepare(options.file, "job", flags.overrides(options, name=options.name)))
    if options.web:
        flags.open_page(client, "jobs")
    return submitted(client, job, options)


def submitted(client: Client, job: dict[str, Any], options: argparse.Namespace) -> Any:
    """What is printed of a job that was just submitted: the job, or with `--stream` what it writes."""
    if not options.stream:
        return _in_az_words(client, job)
    printed = options.output is not None or options.query is not None
    _stream(client, job["name"], None, to_stderr=printed)
    return _in_az_words(client, client.jobs.get(job["name"])) if printed else None


def show(client: Client, options: argparse.Namespace) -> Any:
    """One job with its steps and outputs."""
    if options.web:
        flags.open_page(client, "jobs")
    return _in_az_words(client, client.jobs.get(options.name))


def list_(client: Client, options: argparse.Namespace) -> Any:
    """Jobs, newest first."""
    limit = None if options.all_results == "true" else options.max_results
    if options.parent_job_name is not None:
        print(f"note: {_STEPS_NOTE.format(options.parent_job_name)}", file=sys.stderr)
        options.columns = _STEPS
        return [_in_az_words(client, step) for step in client.jobs.steps(options.parent_job_name)[:limit]]
    archived: Archived = "only" if options.archived_only else "true" if options.include_archived else "false"
    found = client.jobs.list(status=options.status, experiment=options.experiment, archived=archived, limit=limit)
    return [_in_az_words(client, job) for job in found]


def validate(options: argparse.Namespace) -> Any:
    """Check a job's specification without submitting it, and without a server."""
    from modelyard.api.specs import read
    from modelyard_specs import require_submittable

    document = read(options.file, "job", flags.overrides(options))
    require_submittable(document)
    return {
        "result": "Succeeded",
        "kind": document.kind,
        "warnings": [str(warning) for warning in document.warnings],
        "ignored_keys": list(document.ignored),
    }


def show_services(client: Client, options: argparse.Namespace) -> Any:
    """Where a job can be looked at."""
    return _in_az_words(client, client.jobs.get(options.name))["services"]


def steps(client: Client, options: argparse.Namespace) -> Any:
    """A job's steps, in the order of its specification."""
    return client.jobs.steps(options.name)


def stream(client: Client, options: argparse.Namespace) -> None:
    """Print what a job writes, from its beginning, until it has ended. Exit status 1 unless it completed. Ctrl-C only detaches."""
    _stream(client, options.name, options.step, to_stderr=False)


def update(client: Client, options: argparse.Namespace) -> Any:
    """Change what is said of a job: its display name, experiment, description and tags. What it was and did never changes."""
    from modelyard.cli.edits import changed_metadata

    if not options.edits:
        raise CommandError("what is to change? say it with --set, --add or --remove", status=2)
    changes = changed_metadata(client.jobs.get(options.name), options.edits, _SAID)
    found = client.jobs.update(options.name, **changes) if changes else client.jobs.get(options.name)
    if options.web:
        flags.open_page(client, "jobs")
    return _in_az_words(client, found)


def archive(client: Client, options: argparse.Namespace) -> Any:
    """Hide a job that has ended from lists."""
    return _in_az_words(client, client.jobs.archive(options.name))


def restore(client: Client, options: argparse.Namespace) -> Any:
    """Bring an archived job back."""
    return _in_az_words(client, client.jobs.restore(options.name))


def cancel(client: Client, options: argparse.Namespace) -> Any:
    """Stop a job: nothing more of it is begun, and what runs is ended."""
    return _in_az_words(client, client.jobs.cancel(options.name))


def download(client: Client, options: argparse.Namespace) -> Any:
    """Its outputs into FOLDER/named-outputs/<output>, verified by their digests."""
    folder = client.jobs.download(options.name, options.output_name, target=options.download_path)
    return {"path": str(folder)}


def _stream(client: Client, name: str, step: str | None, *, to_stderr: bool) -> None:
    out = sys.stderr if to_stderr else sys.stdout
    print(f"RunId: {name}\nWeb View: {client.url}/#jobs", file=sys.stderr, flush=True)
    try:
        alone = len(client.jobs.steps(name)) == 1 or step is not None
        lines = _Lines(alone=alone)
        for chunk in client.jobs.stream(name, step):
            print(lines.of(chunk.step, chunk.text), end="", file=out, flush=True)
        print(lines.end(), end="", file=out, flush=True)
        job = client.jobs.get(name)
    except KeyboardInterrupt:
        raise CommandError(
            f"detached; job {name} goes on: `modelyard job stream -n {name}` shows it again, "
            f"`modelyard job cancel -n {name}` stops it",
            status=_DETACHED,
        ) from None
    said = f"job {name} {job['status']}" + (f": {job['detail']}" if job["detail"] else "")
    if job["status"] != "completed":
        raise CommandError(said)
    print(said, file=sys.stderr)


class _Lines:
    """Text under the name of the step it comes from, when there are several."""

    def __init__(self, *, alone: bool) -> None:
        self._alone = alone
        self._open = ""  # the step whose last line has not ended yet

    def of(self, step: str, text: str) -> str:
        if not text:
            return text
        if self._alone:
            self._open = "" if text.endswith("\n") else step
            return text
        begins = "" if self._open == step else ("\n" if self._open else "") + f"{step} │ "
        ended = text.endswith("\n")
        body = (text[:-1] if ended else text).replace("\n", f"\n{step} │ ")
        self._open = "" if ended else step
        return begins + body + ("\n" if ended else "")

    def end(self) -> str:
        """What ends the last line, when its writer did not."""
        return "\n" if self._open else ""


def _in_az_words(client: Client, job: dict[str, Any]) -> dict[str, Any]:
    """As `az ml job show` says it: scripts compare `status` with `Completed`, and read the page's address."""
    return {
        **job,
        "status": str(job["status"]).capitalize(),
        "services": {"Studio": {"endpoint": f"{client.url}/#jobs", "type": "Studio"}},
    }
