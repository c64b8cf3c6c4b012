import asyncio
import signal
import subprocess
import sys

from modelyard.stack import process
from modelyard_testing.stacks import ended

STUBBORN = """
import signal, subprocess
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen(["sleep", "600"], start_new_session=True)
print("on", flush=True)
child.wait()
"""


def test_what_ignores_its_signal_is_killed_with_all_that_descends_from_it() -> None:
    with subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, start_new_session=True) as leader:
        assert leader.stdout is not None
        assert leader.stdout.readline() == b"on\n"
        processes = process.members(leader.pid)
        assert [one.name() for one in processes][1:] == ["sleep"]
        asyncio.run(process.end(leader.pid, signal.SIGTERM, timeout_s=0.2))
        assert ended(processes)
        assert process.members(leader.pid) == []


def test_ending_what_has_ended_is_no_error() -> None:
    with subprocess.Popen(["true"], start_new_session=True) as leader:
        leader.wait()
    asyncio.run(process.end(leader.pid, signal.SIGTERM, timeout_s=0.2))


def test_a_child_whose_parent_is_another_process_does_not_start() -> None:
    launch = process.launched(["true"])
    launch[4] = "1"  # the parent it is told of
    done = subprocess.run(launch, capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode == 1
    assert "the supervisor died before its child began" in done.stderr
