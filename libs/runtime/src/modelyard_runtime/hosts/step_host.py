"""Runs one step's command and says how it went: the process between the Ray task and the user's command.

It exists for what its parent, a Ray worker full of threads, cannot do for itself: when the worker is killed, nothing of the
user's may go on. This process notices that its standard input has closed, ends the command's process group and, being the
subreaper, whatever escaped from the group.

Standard input: one line of JSON `{"command", "cwd", "environment", "timeout_s", "grace_s"}`; a second line, of any content,
cancels; end of file means that the parent is gone.
Standard output: frames of one byte kind (`o` stdout, `e` stderr, `x` the end), a 4-byte big-endian length, and the bytes.
The last frame is the end: `{"exit_code", "signal", "ended_by": null|"timeout"|"cancel", "duration_s", "peak_rss_bytes"}`.

Only the standard library, and nothing newer than Python 3.7: it may be run by any interpreter, with -I -S.
"""

import ctypes
import json
import os
import resource
import select
import signal
import subprocess
import sys
import time

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
CHUNK = 65536
STDIN, STDOUT = 0, 1


def prctl(option, value):
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def emit(kind, body):
    frame = kind + len(body).to_bytes(4, "big") + body
    while frame:
        frame = frame[os.write(STDOUT, frame) :]


def signal_group(group, number):
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        pass


def children():
    # Those of this process, adopted orphans included; the command's own descendants become ours as their parents end.
    try:
        with open("/proc/self/task/%d/children" % os.getpid()) as listing:
            return [int(pid) for pid in listing.read().split()]
    except OSError:
        return []


def end_orphans():
    # Each pass can bring up children of those just ended.
    for _ in range(100):
        pids = children()
        if not pids:
            return
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            except (ProcessLookupError, ChildProcessError):
                pass


class Command:
    """The running command and why it was told to end, if it was."""

    def __init__(self, order):
        self.grace_s = order["grace_s"]
        self.started = time.monotonic()
        self.deadline = self.started + order["timeout_s"] if order["timeout_s"] else float("inf")
        self.kill_at = float("inf")
        self.ended_by = None
        self.process = subprocess.Popen(
            ["/bin/bash", "-c", order["command"]],
            cwd=order["cwd"],
            env=order["environment"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # This process has one thread, so code between fork and exec is safe; the group's id is the command's pid.
            preexec_fn=lambda: (os.setsid(), prctl(PR_SET_PDEATHSIG, signal.SIGKILL)),
        )
        self.pipes = {self.process.stdout.fileno(): b"o", self.process.stderr.fileno(): b"e"}
        # Its end wakes the select below, like output does.
        self.ended, wake = os.pipe()
        os.set_blocking(self.ended, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def end(self, reason):
        if self.ended_by is None:
            self.ended_by = reason
            signal_group(self.process.pid, signal.SIGTERM)
            self.kill_at = time.monotonic() + self.grace_s

    def watch_clock(self):
        now = time.monotonic()
        if now >= self.deadline:
            self.end("timeout")
        if now >= self.kill_at:
            signal_group(self.process.pid, signal.SIGKILL)

    def pump(self, orders):
        """Waits up to a quarter of a second for output, the command's end or what may come on `orders`."""
        ready, _, _ = select.select(list(self.pipes) + [self.ended] + orders, [], [], 0.25)
        for descriptor in ready:
            chunk = os.read(descriptor, CHUNK)
            if descriptor == STDIN:
                self.end("cancel")
                if not chunk:
                    raise EOFError
            elif descriptor == self.ended:
                continue
            elif chunk:
                emit(self.pipes[descriptor], chunk)
            else:
                del self.pipes[descriptor]

    def drain(self):
        """What is already in the pipes: something in the background may hold them open for ever."""
        while self.pipes and select.select(list(self.pipes), [], [], 0)[0]:
            self.pump([])

    def run(self):
        while self.process.poll() is None:
            self.watch_clock()
            self.pump([STDIN])
        status = self.process.returncode
        duration_s = time.monotonic() - self.started
        # A command that has ended takes what it left in the background with it, as a closed container would.
        signal_group(self.process.pid, signal.SIGKILL)
        end_orphans()
        self.drain()
        peak_kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        return {
            "exit_code": status if status >= 0 else None,
            "signal": signal.Signals(-status).name if status < 0 else None,
            "ended_by": self.ended_by,
            "duration_s": round(duration_s, 3),
            "peak_rss_bytes": peak_kib * 1024,
        }


def read_order():
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(STDIN, 1)
        if not byte:
            sys.exit("the order ended before its line did")
        line += byte
    return json.loads(line.decode("utf-8"))


def main():
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    command = Command(read_order())
    try:
        emit(b"x", json.dumps(command.run()).encode("utf-8"))
    except (EOFError, BrokenPipeError):  # the parent is gone: nobody to tell, only to clean up
        signal_group(command.process.pid, signal.SIGKILL)
        end_orphans()


if __name__ == "__main__":
    main()
