"""A stack that was stopped and comes up again on the same folder has everything it had."""

from __future__ import annotations

from modelyard import Client
from modelyard.stack import down
from modelyard_testing.stacks import Stack, eventually
from tests.on_stack import MARKS
from tests.scoring import Endpoint

pytestmark = MARKS


def test_a_second_up_finds_everything(stack: Stack, client: Client, sums: Endpoint) -> None:
    spec = {"type": "command", "command": "echo before", "environment": {"image": "python:3.11"}}
    job = client.jobs.wait(client.jobs.create(spec)["name"], timeout_s=60)
    assert job["status"] == "completed"
    events = {event["id"] for event in client.events.list(limit=None)}
    token, url = stack.layout.owner_token(), client.url

    assert down(stack.layout)
    stack.reap()
    stack.up(240)

    assert (stack.layout.owner_token(), stack.document()["url"]) == (token, url)
    assert client.jobs.get(job["name"]) == job
    assert client.jobs.logs(job["name"]) == "before\n"
    assert client.models.get("sum", "1")["name"] == "sum"
    assert events <= {event["id"] for event in client.events.list(limit=None)}

    eventually(sums.answers, 90)
    assert sums.score((1, 2)).json() == [3.0]
    assert client.endpoints.get(sums.name)["traffic"] == {"blue": 100}
    again = client.jobs.wait(client.jobs.create(spec)["name"], timeout_s=60)
    assert again["status"] == "completed"
