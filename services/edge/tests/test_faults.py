"""What happens when something ends: replicas, NATS, the bucket, HAProxy, the agent."""

from __future__ import annotations

import http.client
import json
import os
import signal
import threading
from collections import Counter
from typing import Any

import pytest

from modelyard_testing.processes import lives

GREEN = {"modelyard-deployment": "green"}


def reloads(edge: Any) -> int:
    lines = edge.admin("/metrics")[1].splitlines()
    return int(next(line for line in lines if line.startswith("modelyard_edge_reloads_total")).split()[1])


class Load:
    """Keep-alive clients that score without a pause and count what they get."""

    def __init__(self, edge: Any, clients: Any = 4) -> None:
        self.answers: Counter[int | str] = Counter()
        self._edge = edge
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._client) for _ in range(clients)]

    def __enter__(self) -> Any:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def _client(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._edge.port, timeout=15)
        while not self._stop.is_set():
            try:
                connection.request(
                    "POST",
                    "/endpoints/flowers/score",
                    b'{"input_data": [[5.1, 3.5, 1.4, 0.2]]}',
                    {"Authorization": "Bearer a-key-of-this-endpoint"},
                )
                answer = connection.getresponse()
                answer.read()
                self.answers[answer.status] += 1
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                self.answers[type(error).__name__] += 1
        connection.close()


def test_reloads_under_load_fail_nothing(flowers: Any, nats: Any, tools: Any) -> None:
    with Load(flowers) as load:
        for percent in (10, 50, 90, 100, 0, 30):
            before, seen = reloads(flowers), load.answers[200]
            nats.put({"endpoint.flowers": tools.endpoint(traffic={"blue": 100 - percent, "green": percent})})
            tools.until(lambda before=before, seen=seen: reloads(flowers) > before and load.answers[200] > seen + 100)
    assert set(load.answers) == {200}, load.answers


def test_without_nats_scoring_goes_on_with_the_last_split(flowers: Any, nats: Any, tools: Any) -> None:
    nats.kill()
    with Load(flowers) as load:
        tools.until(lambda: load.answers[200] > 500)
    assert set(load.answers) == {200}
    status, text = flowers.admin("/readyz")
    assert (status, json.loads(text)["nats"]) == (200, False)
    nats.start()
    nats.put({"endpoint.flowers": tools.endpoint(traffic={"blue": 0, "green": 100})})
    tools.until(lambda: flowers.score() == (200, "green"))


def test_an_edge_that_starts_without_nats_uses_the_kept_table(flowers: Any, nats: Any, tools: Any) -> None:
    nats.kill()
    flowers.stop()
    flowers.start()
    tools.until(lambda: flowers.score() == (200, "blue"))
    nats.start()
    nats.put({"endpoint.flowers": None})
    tools.until(lambda: flowers.score()[0] == 404)


def test_what_was_deleted_while_the_edge_was_away_is_gone(flowers: Any, nats: Any, tools: Any, replicas: Any) -> None:
    flowers.stop()
    nats.put({"replica.flowers.green.r1": None})
    flowers.start()
    tools.until(lambda: flowers.score(headers=GREEN)[0] == 503)
    assert flowers.score() == (200, "blue")


def test_a_lost_bucket_withdraws_nothing(flowers: Any, nats: Any, tools: Any, replicas: Any) -> None:
    nats.lose_bucket()
    with Load(flowers) as load:
        tools.until(lambda: load.answers[200] > 500)
        nats.put({"endpoint.new": tools.endpoint("new"), "replica.new.blue.r1": tools.address(replicas["blue"])})
        tools.until(lambda: flowers.send("/endpoints/new/score")[0] == 200)
        seen = load.answers[200]
        tools.until(lambda: load.answers[200] > seen + 200)
    assert set(load.answers) == {200}, load.answers


def test_entries_that_cannot_be_used_are_refused_and_the_rest_is_applied(flowers: Any, nats: Any, tools: Any) -> None:
    bad = {
        "endpoint.broken": b"{",
        "endpoint.name": tools.endpoint("other-name"),
        "endpoint.half": tools.endpoint("half", traffic={"blue": 50}),
        "endpoint.stranger": tools.endpoint("stranger", traffic={"red": 100}),
        "endpoint.hash": tools.endpoint("hash", keys=["not a hash"]),
        "replica.flowers.blue.r9": {"host": "127.0.0.1 } evil", "port": 80},
        "replica.flowers.blue.r8": {"host": "127.0.0.1", "port": 0},
        "something.else": {},
        "endpoint.flowers": tools.endpoint(traffic={"blue": 100, "green": 100}),
    }
    nats.put(bad | {"endpoint.good": tools.endpoint("good")})
    tools.until(lambda: flowers.send("/endpoints/good/score")[0] == 503)
    assert flowers.score() == (200, "blue"), "the endpoint's last usable entry stays"
    assert f"modelyard_edge_refused_entries {len(bad)}" in flowers.admin("/metrics")[1]


def test_a_killed_replica_is_replaced_by_the_other_one(flowers: Any, nats: Any, tools: Any, start_replica: Any) -> None:
    second = start_replica("blue")
    nats.put({"replica.flowers.blue.r2": tools.address(second)})
    tools.until(lambda: 'server="r2"' in flowers.admin("/metrics")[1])
    with Load(flowers) as load:
        tools.until(lambda: load.answers[200] > 300)
        second.kill()
        seen = load.answers[200]
        tools.until(lambda: load.answers[200] > seen + 1000)
    failed = sum(count for answer, count in load.answers.items() if answer != 200)
    assert failed <= 4, f"only what was under way in the killed process may fail, one a client: {load.answers}"


def test_a_deployment_without_replicas_leaves_its_share_to_the_other(flowers: Any, nats: Any, tools: Any) -> None:
    nats.put({"endpoint.flowers": tools.endpoint(traffic={"blue": 50, "green": 50}), "replica.flowers.green.r1": None})
    tools.until(lambda: flowers.score(headers=GREEN)[0] == 503)
    assert {flowers.score() for _ in range(50)} == {(200, "blue")}


def test_a_replica_that_announces_and_withdraws_itself_fails_nothing(
    flowers: Any, nats: Any, tools: Any, start_replica: Any
) -> None:
    with Load(flowers) as load:
        second = start_replica("blue", nats.url)
        tools.until(lambda: "modelyard_edge_replicas 3" in flowers.admin("/metrics")[1])
        seen = load.answers[200]
        tools.until(lambda: load.answers[200] > seen + 300)
        second.process.stdin.close()
        second.process.wait(20)
        tools.until(lambda: "modelyard_edge_replicas 2" in flowers.admin("/metrics")[1])
        seen = load.answers[200]
        tools.until(lambda: load.answers[200] > seen + 300)
    assert set(load.answers) == {200}, load.answers


def test_haproxy_that_dies_is_started_again(flowers: Any, tools: Any) -> None:
    before = flowers.haproxy()
    os.kill(before, signal.SIGKILL)
    tools.until(lambda: flowers.haproxy() not in (None, before))
    tools.until(lambda: flowers.score() == (200, "blue"))


def test_a_killed_agent_stops_no_request_and_the_next_takes_haproxy_over(flowers: Any, nats: Any, tools: Any) -> None:
    before = flowers.haproxy()
    with Load(flowers) as load:
        flowers.kill_agent()
        seen = load.answers[200]
        tools.until(lambda: load.answers[200] > seen + 300)
        nats.put({"endpoint.flowers": tools.endpoint(traffic={"blue": 0, "green": 100})})
        flowers.start()
        tools.until(lambda: flowers.score() == (200, "green"))
    assert flowers.haproxy() == before
    assert set(load.answers) == {200}, load.answers


def test_a_port_that_is_taken_is_said_and_tried_again(flowers: Any, tools: Any, tmp_path: Any) -> None:
    rival = type(flowers)(tmp_path / "rival", flowers.nats_url, port=flowers.port)
    try:
        rival.start()
        tools.until(lambda: rival.admin("/readyz")[0] == 503 and json.loads(rival.admin("/readyz")[1])["reasons"])
        flowers.stop()
        tools.until(lambda: rival.score() == (200, "blue"))
    finally:
        rival.stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_edge_and_haproxy(flowers: Any, tools: Any, number: Any) -> None:
    process = flowers.process
    master = flowers.haproxy()
    process.send_signal(number)
    assert process.wait(15) == 0
    assert not lives(master)
