"""The table of routes, without any process."""

from __future__ import annotations

import json

from edge.domain.routes import RouteTable


def table(**endpoint: object) -> RouteTable:
    routes = RouteTable()
    entry = {"name": "e", "traffic": {"blue": 100}, "keys": [], "deployments": ["blue"], **endpoint}
    routes.put("endpoint.e", json.dumps(entry).encode())
    for replica, generation in (("old", 1), ("new", 2)):
        routes.put(
            f"replica.e.blue.{replica}", json.dumps({"host": "127.0.0.1", "port": 1, "generation": generation}).encode()
        )
    return routes


def test_a_newer_generation_takes_no_requests_before_it_is_live() -> None:
    assert [name for name, _ in table(generations={"blue": 1}).of("e", "blue")] == ["old"]
    assert [name for name, _ in table(generations={"blue": 2}).of("e", "blue")] == ["new"]
    assert table(generations={}).of("e", "blue") == []


def test_an_entry_that_says_nothing_of_generations_takes_all() -> None:
    assert [name for name, _ in table().of("e", "blue")] == ["new", "old"]
