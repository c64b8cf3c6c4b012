"""One attempt at one step on a node."""

import asyncio
import json
import platform
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import nats
import pytest
from nats.aio.msg import Msg

from modelyard_contracts.work import StepInput, StepOrder, StepOutput, StepResult, StepStart
from modelyard_platform import manifests, trees
from modelyard_platform.manifests import Signer
from modelyard_platform.objects import ObjectStore
from modelyard_platform.settings import NodeSettings
from modelyard_runtime.environments import Lock
from modelyard_runtime.runner.folder import KEEP_FAILED
from modelyard_runtime.runner.outcome import Interrupted
from modelyard_runtime.runner.task import CONTROL, run_step
from modelyard_testing.damage import flip

Run: TypeAlias = Callable[..., StepResult]
Order: TypeAlias = Callable[..., StepOrder]
TreeOf: TypeAlias = Callable[[dict[str, str]], str]
FilesOf: TypeAlias = Callable[[str], dict[str, str]]

PYTHON = ".".join(platform.python_version_tuple()[:2])


def test_code_inputs_and_outputs(
    run: Run,
    store: ObjectStore,
    tree_of: TreeOf,
    files_of: FilesOf,
) -> None:
    code = tree_of(
        {"src/copy.py": "import sys\nopen(sys.argv[2] + '/out.txt', 'w').write(open(sys.argv[1]).read().upper())"}
    )
    result = run(
        "python src/copy.py ${{inputs.text}} ${{ outputs.copied }} && cat ${{inputs.folder}}/b/c.txt > ${{outputs.single}} "
        "&& echo ${{inputs.rate}} && echo kept > outputs/note.txt",
        code=code,
        inputs={
            "text": StepInput(type="uri_file", tree=tree_of({"a.txt": "hello"})),
            "folder": StepInput(type="uri_folder", tree=tree_of({"x/b/c.txt": "deep", "y": "no"}), path="x"),
            "rate": StepInput(type="number", value="0.1"),
        },
        outputs={"copied": StepOutput(), "single": StepOutput(type="uri_file")},
    )
    assert result.status == "completed", result
    assert result.exit_code == 0
    assert files_of(result.outputs["copied"]) == {"out.txt": "HELLO"}
    assert files_of(result.outputs["single"]) == {"single": "deep"}
    assert files_of(result.outputs["artifacts"]) == {"note.txt": "kept\n"}
    assert result.log_tail == "0.1"
    assert result.log
    assert store.get_bytes(result.log or "") == b"0.1\n"
    assert result.node == socket.gethostname()
    assert result.peak_rss_bytes
    assert result.peak_rss_bytes > 1 << 20


def test_no_outputs_no_artifacts(run: Run) -> None:
    assert run("true").outputs == {}


def test_same_outputs_same_digests(run: Run, store: ObjectStore) -> None:
    first = run("echo 1 > ${{outputs.o}}/f", outputs={"o": StepOutput()})
    assert run("echo 1 > ${{outputs.o}}/f", outputs={"o": StepOutput()}, attempt=2).outputs == first.outputs


def test_environment_is_exactly_what_is_given(run: Run, node: NodeSettings, files_of: FilesOf) -> None:
    result = run(
        "env -0 > ${{outputs.o}}/env", outputs={"o": StepOutput()}, environment_variables={"MY_OWN": "1", "LANG": "C"}
    )
    lines = files_of(result.outputs["o"])["env"].split("\0")
    found = dict(line.split("=", 1) for line in lines if line)
    assert set(found) == {
        "PATH", "HOME", "TMPDIR", "LANG", "PYTHONUNBUFFERED", "MY_OWN", "PWD", "SHLVL", "_",
        "MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_TOKEN", "MLFLOW_RUN_ID", "AZUREML_RUN_ID", "AZUREML_ROOT_RUN_ID",
        "MODELYARD_RUN_ID", "MODELYARD_JOB", "MODELYARD_STEP", "MODELYARD_URL", "MODELYARD_TOKEN",
    }  # fmt: skip
    assert found["MODELYARD_TOKEN"] == found["MLFLOW_TRACKING_TOKEN"] == "the-steps-own-token"
    assert found["MODELYARD_URL"] == found["MLFLOW_TRACKING_URI"] == "http://modelyard.test"
    assert found["AZUREML_RUN_ID"] == found["MLFLOW_RUN_ID"] == "s1"
    assert found["LANG"] == "C"
    assert Path(found["HOME"]).is_relative_to(node.data_dir)


def test_no_platform_secret_in_any_ancestor_the_step_starts_from(run: Run, node: NodeSettings) -> None:
    """Neither the command nor the host above it holds the node's secrets."""
    secrets = f"{node.s3_secret_key.get_secret_value()}|{node.identity_key.get_secret_value()}"
    result = run(f"cat /proc/$$/environ /proc/$PPID/environ | tr '\\0' '\\n' | grep -cE '{secrets}' || true")
    assert result.log_tail == "0"


def test_step_in_its_environment(run: Run, store: ObjectStore) -> None:
    """`python` in the command is the environment's; uv makes it on the node."""
    lock = Lock(PYTHON, "")
    result = run(
        "python -c 'import sys; print(sys.prefix == \"'$VIRTUAL_ENV'\", sys.prefix)'",
        environment=store.put_bytes(lock.document),
    )
    assert result.status == "completed", result
    assert result.log_tail.startswith("True ")
    assert result.log_tail.endswith(f"envs/{lock.digest}")


def test_environment_that_cannot_be_made(run: Run, store: ObjectStore) -> None:
    result = run("true", environment=store.put_bytes(Lock("3.99", "").document))
    assert result.status == "failed"
    assert result.reason
    assert "Python 3.99 is not on this node; at hand: " in result.reason


@pytest.mark.parametrize(
    ("command", "fields", "exit_code", "reason"),
    [
        ("echo a; echo b >&2; exit 3", {}, 3, "the command ended with exit code 3"),
        ("kill -9 $$", {}, None, "the command was killed by SIGKILL"),
        ("sleep 60", {"timeout_s": 0.3}, None, "the command ran past its limit of 0.3 s"),
        ("no-such-program", {}, 127, "the command ended with exit code 127"),
    ],
)
def test_failures_say_why(
    run: Run,
    store: ObjectStore,
    command: str,
    fields: dict[str, Any],
    exit_code: int | None,
    reason: str,
) -> None:
    result = run(command, **fields)
    assert (result.status, result.exit_code, result.reason, result.outputs) == ("failed", exit_code, reason, {})
    assert result.log_tail.endswith(f"[modelyard] {reason}")
    assert store.get_bytes(result.log or "").decode().endswith(f"[modelyard] {reason}\n")


@pytest.mark.parametrize(
    ("command", "fields", "reason"),
    [
        ("echo ${{inputs.b}}", {"inputs": {"a": StepInput(type="string", value="1")}}, "no such input; it has: a"),
        (
            "true",
            {"outputs": {"o": StepOutput(type="uri_file")}},
            "the output 'o' is a uri_file, but the command wrote no file",
        ),
        ("true", {"code": "0" * 64}, "there is no such blob"),
        (
            "true",
            {"inputs": {"../a": StepInput(type="string", value="1")}},
            "'../a' cannot name a step, an input or an output",
        ),
        ("true", {"step_id": ".."}, "'..' cannot name a step"),
    ],
)
def test_wrong_orders_fail_with_the_reason(run: Run, command: str, fields: dict[str, Any], reason: str) -> None:
    result = run(command, **fields)
    assert result.status == "failed"
    assert result.reason
    assert reason in result.reason


def test_log_tail_is_the_last_fifty_lines(run: Run, store: ObjectStore) -> None:
    result = run("seq 1 1000")
    assert result.log_tail.split() == [str(i) for i in range(951, 1001)]
    assert len(store.get_bytes(result.log or "").split()) == 1000


def test_store_away_is_no_result(node: NodeSettings, order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("MODELYARD_NODE_S3_URL", f"http://127.0.0.1:{taken.getsockname()[1]}")
        monkeypatch.setattr("modelyard_runtime.runner.task._DELAYS_S", (0.1,))
        start, outcome = run_step(order("true", code="0" * 64))
    assert isinstance(start, StepStart)
    assert outcome == Interrupted("the object store does not answer")


def test_nats_away_is_no_hindrance(
    node: NodeSettings, order: Order, monkeypatch: pytest.MonkeyPatch, store: ObjectStore
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("MODELYARD_NODE_NATS_URL", f"nats://127.0.0.1:{taken.getsockname()[1]}")
        _, result = run_step(order("echo hello"))
    assert isinstance(result, StepResult)
    assert result.status == "completed"
    assert store.get_bytes(result.log or "") == b"hello\n"


async def live_log(nats_url: str, until: str) -> list[Msg]:
    """The messages of a step's log, from its first, until one contains `until`."""
    client = await nats.connect(nats_url)
    try:
        subscription = await client.jetstream().subscribe("logs.>", ordered_consumer=True)
        messages: list[Msg] = []
        while not messages or until.encode() not in messages[-1].data:
            messages.append(await subscription.next_msg(timeout=20))
        return messages
    finally:
        await client.close()


def test_lines_go_live_while_the_step_runs(run: Run, nats_url: str, tmp_path: Path) -> None:
    """The step goes on only after its line was read from NATS."""
    gate = tmp_path / "gate"

    def watch() -> None:
        seen.extend(asyncio.run(live_log(nats_url, "first")))
        gate.touch()

    seen: list[Msg] = []
    watcher = threading.Thread(target=watch)
    watcher.start()
    result = run(f"echo first >&2; while [ ! -e {gate} ]; do sleep 0.05; done; echo second", attempt=3)
    watcher.join(20)
    assert result.status == "completed"
    assert (seen[0].subject, seen[0].data) == ("logs.default.job_one.train", b"first\n")
    assert (seen[0].headers or {})["attempt"] == "3"
    assert (seen[0].headers or {})["stream"] == "stderr"
    assert asyncio.run(live_log(nats_url, "second"))[-1].data == b"second\n"


def test_big_log_arrives_in_bounded_chunks(run: Run, nats_url: str) -> None:
    run("seq 1 60000; head -c 200000 /dev/zero | tr '\\0' x; echo; echo the-end")
    chunks = [message.data for message in asyncio.run(live_log(nats_url, "the-end"))]
    assert max(map(len, chunks)) <= 64 * 1024
    assert b"".join(chunks).split()[:60000] == [str(i).encode() for i in range(1, 60001)]
    assert len(b"".join(chunks).split()[60000]) == 200000


@contextmanager
def canceling_when(ready: Path, nats_url: str, message: dict[str, object]) -> Iterator[None]:
    """Repeats the message once the file is there: core NATS keeps nothing, and the step may not have subscribed yet."""

    async def cancel() -> None:
        client = await nats.connect(nats_url)
        while not stop.is_set():
            if ready.exists():  # noqa: ASYNC240
                await client.publish(CONTROL, json.dumps(message).encode())
                await client.flush()
            await asyncio.sleep(0.05)
        await client.close()

    stop = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(cancel()))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_cancel_ends_the_command(run: Run, nats_url: str, tmp_path: Path) -> None:
    started = time.monotonic()
    with canceling_when(tmp_path / "ready", nats_url, {"cancel": "s1"}):
        result = run(f"touch {tmp_path}/ready; sleep 60")
    assert (result.status, result.reason) == ("canceled", "canceled")
    assert time.monotonic() - started < 20


def test_cancel_of_another_attempt_is_not_ours(run: Run, nats_url: str, tmp_path: Path) -> None:
    with canceling_when(tmp_path / "ready", nats_url, {"cancel": "s1", "attempt": 2}):
        result = run(f"touch {tmp_path}/ready; sleep 1.5")
    assert result.status == "completed"


def test_folders_go_after_success_and_the_last_failed_stay(run: Run, node: NodeSettings) -> None:
    run("true")
    steps = node.data_dir / "steps"
    assert list(steps.iterdir()) == []
    for number in range(KEEP_FAILED + 3):
        run("echo why; false", step_id=f"failed{number}")
    assert sorted(p.name for p in steps.iterdir()) == sorted(f"failed{n}" for n in range(3, KEEP_FAILED + 3))
    assert "why" in (steps / f"failed{KEEP_FAILED}" / "1" / "log.txt").read_text()


def test_attempt_starts_clean(run: Run, node: NodeSettings, files_of: FilesOf) -> None:
    left = node.data_dir / "steps" / "s1" / "1" / "outputs" / "o"
    left.mkdir(parents=True)
    (left / "half-written").touch()
    result = run("touch ${{outputs.o}}/whole", outputs={"o": StepOutput()})
    assert files_of(result.outputs["o"]) == {"whole": ""}


def test_a_registered_version_is_verified_before_the_command_runs(
    run: Run, store: ObjectStore, tree_of: TreeOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer = Signer(manifests.new_private_key())
    (tmp_path / "key.pub").write_text(signer.public_key)
    monkeypatch.setenv("MODELYARD_NODE_SIGNING_PUBLIC_KEY", str(tmp_path / "key.pub"))
    tree, other = tree_of({"x/model.txt": "weights"}), tree_of({"x/model.txt": "weightz"})
    subject = "default/models/late/versions/1"
    manifest = store.put_bytes(signer.sign(subject, trees.load(store, tree)))

    def given(tree: str, **what: Any) -> dict[str, StepInput]:
        return {"model": StepInput(type="custom_model", tree=tree, path="x", **what)}

    signed = {"subject": subject, "manifest": manifest}
    assert run("cat ${{inputs.model}}/model.txt", inputs=given(tree, **signed)).log_tail == "weights"
    assert run("cat ${{inputs.model}}/model.txt", inputs=given(other)).log_tail == "weightz", "no version: not signed"
    for inputs in (
        given(other, **signed),
        given(tree, subject=subject),
        given(tree, subject="default/models/late/versions/2", manifest=manifest),
    ):
        result = run("touch ${{inputs.model}}", inputs=inputs)
        assert result.status == "failed"
        assert result.refused == inputs["model"].subject
        assert result.reason is not None
        assert "is refused" in result.reason
        assert result.exit_code is None, "the command did not run"


@pytest.mark.parametrize("damaged", ["file", "tree", "manifest"])
@pytest.mark.parametrize("kind", ["models", "data", "components"])
def test_one_flipped_byte_is_refused(
    run: Run,
    store: ObjectStore,
    tree_of: TreeOf,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    damaged: str,
) -> None:
    """Inputs, and the code of a registered component. What a job brings along itself has only its digest."""
    signer = Signer(manifests.new_private_key())
    (tmp_path / "key.pub").write_text(signer.public_key)
    monkeypatch.setenv("MODELYARD_NODE_SIGNING_PUBLIC_KEY", str(tmp_path / "key.pub"))
    digest = tree_of({"main.txt": "content"})
    tree = trees.load(store, digest)
    subject = f"default/{kind}/late/versions/1"
    manifest = store.put_bytes(signer.sign(subject, tree))
    if kind == "components":
        order: dict[str, Any] = {"code": digest, "code_subject": subject, "code_manifest": manifest}
        read = "cat main.txt"
    else:
        given = StepInput(type="uri_folder", tree=digest, subject=subject, manifest=manifest)
        order, read = {"inputs": {"it": given}}, "cat ${{inputs.it}}/main.txt"
    assert run(read, **order).log_tail == "content"
    flip(store, {"file": tree.files[0].sha256, "tree": digest, "manifest": manifest}[damaged])
    result = run(f"{read}; touch ran", **order)
    assert (result.status, result.refused, result.exit_code) == ("failed", subject, None)
    assert result.reason is not None
    assert f"{subject} is refused" in result.reason
