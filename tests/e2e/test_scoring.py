"""Score requests that are wrong get an answer that says so, and the replica lives on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import httpx
import nats
import pytest

from modelyard_testing.servers import in_thread
from modelyard_testing.stacks import Stack
from tests.on_stack import MARKS
from tests.scoring import Endpoint

pytestmark = MARKS


def replica_pids(stack: Stack, endpoint: str) -> set[int]:
    """The processes that have announced themselves for an endpoint."""

    async def read() -> set[int]:
        connection = await nats.connect(stack.document()["nats"], allow_reconnect=False)
        async with asyncio.timeout(10):
            bucket = await connection.jetstream().key_value("routes")
            keys = [key for key in await bucket.keys() if key.startswith(f"replica.{endpoint}.")]
            values = [(await bucket.get(key)).value or b"" for key in keys]
        await connection.close()
        return {json.loads(value)["pid"] for value in values}

    return in_thread(read())


@pytest.fixture
def lives_on(stack: Stack, sums: Endpoint) -> Iterator[None]:
    before = replica_pids(stack, sums.name)
    assert len(before) == 1
    yield
    assert sums.score((1, 2)).json() == [3.0]
    assert replica_pids(stack, sums.name) == before


def told(answer: httpx.Response, status: int) -> str:
    """The problem's detail."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["title"]
    assert answer.headers["x-request-id"]
    return str(problem["detail"])


@pytest.mark.usefixtures("lives_on")
class TestWrongRequests:
    def test_wrong_shape(self, sums: Endpoint) -> None:
        assert told(sums.score((1, 2, 3)), 400) == "the row has 3 values, 2 are needed"

    def test_wrong_columns(self, sums: Endpoint) -> None:
        body = json.dumps({"input_data": {"columns": ["a", "c"], "data": [[1, 2]]}})
        assert "b" in told(sums.post(body), 400)

    def test_wrong_type(self, sums: Endpoint) -> None:
        assert told(sums.score((1, "two")), 400) == "column 'b' takes a number or null, not \"two\""

    @pytest.mark.parametrize(
        "body", [b'{"input_data": ', b"\xff\xfe", b"", b"[[[" * 100_000], ids=["cut off", "no text", "empty", "deep"]
    )
    def test_broken_json(self, sums: Endpoint, body: bytes) -> None:
        assert "JSON" in told(sums.post(body), 400)

    def test_no_key(self, sums: Endpoint) -> None:
        assert "Bearer" in told(httpx.post(sums.uri, content=b"{}", trust_env=False), 401)

    def test_another_key(self, sums: Endpoint) -> None:
        headers = {"Authorization": "Bearer guessed"}
        assert "Bearer" in told(httpx.post(sums.uri, content=b"{}", headers=headers, trust_env=False), 401)

    def test_unknown_endpoint(self, sums: Endpoint) -> None:
        uri = sums.uri.replace(sums.name, "nobody")
        assert "nobody" in told(httpx.post(uri, content=b"{}", headers=sums.authorized, trust_env=False), 404)

    def test_unknown_deployment(self, sums: Endpoint) -> None:
        assert "purple" in told(sums.post(b"{}", **{"azureml-model-deployment": "purple"}), 404)

    def test_too_large(self, sums: Endpoint) -> None:
        assert "bytes" in told(sums.post(b" " * (5 << 20)), 413)

    def test_too_large_and_in_chunks(self, sums: Endpoint) -> None:
        assert "bytes" in told(sums.post(b" " * (1 << 20) for _ in range(5)), 413)
