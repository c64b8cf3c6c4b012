"""Environments made by the real uv from a wheel of our own: no index is asked."""

import base64
import hashlib
import platform
import socket
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import uv

from modelyard_platform.errors import InvalidError
from modelyard_runtime.environments import (
    COMPLETE,
    EnvironmentFailedError,
    Lock,
    installed_pythons,
    materialise,
    uv_environment,
)
from modelyard_testing.processes import living

UV = uv.find_uv_bin()
PYTHON = ".".join(platform.python_version_tuple()[:2])


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))


def wheel(folder: Path, name: str = "greeting") -> str:
    """A wheel with one module, and the requirement lines that pin it."""
    folder.mkdir(exist_ok=True)
    contents = {
        f"{name}.py": b"WORD = 'hello'\n",
        f"{name}-1.0.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
        f"{name}-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},{len(data)}\n"
        for path, data in contents.items()
    )
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inside, data in {**contents, f"{name}-1.0.dist-info/RECORD": record.encode()}.items():
            archive.writestr(inside, data)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return f"--no-index\n--find-links {folder}\n{name}==1.0 --hash=sha256:{digest}\n"


def says(python: Path, code: str) -> str:
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True, timeout=30).stdout.strip()


def test_made_once_and_runs(tmp_path: Path) -> None:
    lock = Lock(PYTHON, wheel(tmp_path / "wheels"))
    python = materialise(lock, tmp_path, UV)
    assert python == tmp_path / "envs" / lock.digest / "bin" / "python"
    assert says(python, "import greeting; print(greeting.WORD)") == "hello"
    made = python.parent.parent.joinpath(COMPLETE).stat().st_mtime_ns
    assert materialise(lock, tmp_path, "/no/such/uv") == python  # there already: nothing is run
    assert python.parent.parent.joinpath(COMPLETE).stat().st_mtime_ns == made


def test_empty_requirements(tmp_path: Path) -> None:
    python = materialise(Lock(PYTHON, ""), tmp_path, UV)
    assert says(python, "import sys; print(sys.prefix)") == str(python.parent.parent)


@pytest.mark.parametrize("version", ["3.8", "3.12"])
def test_other_interpreters_at_hand(version: str, tmp_path: Path) -> None:
    """Where the machine has the version it is used; where not, the error names what the machine has."""
    at_hand = installed_pythons(UV)
    if any(v.startswith(f"{version}.") for v in at_hand):
        python = materialise(Lock(version, wheel(tmp_path / "wheels")), tmp_path, UV)
        assert says(python, "import sys, greeting; print('%d.%d' % sys.version_info[:2])") == version
    else:
        with pytest.raises(EnvironmentFailedError, match=f"Python {version} is not on this node; at hand: .*{PYTHON}"):
            materialise(Lock(version, ""), tmp_path, UV)


def test_interpreter_that_nobody_has(tmp_path: Path) -> None:
    with pytest.raises(
        EnvironmentFailedError, match=rf"Python 3\.99 is not on this node; at hand: .*{PYTHON}"
    ) as failed:
        materialise(Lock("3.99", ""), tmp_path, UV)
    assert failed.value.kind == "invalid"
    assert [p.suffix for p in (tmp_path / "envs").iterdir()] == [".lock"]


def test_half_made_is_made_again(tmp_path: Path) -> None:
    lock = Lock(PYTHON, wheel(tmp_path / "wheels"))
    folder = tmp_path / "envs" / lock.digest
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    (folder / "left").touch()
    python = materialise(lock, tmp_path, UV)
    assert says(python, "import greeting; print(greeting.WORD)") == "hello"
    assert not (folder / "left").exists()


def test_wrong_hash_leaves_nothing(tmp_path: Path) -> None:
    lock = Lock(PYTHON, wheel(tmp_path / "wheels").rpartition(":")[0] + ":" + "0" * 64)
    with pytest.raises(EnvironmentFailedError, match=r"(?s)uv pip sync failed.*greeting") as failed:
        materialise(lock, tmp_path, UV)
    assert failed.value.kind == "invalid"
    assert not (tmp_path / "envs" / lock.digest).exists()


def test_unhashed_requirement_is_refused(tmp_path: Path) -> None:
    wheel(tmp_path / "wheels")
    with pytest.raises(EnvironmentFailedError, match="hash"):
        materialise(Lock(PYTHON, f"--no-index\n--find-links {tmp_path / 'wheels'}\ngreeting==1.0\n"), tmp_path, UV)


def test_index_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    for name in ("PIP_FIND_LINKS", "UV_FIND_LINKS", "UV_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: a connection is refused
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/simple"
        lock = Lock(PYTHON, f"--index-url {url}\ngreeting==1.0 --hash=sha256:{'0' * 64}\n")
        with pytest.raises(EnvironmentFailedError, match="the package index cannot be reached") as failed:
            materialise(lock, tmp_path, UV)
    assert failed.value.kind == "unavailable"


def slow_uv(folder: Path, seconds: float) -> str:
    """The real uv, late, noting every run."""
    script = folder / "uv"
    script.write_text(f'#!/bin/bash\necho "$1 $$" >> "{folder}/runs"\nsleep {seconds}\nexec "{UV}" "$@"\n')
    script.chmod(0o755)
    return str(script)


def test_many_ask_at_once_one_makes(tmp_path: Path) -> None:
    lock = Lock(PYTHON, wheel(tmp_path / "wheels"))
    uv_bin = slow_uv(tmp_path, 0.3)
    code = (
        "import sys; from pathlib import Path; from modelyard_runtime.environments import Lock, materialise\n"
        f"print(materialise(Lock({lock.python!r}, {lock.requirements!r}), Path(sys.argv[1]), {uv_bin!r}))"
    )

    def ask(_: int) -> str:
        done = subprocess.run(
            [sys.executable, "-c", code, tmp_path], capture_output=True, text=True, timeout=60, check=True
        )
        return done.stdout.strip()

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(ask, range(4))) == {str(tmp_path / "envs" / lock.digest / "bin" / "python")}
    assert [line.split()[0] for line in (tmp_path / "runs").read_text().splitlines()] == ["venv", "pip"]


def test_time_is_bounded_for_maker_and_waiter(tmp_path: Path) -> None:
    lock = Lock(PYTHON, "")
    uv_bin = slow_uv(tmp_path, 60)
    with ThreadPoolExecutor(1) as pool:
        maker = pool.submit(materialise, lock, tmp_path, uv_bin, timeout_s=2.0)
        while not (tmp_path / "runs").exists():
            time.sleep(0.01)
        with pytest.raises(EnvironmentFailedError, match="another process has been making"):
            materialise(lock, tmp_path, uv_bin, timeout_s=0.3)
        with pytest.raises(EnvironmentFailedError, match="not made in the time allowed"):
            maker.result(timeout=10)
    group = int((tmp_path / "runs").read_text().split()[1])
    assert living(group=group) == []
    assert not (tmp_path / "envs" / lock.digest).exists()


def test_uv_is_told_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELYARD_NODE_S3_SECRET_KEY", "hidden")
    assert "hidden" not in uv_environment().values()


def test_lock_is_its_bytes() -> None:
    lock = Lock("3.11", "é==1\n")
    assert lock.document == '{"python":"3.11","requirements":"é==1\\n"}'.encode()
    assert Lock.parse(lock.document) == lock
    assert lock.digest == hashlib.sha256(lock.document).hexdigest()
    for wrong in (
        b"[]",
        b'{"python": "3.11"}',
        b'{"python": 3.11, "requirements": ""}',
        b'{"python":"","requirements":"","x":""}',
    ):
        with pytest.raises(InvalidError, match="an environment lock is"):
            Lock.parse(wrong)
