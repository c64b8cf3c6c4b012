import pytest
from libs.client.tests.conftest import TOKEN, Platform

from modelyard import Client, ModelyardError
from modelyard.api.live import Parser, ServerEvent
from modelyard_testing.stacks import eventually


def register(client: Client, name: str) -> None:
    client.models.create({"name": name, "path": "https://example.com/m"})


def test_the_stream_of_events_misses_none_through_a_restart(platform: Platform, client: Client) -> None:
    events = client.events.stream(types=["model.*"], since="0")
    register(client, "before")
    assert next(events)["subject"] == "models/before/versions/1"
    platform.gateway.stop()
    platform.gateway.start()
    register(client, "after")
    assert next(events)["subject"] == "models/after/versions/1"


def test_a_change_tells_who_why_and_because_of_what(platform: Platform, client: Client) -> None:
    register(client, "m")
    eventually(lambda: client.events.list(type="model.registered"))
    [first] = client.events.list(type="model.registered")
    with Client(platform.url, TOKEN, reason="trained\nélsewhere", because=first["id"]) as other:
        register(other, "m")
    eventually(lambda: len(client.events.list(type="model.registered")) == 2)
    event = client.events.list(type="model.registered", limit=1)[0]
    assert (event["actor"], event["reason"], event["causation_id"]) == (
        "user:owner",
        "trained élsewhere",
        first["id"],
    )
    chain = client.why("model", "m:2")["chain"]
    assert [fact["subject"] for fact in chain] == ["models/m/versions/1", "models/m/versions/2"]
    assert chain[1]["because"] == [first["id"]]


def test_a_candidate_is_judged(client: Client) -> None:
    register(client, "m")
    register(client, "m")
    client.models.set_alias("m", "champion", "1")
    figures = {"candidate": {"auc": 0.9}, "champion": {"auc": 0.8}}
    assert (
        client.promotions.request("m", "2", criterion="candidate.auc > champion.auc", evidence=figures)["status"]
        == "approved"
    )
    worse = {"candidate": {"auc": 0.7}, "champion": {"auc": 0.8}}
    assert (
        client.promotions.request("m", "2", criterion="candidate.auc > champion.auc", evidence=worse)["status"]
        == "rejected"
    )
    assert [one["status"] for one in client.promotions.list("m")] == ["rejected", "approved"]


def test_tokens_are_made_and_revoked(platform: Platform, client: Client) -> None:
    made = client.tokens.create("ci", "reader", days=1)
    with Client(platform.url, made["token"], retry_s=1) as reader:
        assert reader.whoami()["role"] == "reader"
        assert reader.models.list() == []
        with pytest.raises(ModelyardError) as refused:
            register(reader, "m")
        assert refused.value.status == 403
    assert {one["name"] for one in client.tokens.list()} >= {"ci"}
    client.tokens.delete("ci")
    assert "ci" not in {one["name"] for one in client.tokens.list()}


def test_dead_letters_are_listed(client: Client) -> None:
    assert client.dead_letters.list() == []
    with pytest.raises(ModelyardError, match="no dead letter 7"):
        client.dead_letters.replay(7)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_events_are_read_from_any_chunks(size: int) -> None:
    stream = (
        ': hello\n\nid: 4\nevent: a.b\ndata: {"x": "\u2028é"}\n\ndata: one\r\ndata:two\r\n\r\nevent: cut\ndata: off'
    ).encode()
    chunks = [stream[start : start + size] for start in range(0, len(stream), size)]
    parser = Parser()
    assert [event for chunk in chunks for event in parser.feed(chunk)] == [
        ServerEvent("4", "a.b", '{"x": "\u2028é"}'),
        ServerEvent("4", "message", "one\ntwo"),
    ]
