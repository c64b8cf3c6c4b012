"""What each process of a stack is told, and what it is not."""

from pathlib import Path

import pytest

from modelyard.stack import ALL, Layout
from modelyard.stack.parts import Part, ports_of
from modelyard.stack.services import OWNERS, describe


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Part]:
    monkeypatch.setenv("RAY_ADDRESS", "somewhere-else:6379")
    monkeypatch.setenv("MODELYARD_REGISTRY_POSTGRES_DSN", "postgresql://elsewhere")
    monkeypatch.setenv("MODELYARD_SERVING_LOG_LEVEL", "DEBUG")
    monkeypatch.setenv("UV_INDEX", "the-users-own")
    layout = Layout.open(tmp_path)
    layout.assign_ports(port for name in ALL for port in ports_of(name))
    found = {part.name: part for part in describe(layout, ALL)}
    layout.remove_sockets()
    return found


def test_a_service_knows_its_own_database_role_only(parts: dict[str, Part]) -> None:
    for part in parts.values():
        roles = {
            value.split("/")[2].split(":")[0]
            for value in part.environment.values()
            if value.startswith("postgresql://")
        }
        own = part.name.replace("-", "_")
        assert roles == ({own} if own in OWNERS else set())


def test_only_those_who_keep_files_know_the_store(parts: dict[str, Part]) -> None:
    knowing = {part.name for part in parts.values() if any(name.endswith("S3_SECRET_KEY") for name in part.environment)}
    assert knowing == {"ray", "registry", "builder", "scheduler", "serving", "drift-monitor", "runner"}


def test_only_those_who_use_ray_have_its_token(parts: dict[str, Part]) -> None:
    assert {part.name for part in parts.values() if "RAY_AUTH_TOKEN_PATH" in part.environment} == {
        "ray",
        "serving",
        "runner",
    }
    assert all(part.environment.get("RAY_ADDRESS") != "somewhere-else:6379" for part in parts.values())


def test_what_the_user_set_for_a_service_reaches_it_unless_the_stack_decides_it(parts: dict[str, Part]) -> None:
    assert parts["serving"].environment["MODELYARD_SERVING_LOG_LEVEL"] == "DEBUG"
    assert "MODELYARD_SERVING_LOG_LEVEL" not in parts["registry"].environment
    assert "elsewhere" not in parts["registry"].environment["MODELYARD_REGISTRY_POSTGRES_DSN"]
    assert parts["builder"].environment["UV_INDEX"] == "the-users-own"
    assert "UV_INDEX" not in parts["postgres"].environment


def test_no_secret_is_on_a_command_line(parts: dict[str, Part], tmp_path: Path) -> None:
    secrets = [path.read_text() for path in (tmp_path / "secrets").iterdir()]
    assert len(secrets) > len(OWNERS)
    assert not [
        part.name for part in parts.values() for secret in secrets if any(secret in word for word in part.command)
    ]


def test_no_two_ports_are_the_same(parts: dict[str, Part], tmp_path: Path) -> None:
    ports = Layout.open(tmp_path).ports
    assert len(set(ports.values())) == len(ports)
    assert {part.port for part in parts.values()} <= set(ports.values())
