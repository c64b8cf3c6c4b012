from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from modelyard import Client
from modelyard_testing.stacks import Stack
from tests.made import deployment, sum_model
from tests.on_stack import the_only_stack
from tests.scoring import Endpoint


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with the_only_stack(tmp_path_factory, "journeys") as stack:
        yield stack


@pytest.fixture(scope="package")
def sums_blue(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The endpoint `sums`: its deployment `blue` answers a + b."""
    folder: Path = tmp_path_factory.mktemp("model")
    with Client(stack.document()["url"], stack.layout.owner_token()) as client:
        client.models.create({"name": "sum", "version": "1", "type": "custom_model", "path": str(sum_model(folder))})
        client.endpoints.create({"name": "sums", "auth_mode": "key"})
        collected = {"collections": {"model_inputs": {"enabled": "true"}, "model_outputs": {"enabled": "true"}}}
        spec = deployment("sums", "blue", model="azureml:sum:1", data_collector=collected)
        found = client.deployments.create(spec, all_traffic=True, timeout_s=120)
        assert found["status"] == "ready", found["detail"]


@pytest.fixture
def sums(client: Client, sums_blue: None) -> Iterator[Endpoint]:
    """That endpoint, as its callers see it."""
    endpoint = Endpoint(client, "sums")
    yield endpoint
    endpoint.close()
