"""Whatever is sent to the routes of the public API: never a 5xx, and what is answered has the described form.

The registry's own are sent much more of this by its tests.
"""

from __future__ import annotations

from typing import Any, Final

import httpx
import pytest
import schemathesis
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from modelyard import Client
from modelyard_testing.stacks import Stack
from tests.contract.generate import ROOT as CONTRACTS
from tests.on_stack import MARKS

pytestmark = [*MARKS, pytest.mark.filterwarnings("ignore::DeprecationWarning:jsonschema")]

_EXAMPLES: Final = 25
_TIMEOUT_S: Final = 30.0
_ENDLESS: Final = frozenset({"/api/v1/events/stream"})


def test_no_request_is_too_much(stack: Stack, client: Client) -> None:
    url: str = stack.document()["url"]
    headers = {"Authorization": f"Bearer {client.workspaces.create('hostile')['token']}"}
    described = httpx.get(f"{url}/api/v1/openapi.json", headers=headers, timeout=_TIMEOUT_S).raise_for_status().json()
    tested = yaml.safe_load((CONTRACTS / "openapi/registry.yaml").read_text())["paths"].keys() | _ENDLESS
    schema = schemathesis.openapi.from_dict(
        described | {"paths": {path: found for path, found in described["paths"].items() if path not in tested}}
    )
    failed: list[Any] = []
    operations = 0

    for result in schema.get_all_operations():
        assert isinstance(result, Ok), result
        operation = result.ok()
        operations += 1

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
            answer = case.call(base_url=url, headers=headers, timeout=_TIMEOUT_S)
            if answer.status_code >= 500:
                failed.append(
                    (case.method, case.formatted_path, case.query, case.body, answer.status_code, answer.text)
                )
            elif answer.status_code < 300:
                case.validate_response(answer, checks=[response_schema_conformance, status_code_conformance])

        sent()
    assert operations > 50
    assert not failed
