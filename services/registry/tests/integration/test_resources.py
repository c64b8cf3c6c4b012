"""Compute, datastores and connections: made, changed, listed, removed; and data in a datastore."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest
from minio import Minio

from modelyard_platform.database import Pool, create_pool
from modelyard_testing.conditions import eventually
from modelyard_testing.plugin import Bucket
from modelyard_testing.web import Page, WebServer, serving
from registry.settings import Settings

DATA = "/api/v1/data"
SECRET = "hunter2-zaq1"


@pytest.fixture
def web() -> Iterator[WebServer]:
    with serving() as server:
        yield server


@pytest.fixture
def settings(settings: Settings, bucket: Bucket) -> Settings:
    own = {
        "external_hosts": ("127.0.0.1",),
        "external_s3_url": bucket.url,
        "external_s3_access_key": bucket.access_key,
        "external_s3_secret_key": settings.s3_secret_key,
    }
    return settings.model_copy(update=own)


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[Pool]:
    pool = await create_pool(settings.postgres_dsn.get_secret_value(), service="test")
    yield pool
    await pool.close()


async def put(api: httpx.AsyncClient, kind: str, name: str, **spec: Any) -> httpx.Response:
    headers = {"Modelyard-Reason": "as the team agreed"}
    return await api.put(f"/api/v1/{kind}/{name}", json={"spec": {"name": name} | spec}, headers=headers)


async def blob_store(api: httpx.AsyncClient, web: WebServer, name: str = "blobs") -> None:
    spec = {"type": "azure_blob", "container_name": "flights", "endpoint": web.url("/account")}
    assert (await put(api, "datastores", name, **spec)).status_code == 200


async def changes(api: httpx.AsyncClient, subject: str, count: int) -> list[Any]:
    async def logged() -> list[Any]:
        items: list[Any] = (await api.get("/api/v1/audit", params={"subject": subject})).json()["items"]
        return items if len(items) == count else []

    return await eventually(logged)


async def test_a_resource_is_made_changed_listed_and_removed(api: httpx.AsyncClient) -> None:
    made = await put(api, "computes", "cpu-cluster", type="amlcompute", min_instances=0, max_instances=4)
    assert made.status_code == 200, made.text
    document = made.json()
    assert (document["id"], document["type"], document["provisioning_state"]) == (
        "computes/cpu-cluster",
        "aml_compute",
        "Succeeded",
    )
    assert document["spec"]["max_instances"] == 4
    again = await put(api, "computes", "cpu-cluster", type="AmlCompute", min_instances=0, max_instances=4)
    assert again.json()["created_at"] == document["created_at"]
    changed = await put(api, "computes", "cpu-cluster", type="amlcompute", min_instances=0, max_instances=8)
    assert changed.json()["spec"]["max_instances"] == 8
    for number in range(3):
        assert (await put(api, "computes", f"c{number}", type="kubernetes")).status_code == 200
    first = (await api.get("/api/v1/computes", params={"limit": 2})).json()
    assert ([one["name"] for one in first["items"]], first["next"]) == (["c0", "c1"], "c1")
    rest = (await api.get("/api/v1/computes", params={"cursor": "c1"})).json()
    assert ([one["name"] for one in rest["items"]], rest["next"]) == (["c2", "cpu-cluster"], None)
    only = (await api.get("/api/v1/computes", params={"type": "aml_compute"})).json()["items"]
    assert [one["name"] for one in only] == ["cpu-cluster"]

    assert (await api.delete("/api/v1/computes/cpu-cluster")).status_code == 204
    missing = await api.get("/api/v1/computes/cpu-clster")
    assert (missing.status_code, missing.json()["code"]) == (404, "compute_not_found")
    assert (await api.delete("/api/v1/computes/cpu-cluster")).status_code == 404

    deleted, updated, created = await changes(api, "computes/cpu-cluster", 3)
    assert (created["before"], created["after"]["max_instances"]) == (None, 4)
    assert (updated["before"]["max_instances"], updated["after"]["max_instances"]) == (4, 8)
    assert (updated["actor"], updated["reason"]) == ("user:ada", "as the team agreed")
    assert (deleted["before"]["max_instances"], deleted["after"]) == (8, None)


@pytest.mark.parametrize(
    ("kind", "name", "spec", "path", "says"),
    [
        ("computes", "c", {"type": "amlcompte"}, "type", "`amlcompte` is not valid"),
        ("computes", "c", {"type": "amlcompute", "max_nodes": 2}, "max_nodes", "unknown key `max_nodes`"),
        ("computes", "c", {"type": "amlcompute", "name": "other"}, "name", "the address says 'c'"),
        ("datastores", "d", {"type": "azure_blob", "account_name": "a"}, "container_name", "is missing"),
        ("datastores", "d", {"type": "azure_blob", "container_name": "c"}, "account_name", "is missing"),
        ("datastores", "d", {"type": "azure_blob", "container_name": "c", "endpoint": "http://[::1"}, "path", "no URL"),
        ("datastores", "workspaceblobstore", {"type": "one_lake"}, "path", "by itself"),
        ("connections", "c", {"target": "https://example.com"}, "type", "`type` is missing"),
    ],
)
async def test_a_wrong_resource_is_refused(
    api: httpx.AsyncClient, kind: str, name: str, spec: dict[str, Any], path: str, says: str
) -> None:
    answer = await api.put(f"/api/v1/{kind}/{name}", json={"spec": {"name": name} | spec})
    assert answer.status_code == 400, answer.text
    assert (answer.json()["path"], says in answer.json()["detail"]) == (path, True), answer.text
    assert (await api.get(f"/api/v1/{kind}/{name}")).status_code == (200 if name == "workspaceblobstore" else 404)


async def test_readers_read_and_contributors_change(
    api: httpx.AsyncClient, as_role: Callable[[str], dict[str, str]]
) -> None:
    for kind in ("computes", "datastores", "connections"):
        assert (await api.get(f"/api/v1/{kind}", headers=as_role("reader"))).status_code == 200
        body = {"spec": {"name": "x", "type": "kubernetes"}}
        assert (await api.put(f"/api/v1/{kind}/x", json=body, headers=as_role("reader"))).status_code == 403
        assert (await api.delete(f"/api/v1/{kind}/x", headers=as_role("reader"))).status_code == 403


async def test_every_workspace_has_its_own_store(api: httpx.AsyncClient) -> None:
    [own] = (await api.get("/api/v1/datastores")).json()["items"]
    assert own["name"] == "workspaceblobstore"
    assert (await api.get("/api/v1/datastores/workspaceblobstore")).json() == own
    refused = await api.delete("/api/v1/datastores/workspaceblobstore")
    assert (refused.status_code, refused.json()["code"]) == (400, "datastore_built_in")
    spec = {"name": "w", "type": "uri_file", "path": "azureml://datastores/workspaceblobstore/paths/a.csv"}
    data = await api.post(DATA, json={"spec": spec})
    assert (data.status_code, data.json()["code"]) == (400, "datastore_built_in")
    assert "azureml:NAME:VERSION" in data.json()["detail"]


async def test_what_gives_access_is_kept_nowhere(
    api: httpx.AsyncClient, pool: Pool, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    logged = io.StringIO()
    handler = logging.StreamHandler(logged)
    logging.getLogger().addHandler(handler)
    try:
        blob = {"type": "azure_blob", "account_name": "a", "container_name": "c"}
        for credentials in (
            {"account_key": SECRET},
            {"sas_token": SECRET},
            {"client_id": "i", "client_secret": SECRET},
        ):
            made = await put(api, "datastores", "d", **blob, credentials=credentials)
            assert made.status_code == 200, made.text
            assert made.json()["ignored"] == ["credentials"]
            assert SECRET not in made.text
        wrong = await put(api, "datastores", "d", **blob, credentials=SECRET)
        assert wrong.status_code == 400
        assert SECRET not in wrong.text
        for endpoint in (f"https://u:{SECRET}@example.com", f"https://example.com?sig={SECRET}"):
            refused = await put(api, "datastores", "e", **blob, endpoint=endpoint)
            assert (refused.status_code, refused.json()["path"], SECRET in refused.text) == (400, "endpoint", False)
        git = {"type": "git", "target": f"https://ada:{SECRET}@example.com/code.git?sig={SECRET}&x=1"}
        made = await put(
            api,
            "connections",
            "g",
            **git,
            credentials={"type": "pat", "pat": SECRET},
            api_key=SECRET,
            metadata={"ApiKey": SECRET, "Kind": "azure", "inner": [{"sasToken": SECRET}]},
            properties={"connection": f"Server=s;Password={SECRET};Database=d"},
            tags={"password": SECRET},
        )
        assert made.status_code == 200, made.text
        assert made.json()["spec"] == {
            "name": "g",
            "type": "git",
            "target": "https://***@example.com/code.git?sig=***&x=1",
            "metadata": {"Kind": "azure", "inner": [{}]},
            "properties": {"connection": "Server=s;Password=***;Database=d"},
            "tags": {},
        }
        ssh = {"admin_username": "u", "admin_password": SECRET, "ssh_key_value": SECRET}
        assert (await put(api, "computes", "c", type="amlcompute", ssh_settings=ssh)).status_code == 200
        assert (await api.delete("/api/v1/connections/g")).status_code == 204
        assert len(await changes(api, "connections/g", 2)) == 2
    finally:
        logging.getLogger().removeHandler(handler)
    tables = await pool.fetch("select table_name from information_schema.tables where table_schema = current_schema()")
    assert {"resources", "events", "outbox"} <= {row["table_name"] for row in tables}
    for row in tables:
        found = await pool.fetch(f'select t::text as row from "{row["table_name"]}" t')
        assert not [one["row"] for one in found if SECRET in one["row"]], row["table_name"]
    out, err = capfd.readouterr()
    for text in (caplog.text, logged.getvalue(), out, err):
        assert SECRET not in text


async def test_data_in_a_datastore_is_recorded_and_checked(api: httpx.AsyncClient, web: WebServer) -> None:
    await blob_store(api, web)
    web.pages["/account/flights/2013/a%20b.csv"] = Page(b"x\n1\n", etag='"v1"')
    long = "azureml://subscriptions/s/resourcegroups/r/workspaces/w/datastores/blobs/paths/2013/a b.csv"
    for path in ("azureml://datastores/blobs/paths/2013/a b.csv", long):
        made = await api.post(DATA, json={"spec": {"name": "d", "type": "uri_file", "path": path}})
        assert made.status_code == 201, made.text
        assert made.json()["spec"]["path"] == "azureml://datastores/blobs/paths/2013/a b.csv"
        assert made.json()["external"]["url"] == web.url("/account/flights/2013/a%20b.csv")
        assert made.json()["external"]["etag"] == '"v1"'

    async def profiled() -> Any:
        return (await api.get(f"{DATA}/d/versions/1")).json()["profile"]

    assert (await eventually(profiled))["rows"] == 1
    assert (await api.post(f"{DATA}/d/versions/1/check")).json()["status"] == "unchanged"
    web.pages["/account/flights/2013/a%20b.csv"] = Page(b"x\n2\n", etag='"v2"')
    assert (await api.post(f"{DATA}/d/versions/1/check")).json()["code"] == "external_changed"


async def test_a_datastore_stays_while_data_stands_on_it(api: httpx.AsyncClient, web: WebServer) -> None:
    await blob_store(api, web)
    web.pages["/account/flights/a.csv"] = Page(b"x\n1\n", etag='"v1"')
    spec = {"name": "d", "type": "uri_file", "path": "azureml://datastores/blobs/paths/a.csv"}
    assert (await api.post(DATA, json={"spec": spec})).status_code == 201
    refused = await api.delete("/api/v1/datastores/blobs")
    assert (refused.status_code, refused.json()["code"]) == (412, "in_use")
    assert refused.json()["used_by"] == ["data/d/versions/1"]
    assert "data/d/versions/1" in refused.json()["detail"]
    assert (await api.delete(f"{DATA}/d/versions/1")).status_code == 204
    assert (await api.delete("/api/v1/datastores/blobs")).status_code == 204
    gone = await api.post(DATA, json={"spec": spec})
    assert (gone.status_code, gone.json()["code"]) == (404, "datastore_not_found")


async def test_registering_and_deleting_at_once_leave_no_data_without_its_datastore(
    api: httpx.AsyncClient, web: WebServer
) -> None:
    web.pages["/account/flights/a.csv"] = Page(b"x\n1\n", etag='"v1"')
    for round_ in range(5):
        await blob_store(api, web)
        spec = {"name": f"d{round_}", "type": "uri_file", "path": "azureml://datastores/blobs/paths/a.csv"}
        made, deleted = await asyncio.gather(
            api.post(DATA, json={"spec": spec}), api.delete("/api/v1/datastores/blobs")
        )
        assert {(made.status_code, deleted.status_code)} <= {(201, 412), (404, 204)}, (made.text, deleted.text)
        there = await api.get("/api/v1/datastores/blobs")
        assert (there.status_code == 200) == (made.status_code == 201)


async def test_an_unknown_datastore_is_told_with_the_nearest_name(api: httpx.AsyncClient, web: WebServer) -> None:
    await blob_store(api, web, "training_blobs")
    for kind in ("data", "models"):
        spec = {"name": "d", "path": "azureml://datastores/trainingblobs/paths/a.csv"}
        answer = await api.post(f"/api/v1/{kind}", json={"spec": spec})
        assert (answer.status_code, answer.json()["code"]) == (404, "datastore_not_found"), answer.text
        assert answer.json()["detail"] == "there is no datastore 'trainingblobs'; did you mean 'training_blobs'?"
        assert (await api.get(f"/api/v1/{kind}")).json()["items"] == []
    for path in ("../other/a.csv", "x/../../other", "./a.csv"):
        spec = {"name": "d", "type": "uri_file", "path": f"azureml://datastores/training_blobs/paths/{path}"}
        answer = await api.post(DATA, json={"spec": spec})
        assert (answer.status_code, "leads out" in answer.json()["detail"]) == (400, True), answer.text
    spec = {"name": "d", "type": "uri_file", "path": "azureml://datastores/training_blobs/paths/none.csv"}
    answer = await api.post(DATA, json={"spec": spec})
    assert (answer.status_code, answer.json()["code"]) == (404, "external_missing")
    web.pages["/account/flights/none.csv"] = Page(status=403)
    answer = await api.post(DATA, json={"spec": spec})
    assert (answer.status_code, answer.json()["code"]) == (400, "external_unreadable")
    assert "EXTERNAL_S3_*" in answer.json()["detail"]


async def test_a_container_of_the_operators_s3_server(api: httpx.AsyncClient, bucket: Bucket) -> None:
    spec = {"type": "azure_blob", "protocol": "s3", "container_name": bucket.name}
    assert (await put(api, "datastores", "lake", **spec)).status_code == 200
    s3 = Minio(bucket.url.removeprefix("http://"), bucket.access_key, bucket.secret_key, secure=False)
    for name in ("a", "b"):
        s3.put_object(bucket.name, f"flights/{name}.csv", io.BytesIO(b"x\n1\n"), 4)
    body = {"spec": {"name": "d", "type": "uri_folder", "path": "azureml://datastores/lake/paths/flights/"}}
    made = await api.post(DATA, json=body)
    assert made.status_code == 201, made.text
    assert made.json()["external"]["url"] == f"s3://{bucket.name}/flights/"
    assert (made.json()["external"]["files"], made.json()["external"]["size"]) == (2, 8)
    s3.put_object(bucket.name, "flights/c.csv", io.BytesIO(b"x\n1\n"), 4)
    assert (await api.post(f"{DATA}/d/versions/1/check")).json()["code"] == "external_changed"


async def test_text_that_cannot_be_kept_is_refused(api: httpx.AsyncClient) -> None:
    answer = await put(api, "computes", "c", type="kubernetes", description="a\0b")
    assert answer.status_code == 400
    assert (await api.get("/api/v1/computes", params={"cursor": "\0"})).status_code == 400
    assert (await api.get("/api/v1/computes", params={"type": "\0"})).status_code == 400
