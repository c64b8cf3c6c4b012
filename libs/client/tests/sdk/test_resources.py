import pytest
from libs.client.tests.conftest import TOKEN, Platform

from modelyard import Client
from modelyard.aio.client import AsyncClient
from modelyard.errors import ModelyardError
from modelyard_specs import SpecError

COMPUTE = {"name": "cpu", "type": "amlcompute", "max_instances": 4}


def test_resources(client: Client) -> None:
    made = client.computes.create(COMPUTE, min_instances=1)
    assert (made["spec"]["min_instances"], made["spec"]["max_instances"]) == (1, 4)
    assert client.computes.update("cpu", max_instances=8)["spec"] == {
        "name": "cpu",
        "type": "aml_compute",
        "min_instances": 1,
        "max_instances": 8,
    }
    assert [one["name"] for one in client.computes.list()] == ["cpu"]
    assert client.computes.list(type="kubernetes") == []
    with pytest.raises(SpecError, match="unknown key `max_nodes`"):
        client.computes.update("cpu", max_nodes=3)
    client.datastores.create({"name": "d", "type": "azure_blob", "account_name": "a", "container_name": "c"})
    client.connections.create({"name": "g", "type": "git", "target": "https://example.com"})
    assert client.connections.get("g")["spec"]["target"] == "https://example.com"
    with pytest.raises(ModelyardError) as error:
        client.data.create({"name": "x", "type": "uri_file", "path": "azureml://datastores/dd/paths/a.csv"})
    assert (error.value.status, error.value.code) == (404, "datastore_not_found")
    client.computes.delete("cpu")
    assert client.computes.list() == []


def test_what_is_said_of_a_job(client: Client) -> None:
    client.jobs.create({"type": "command", "command": "ls", "environment": {"image": "python"}}, name="j")
    changed = client.jobs.update("j", display_name="first", experiment_name="delays", tags={"a": "b"})
    assert (changed["display_name"], changed["experiment_name"], changed["tags"]) == ("first", "delays", {"a": "b"})
    client.jobs.cancel("j")
    assert client.jobs.archive("j")["archived"]
    assert client.jobs.list() == []
    assert [job["name"] for job in client.jobs.list(archived="only")] == ["j"]
    assert not client.jobs.restore("j")["archived"]


async def test_the_asynchronous_client_has_them_too(platform: Platform) -> None:
    async with AsyncClient(platform.url, TOKEN) as client:
        await client.computes.create(COMPUTE)
        assert (await client.computes.update("cpu", max_instances=2))["spec"]["max_instances"] == 2
        assert [one["name"] for one in await client.datastores.list()] == ["workspaceblobstore"]
        await client.jobs.create({"type": "command", "command": "ls", "environment": {"image": "python"}}, name="j")
        await client.jobs.update("j", description="d")
        await client.jobs.cancel("j")
        await client.jobs.archive("j")
        assert await client.jobs.list() == []
