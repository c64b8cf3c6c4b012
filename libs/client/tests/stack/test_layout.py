import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from modelyard.stack.layout import Layout, StackRunningError, UnsafeFolderError, default_home


def test_ports_are_chosen_once_and_kept(tmp_path: Path) -> None:
    Layout.open(tmp_path).assign_ports(["nats", "edge"])
    first = Layout.open(tmp_path).ports
    Layout.open(tmp_path).assign_ports(["nats", "edge", "more"])
    again = Layout.open(tmp_path).ports
    assert first.keys() == {"nats", "edge"}
    assert again.items() > first.items()
    assert len(set(again.values())) == 3


def test_a_recorded_port_that_a_stranger_took_is_replaced(tmp_path: Path) -> None:
    layout = Layout.open(tmp_path)
    layout.assign_ports(["nats"])
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", layout.ports["nats"]))
        taken = layout.ports["nats"]
        layout.assign_ports(["nats"])
    assert layout.ports["nats"] != taken


def test_secrets_are_made_once_and_only_their_user_reads_them(tmp_path: Path) -> None:
    layout = Layout.open(tmp_path / "home")
    assert layout.secret("nats") == Layout.open(tmp_path / "home").secret("nats")
    assert layout.secret("nats") != layout.secret("s3")
    assert len(layout.owner_token()) >= 43  # 32 bytes in base64
    for path in (layout.secret_file("nats"), layout.token_file):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for folder in (layout.home, layout.home / "secrets"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_lock_is_one_holders_and_goes_with_a_killed_one(tmp_path: Path) -> None:
    layout = Layout.open(tmp_path)
    code = "import sys, time, pathlib; from modelyard.stack import Layout\n"
    code += "with Layout.open(pathlib.Path(sys.argv[1])).lock(): print('held', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert layout.holder() == holder.pid
        with pytest.raises(StackRunningError, match=str(holder.pid)), layout.lock():
            pass
        holder.send_signal(signal.SIGKILL)
    assert layout.holder() is None
    with layout.lock():
        assert layout.holder() == os.getpid()


def test_a_socket_folder_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    layout = Layout.open(tmp_path)
    layout.sockets_path().mkdir(mode=0o755)
    layout.sockets_path().chmod(0o755)
    try:
        with pytest.raises(UnsafeFolderError):
            layout.sockets()
    finally:
        layout.sockets_path().rmdir()


def test_the_data_folder_is_chosen_by_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MODELYARD_HOME", str(tmp_path / "elsewhere"))
    assert default_home() == tmp_path / "elsewhere"
    monkeypatch.delenv("MODELYARD_HOME")
    assert default_home().name == ".modelyard"
