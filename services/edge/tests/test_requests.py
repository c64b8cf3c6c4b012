"""What the public port answers."""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


@pytest.fixture
def edge(shared: Any) -> Any:
    return shared[0]


def problem(answer: Any) -> Any:
    status, headers, text = answer
    document = json.loads(text)
    assert headers["content-type"] == "application/problem+json"
    assert document["status"] == status
    return status, document["code"]


def test_a_request_with_a_key_is_scored(edge: Any) -> None:
    status, headers, text = edge.send("/endpoints/flowers/score", headers={"x-request-id": "mine-1"})
    assert (status, json.loads(text)) == (200, [0])
    assert headers["x-request-id"] == "mine-1"
    assert headers["azureml-model-deployment"] in ("blue", "green")
    assert edge.send("/endpoints/flowers/v2/health/ready", None, method="GET")[0] == 200
    tensor = {"name": "X", "shape": [1, 4], "datatype": "FP32", "data": [5.1, 3.5, 1.4, 0.2]}
    assert edge.send("/endpoints/flowers/v2/models/iris/infer", {"inputs": [tensor]})[0] == 200


def test_a_request_id_is_made_where_there_is_none_or_a_bad_one(edge: Any) -> None:
    for given in ({}, {"x-request-id": "bad id with spaces"}, {"x-request-id": "x" * 200}):
        identity = edge.send("/endpoints/flowers/score", headers=given)[1]["x-request-id"]
        assert len(identity) == 36


@pytest.mark.parametrize("key", [None, "", "wrong", hashlib.sha256(b"a-key-of-this-endpoint").hexdigest()])
def test_without_a_valid_key_401(edge: Any, key: Any) -> None:
    answer = edge.send("/endpoints/flowers/score", key=key)
    assert problem(answer) == (401, "unauthenticated")
    assert answer[1]["www-authenticate"] == "Bearer"


def test_other_schemes_and_other_endpoints_keys_are_401(edge: Any) -> None:
    for header in (
        "Basic a-key-of-this-endpoint",
        "a-key-of-this-endpoint",
        "Bearer",
        "Bearer  a-key-of-this-endpoint x",
    ):
        assert (
            edge.send("/endpoints/flowers/score", key=None, headers={"Authorization": header})[0]
            in (401, 200)[: 1 + ("x" in header)]
        )
    assert problem(edge.send("/endpoints/other/score")) == (401, "unauthenticated")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/endpoints/nope/score", (404, "unknown_endpoint")),
        ("/endpoints/", (404, "unknown_endpoint")),
        ("/endpoints/fl%22owers/score", (404, "unknown_endpoint")),
        ("/endpoints/flowers/metrics", (404, "not_found")),
        ("/endpoints/flowers/logs", (404, "not_found")),
        ("/endpoints/flowers", (404, "not_found")),
        ("/endpoints/flowers/v2/../metrics", (404, "not_found")),
        ("/endpoints/flowers//metrics", (404, "not_found")),
        ("/endpoints/empty/score", (503, "unavailable")),
        ("/endpoints/idle/score", (503, "no_traffic")),
        ("/", (503, "unavailable")),
    ],
)
def test_what_cannot_be_routed(edge: Any, path: Any, expected: Any) -> None:
    assert problem(edge.send(path)) == expected


def test_bodies_above_the_endpoints_bound_are_413(edge: Any) -> None:
    padded = json.dumps({"input_data": [[5.1, 3.5, 1.4, 0.2]]}).encode()
    assert edge.send("/endpoints/flowers/score", padded + b" " * (10_000 - len(padded)))[0] == 200
    assert problem(edge.send("/endpoints/flowers/score", b"x" * 10_001)) == (413, "too_large")


def test_the_split_is_exact(edge: Any) -> None:
    counts: Counter[str] = Counter()

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", edge.port, timeout=15)
        for _ in range(1500):
            connection.request(
                "POST",
                "/endpoints/flowers/score",
                b'{"input_data": [[5.1, 3.5, 1.4, 0.2]]}',
                {"Authorization": "Bearer a-key-of-this-endpoint"},
            )
            answer = connection.getresponse()
            answer.read()
            counts[f"{answer.status} {answer.headers['azureml-model-deployment']}"] += 1
        connection.close()

    clients = [threading.Thread(target=client) for _ in range(4)]
    for each in clients:
        each.start()
    for each in clients:
        each.join(60)
    assert sum(counts.values()) == 6000
    assert set(counts) == {"200 blue", "200 green"}
    assert 484 <= counts["200 green"] <= 716, "600, and five standard deviations"


def test_a_header_pins_a_deployment(edge: Any) -> None:
    for header in ("azureml-model-deployment", "modelyard-deployment"):
        assert {edge.score(headers={header: "green"}) for _ in range(20)} == {(200, "green")}
    answer = edge.send("/endpoints/flowers/score", headers={"azureml-model-deployment": 're"d'})
    assert problem(answer) == (404, "unknown_deployment")
    assert problem(edge.send("/endpoints/flowers/score", headers={"azureml-model-deployment": "../green"})) == (
        404,
        "unknown_deployment",
    )


def test_the_replica_does_not_see_the_key(shared: Any, tools: Any) -> None:
    edge, nats = shared
    seen: list[dict[str, str]] = []

    class Recorder(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append({"path": self.path, **{name.lower(): value for name, value in self.headers.items()}})
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None: ...

        do_POST = do_GET  # noqa: N815 the name that http.server looks for

    with ThreadingHTTPServer(("127.0.0.1", 0), Recorder) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            entry = {"host": "127.0.0.1", "port": server.server_port}
            nats.put({"endpoint.recorded": tools.endpoint("recorded"), "replica.recorded.blue.r1": entry})
            tools.until(lambda: edge.send("/endpoints/recorded/score", None)[0] == 200)
            request = next(each for each in seen if each["path"] == "/score")
            assert "authorization" not in request
            assert len(request["x-request-id"]) == 36
            nats.put({"endpoint.recorded": None, "replica.recorded.blue.r1": None})
            tools.until(lambda: edge.send("/endpoints/recorded/score", None)[0] == 404)
        finally:
            server.shutdown()
            thread.join(10)


def test_a_slow_or_malformed_client_is_refused(edge: Any) -> None:
    """These are HAProxy's own answers, made before there is a request to apply rules to."""
    for sent, expected in (
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nx: " + b"y" * 20_000 + b"\r\n\r\n", 400),
        (b"GET / HT", 408),
    ):
        with socket.create_connection(("127.0.0.1", edge.port), 15) as connection:
            connection.sendall(sent)
            assert int(connection.recv(65536).split()[1]) == expected


def test_health_and_metrics(edge: Any) -> None:
    status, text = edge.admin("/readyz")
    assert (status, json.loads(text)["nats"]) == (200, True)
    status, text = edge.admin("/metrics")
    assert "modelyard_edge_replicas 2" in text
    assert "haproxy_backend_http_requests_total" in text
    assert edge.send("/metrics", None, method="GET")[0] == 503, "the public port has no metrics"


def test_keys_are_not_on_disk(edge: Any) -> None:
    data = edge.folder / "data"
    for file in data.rglob("*"):
        if file.is_file():
            assert file.stat().st_mode & 0o077 == 0 or file.name == "haproxy.json"
            assert b"a-key-of-this-endpoint" not in file.read_bytes()
