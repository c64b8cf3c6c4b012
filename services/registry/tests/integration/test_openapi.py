"""Whatever is sent to the described routes: never a 5xx, and what is answered has the described form."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from modelyard_testing.identities import bearer
from registry.app import build
from registry.settings import Settings

_EXAMPLES = 3
_TIMEOUT_S = 30.0


@pytest.fixture
def server(settings: Settings) -> Iterator[tuple[str, dict[str, Any]]]:
    """The registry behind a real socket: its address and its description."""
    app = build(settings)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, lifespan="on"))
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + _TIMEOUT_S
    while not server.started:
        assert time.monotonic() < deadline, "the registry does not start"
        time.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}", app.openapi()
    server.should_exit = True
    thread.join(_TIMEOUT_S)


@pytest.mark.timeout(400)
@pytest.mark.filterwarnings("ignore::DeprecationWarning:jsonschema")
def test_no_request_is_too_much(server: tuple[str, dict[str, Any]]) -> None:
    address, description = server
    schema = schemathesis.openapi.from_dict(description)
    failed = []

    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()

        @settings(
            max_examples=_EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def sent(case: schemathesis.Case[Any]) -> None:
            answer = case.call(base_url=address, headers=bearer(), timeout=_TIMEOUT_S)
            if answer.status_code >= 500:
                failed.append(
                    (case.method, case.formatted_path, case.query, case.body, answer.status_code, answer.text)
                )
            elif answer.status_code < 300:
                case.validate_response(answer, checks=[response_schema_conformance, status_code_conformance])

        sent()
    assert not failed
