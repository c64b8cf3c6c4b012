"""The main job, from data to a retrained model behind a split endpoint, on real flights: `make demo`.

Every step is a command that you could type (printed as it is run) against a stack of its own, or a request to the
endpoint. What a step is said to do is checked on what it did; the first one that did something else ends the demo with
exit code 1. In a terminal the stack stays up until Ctrl-C.
"""

from __future__ import annotations

import html
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
HOME: Final = Path(os.environ.get("MODELYARD_HOME") or ROOT / ".local" / "demo")
WORK: Final = ROOT / "build" / "flights"
MODELYARD: Final = Path(sys.executable).parent / "modelyard"
ENDPOINT: Final = "flight-delay"
CRITERION: Final = "candidate.log_loss <= champion.log_loss * 0.99 and candidate.auc >= champion.auc - 0.005"
MONTHS: Final = {3: "March", 4: "April", 5: "May", 6: "June"}
FLIGHTS_A_MONTH: Final = 1_000
ROWS_A_REQUEST: Final = 50
FEATURES: Final = [
    "carrier",
    "origin",
    "dest",
    "distance",
    "day_of_week",
    "hour",
    "minute",
    "temp",
    "humid",
    "wind_speed",
    "precip",
    "visib",
]

BOLD, DIM, GREEN, RED, PLAIN = (
    ("\033[1m", "\033[2m", "\033[32m", "\033[31m", "\033[0m") if sys.stdout.isatty() else ("",) * 5
)


class DemoFailedError(Exception):
    """A step did not do what it says."""


def check(holds: object, what: str) -> None:
    """What a step is said to do, held against what it did."""
    if not holds:
        raise DemoFailedError(what)
    done(what)


def done(what: str) -> None:
    print(f"  {GREEN}✓{PLAIN} {what}", flush=True)


def say(text: str) -> None:
    print(f"  {text}", flush=True)


@contextmanager
def step(title: str) -> Iterator[None]:
    """One step, with its title before and its time after."""
    print(f"\n{BOLD}{title}{PLAIN}", flush=True)
    started = time.monotonic()
    yield
    print(f"  {DIM}{time.monotonic() - started:.1f} s{PLAIN}", flush=True)


def modelyard(*words: str, show: bool = True, within_s: float = 240) -> Any:
    """Run a command of the CLI; its JSON answer, or its text when it is none."""
    if show:
        print(f"  {DIM}$ modelyard {shlex.join(words)}{PLAIN}", flush=True)
    environment = {**os.environ, "MODELYARD_HOME": str(HOME)}
    done = subprocess.run(
        [MODELYARD, *words], cwd=HERE, env=environment, text=True, capture_output=True, timeout=within_s, check=False
    )
    if done.returncode:
        raise DemoFailedError(
            f"modelyard {shlex.join(words)} ended with {done.returncode}:\n{done.stderr or done.stdout}"
        )
    try:
        return json.loads(done.stdout)
    except ValueError:
        return done.stdout


def until(what: str, look: Callable[[], Any], within_s: float = 120) -> Any:
    """Wait until `look` gives something."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.5)
    raise DemoFailedError(f"waited {within_s:.0f} s in vain: {what}")


class Chat:
    """A stand-in for the team's chat: receives what a Slack-compatible hook is sent, and prints it."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        received = self.messages

        class Hook(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
                received.append(body)
                text = html.unescape(json.loads(body).get("text") or body)  # Slack's form escapes & < >
                for line in str(text).splitlines():
                    print(f"  {BOLD}chat |{PLAIN} {line}", flush=True)
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: object) -> None:
                """The messages are the log."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hooks/flights"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Endpoint:
    """The endpoint as a client sees it: an address and a key."""

    def __init__(self) -> None:
        self.url = modelyard("online-endpoint", "show", "-n", ENDPOINT, "-o", "json")["scoring_uri"]
        self._key = modelyard("online-endpoint", "get-credentials", "-n", ENDPOINT, "-o", "json")["primaryKey"]

    def score(self, rows: list[list[Any]]) -> tuple[list[Any], str]:
        """The predictions, and the deployment that made them."""
        body = json.dumps({"input_data": {"columns": FEATURES, "data": rows}}).encode()
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.url, body, headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer), answer.headers["azureml-model-deployment"]


def make_data(months: str, folder: str) -> None:
    """Flights as Parquet, one file a month, where the specification of the data looks for them."""
    command = [sys.executable, "make_data.py", "--months", months, "--output", f"data/{folder}"]
    print(f"  {DIM}$ python {shlex.join(command[1:])}{PLAIN}", flush=True)
    ended = subprocess.run(command, cwd=HERE, text=True, capture_output=True, timeout=120, check=False)
    if ended.returncode:
        raise DemoFailedError(ended.stderr)
    say(ended.stdout.strip().replace("\n", "\n  "))


def flights_of(month: int) -> list[list[Any]]:
    """A sample of a month's flights in the order of their schedule, as the endpoint is asked about them."""
    import pandas as pd

    WORK.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [sys.executable, "make_data.py", "--months", str(month), "--output", str(WORK / "ask")],
        cwd=HERE,
        check=True,
        capture_output=True,
        timeout=120,
    )
    frame = pd.read_parquet(WORK / "ask" / f"2013-{month:02d}.parquet")
    chosen = frame.sample(FLIGHTS_A_MONTH, random_state=month).sort_values("scheduled_hour")
    rows: list[list[Any]] = json.loads(chosen[FEATURES].to_json(orient="values"))
    return rows


def ask(endpoint: Endpoint, rows: list[list[Any]]) -> dict[str, int]:
    """Score rows, some at a time; how many each deployment answered."""
    by: dict[str, int] = {}
    for start in range(0, len(rows), ROWS_A_REQUEST):
        part = rows[start : start + ROWS_A_REQUEST]
        answer, deployment = endpoint.score(part)
        if len(answer) != len(part):
            raise DemoFailedError(f"asked about {len(part)} flights and got {len(answer)} answers")
        by[deployment] = by.get(deployment, 0) + len(part)
    return by


def run_demo(chat: Chat) -> None:
    with step("1  The stack"):
        print(f"  {DIM}$ modelyard up --detach{PLAIN}", flush=True)
        modelyard("up", "--detach", show=False)
        status = modelyard("status", "-o", "json", show=False)
        waiting = [part["name"] for part in status["parts"] if part["state"] not in ("ready", "done")]
        check(not waiting, f"{len(status['parts'])} parts are up, {status['ready_s']:.0f} s after the start")

    with step("2  January and February's flights"):
        make_data("1-2", "training")
        data = modelyard("data", "create", "-f", "data-training.yml", "-o", "json")
        modelyard("environment", "create", "-f", "environment/environment.yml", "-o", "json")
        profile = until(
            "the profile of the data",
            lambda: modelyard("data", "show", "-n", data["name"], "-v", data["version"], "-o", "json", show=False)[
                "profile"
            ],
        )
        check(profile["rows"] == 50_009, f"{profile['rows']:,} flights are registered and profiled")

    with step("3  Prepare, train, evaluate, register"):
        job = modelyard("job", "create", "-f", "pipeline.yml", "-o", "json")
        follow(job["name"])
        metrics = output(job["name"], "metrics")
        say(
            f"AUC {metrics['auc']:.3f}, log loss {metrics['log_loss']:.3f} on {metrics['rows']:,} flights of late February"
        )
        check(metrics["log_loss"] < metrics["base_log_loss"], "the model knows more than the average")

    with step("4  ONNX"):
        model = until("the ONNX form", lambda: converted("1"))
        certificate = model["conversion"]
        check(
            certificate["status"] == "converted" and certificate["max_abs_difference"] < 1e-3,
            f"converted; at most {certificate['max_abs_difference']:.1e} from the original on {certificate['rows']:,} rows",
        )
        modelyard("model", "set-alias", "-n", ENDPOINT, "-v", "1", "--alias", "champion", "-o", "json")

    with step("5  Deploy blue"):
        modelyard("online-endpoint", "create", "-f", "endpoint.yml", "-o", "json")
        modelyard("online-deployment", "create", "-f", "deployment-blue.yml", "--all-traffic", "-o", "json")
        endpoint = Endpoint()
        answer, deployment = endpoint.score(flights_of(3)[:1])
        check(deployment == "blue", f"blue answers: {json.dumps(answer)}")

    with step("6  Who is told, what is watched, what follows"):
        modelyard("subscription", "create", "-f", "subscription-chat.yml", "--set", f"url={chat.url}", "-o", "json")
        modelyard("schedule", "create", "-f", "monitor.yml", "-o", "json")
        modelyard("schedule", "create", "-f", "trigger.yml", "-o", "json")

    with step("7  Spring comes"):
        for month, name in MONTHS.items():
            rows = flights_of(month)
            last = month == max(MONTHS)
            late = len(rows) // 10 if last else 0
            answered = ask(endpoint, rows[: len(rows) - late])
            say(f"{name}: {sum(answered.values()):,} flights scored by {', '.join(answered)}")
            if last:
                say("what became of the flights is known by now:")
                make_data("1-5", "training")
                modelyard("data", "create", "-f", "data-training.yml", "-o", "json")
                make_data("6", "recent")
                modelyard("data", "create", "-f", "data-recent.yml", "-o", "json")
                ask(endpoint, rows[len(rows) - late :])
        drift = until("drift", lambda: newest("drift.detected"))
        worst = drift["data"]["features"][0]
        check(
            worst["value"] > worst["threshold"],
            f"drift in {worst['feature']}: {worst['measure']} {worst['value']:.2f}, threshold {worst['threshold']:.2f}, "
            f"{drift['data']['rows']:,} rows",
        )
        until("the message in chat", lambda: any("drift" in message.lower() for message in chat.messages))
        done("chat has heard of it")

    with step("8  The event starts the retraining"):
        fired = until("the trigger", lambda: newest("schedule.fired"))
        job_name = fired["data"]["job"]
        check(
            fired["causation_id"] == drift["id"],
            f"{fired['data']['schedule']} submitted {job_name} because of the drift",
        )
        follow(job_name)
        candidate = until("the candidate's ONNX form", lambda: converted("2"))
        check(candidate["job"] == job_name, f"version {candidate['version']} comes from {job_name}")

    with step("9  Candidate against champion, on the same flights of June"):
        decision = output(job_name, "decision")
        for side in ("champion", "candidate"):
            say(
                f"{side:9}  log loss {decision[side]['log_loss']:.4f}  AUC {decision[side]['auc']:.4f}  {decision['rows']:,} flights"
            )
        evidence = WORK / "decision.json"
        evidence.write_text(json.dumps(decision))
        promotion = modelyard(
            *("promotion", "request", "--model", ENDPOINT, "--candidate", candidate["version"]),
            *("--criterion", CRITERION, "--evidence", os.path.relpath(evidence, HERE), "-o", "json"),
        )
        check(promotion["status"] == "approved", f"{promotion['status']}: {promotion['detail']}")

    with step("10  Green: 10 %, then all"):
        model_reference = f"model=azureml:{ENDPOINT}:{candidate['version']}"
        modelyard("online-deployment", "create", "-f", "deployment-green.yml", "--set", model_reference, "-o", "json")
        modelyard("online-endpoint", "update", "-n", ENDPOINT, "--traffic", "blue=90 green=10", "-o", "json")
        share = until("the split at the edge", lambda: split(endpoint))
        check(0.04 < share < 0.18, f"green answers {share:.0%} of 600 requests")
        reason = "better on June's flights, and 10 % went well"
        modelyard(
            "online-endpoint",
            "update",
            "-n",
            ENDPOINT,
            "--traffic",
            "blue=0 green=100",
            "--reason",
            reason,
            "-o",
            "json",
        )
        until("all traffic on green", lambda: set(ask(endpoint, flights_of(6)[:500])) == {"green"})
        done("green answers everything")
        modelyard("model", "set-alias", "-n", ENDPOINT, "-v", candidate["version"], "--alias", "champion", "-o", "json")

    with step("11  Why is this version live?"):
        why = until(
            "the chain",
            lambda: chain_with({"drift.detected", "job.submitted", "model.registered", "promotion.approved"}),
        )
        print(modelyard("why", f"endpoint/{ENDPOINT}"), flush=True)
        check(
            why["chain"][-1]["type"] == "endpoint.traffic_changed",
            f"{len(why['chain'])} facts, from the data's drift to the traffic",
        )


def follow(job: str) -> None:
    """Print a job's log as it comes, until it ends well."""
    print(f"  {DIM}$ modelyard job stream -n {job}{PLAIN}", flush=True)
    environment = {**os.environ, "MODELYARD_HOME": str(HOME)}
    with subprocess.Popen(
        [MODELYARD, "job", "stream", "-n", job],
        cwd=HERE,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as child:
        timer = threading.Timer(240, child.kill)
        timer.start()
        assert child.stdout is not None
        for line in child.stdout:
            print(f"  {DIM}│{PLAIN} {line.rstrip()}", flush=True)
        timer.cancel()
    status = modelyard("job", "show", "-n", job, "-o", "json", show=False)["status"]
    check(status.lower() == "completed", f"{job} {status.lower()}")


def output(job: str, name: str) -> dict[str, Any]:
    """The one JSON file of a job's output."""
    target = WORK / "outputs" / job / name
    modelyard(
        "job",
        "download",
        "-n",
        job,
        "--output-name",
        name,
        "--download-path",
        os.path.relpath(target, HERE),
        "-o",
        "json",
    )
    [file] = sorted(target.rglob("*.json"))
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def converted(version: str) -> dict[str, Any] | None:
    """The model version, once the builder is done with it."""
    model: dict[str, Any] = modelyard("model", "show", "-n", ENDPOINT, "-v", version, "-o", "json", show=False)
    return model if model["conversion"] else None


def newest(event_type: str) -> dict[str, Any] | None:
    """The newest event of a type."""
    events = modelyard("event", "list", "--type", event_type, "-o", "json", show=False)
    return events[0] if events else None


def split(endpoint: Endpoint) -> float | None:
    """Green's share of 600 requests; None while the edge does not yet send it any."""
    row = flights_of(6)[:1]
    counts = [endpoint.score(row)[1] for _ in range(600)]
    return counts.count("green") / len(counts) or None


def chain_with(types: set[str]) -> dict[str, Any] | None:
    """The answer to "why", once the registry has heard of everything."""
    why: dict[str, Any] = modelyard("why", f"endpoint/{ENDPOINT}", "-o", "json", show=False)
    return why if types <= {fact["type"] for fact in why["chain"]} else None


def stay(url: str) -> None:
    """Where to look; in a terminal the stack then runs until Ctrl-C."""
    in_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    print(f"\n{BOLD}Have a look{PLAIN}")
    say(f"export MODELYARD_HOME={HOME} PATH={MODELYARD.parent}:$PATH")
    if not in_terminal:
        say("modelyard up                    # the stack is stopped now; this brings it back with all that happened")
    say(f"{url:31} # the page; sign in with the token in {HOME / 'token'}")
    say("modelyard event stream          # what happens, as it happens")
    say("modelyard model list -o table   # and job, online-endpoint, data …")
    if in_terminal:
        say("Ctrl-C stops the stack.")
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


def main() -> int:
    started = time.monotonic()
    for old in (HOME, WORK):
        if old == HOME and HOME.exists():
            modelyard("down", show=False)
        shutil.rmtree(old, ignore_errors=True)
    chat = Chat()
    try:
        run_demo(chat)
        print(f"\n{GREEN}{BOLD}Done{PLAIN} in {time.monotonic() - started:.0f} s.")
        stay(modelyard("status", "-o", "json", show=False)["url"])
    except DemoFailedError as failure:
        print(f"\n{RED}✗ {failure}{PLAIN}", file=sys.stderr)
        say(f"The logs: MODELYARD_HOME={HOME} modelyard logs")
        return 1
    except KeyboardInterrupt:
        print()
    finally:
        chat.close()
        modelyard("down", show=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
