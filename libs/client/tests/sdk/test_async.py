import ast
import asyncio
import inspect
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from libs.client.tests.conftest import TOKEN, Platform

import modelyard.aio
from modelyard import AsyncClient, Client, ModelyardError
from modelyard.errors import DownloadError, UnreachableError
from modelyard_specs import SpecError
from modelyard_testing.stacks import eventually

Write = Callable[[dict[str, str]], Path]

JOB = """
type: command
code: src
command: python say.py > ${{outputs.said}}/said.txt
environment: {image: python, conda_file: {dependencies: [python=3.11]}}
outputs: {said: {type: uri_folder}}
"""


async def test_versions_are_registered_found_and_fetched(platform: Platform, write: Write, tmp_path: Path) -> None:
    spec = write({"model/weights.bin": "w", "model.yml": "name: m\npath: model\n"})
    async with AsyncClient(platform.url, TOKEN, reason="trained", retry_s=20) as client:
        assert (await client.whoami())["role"] == "owner"
        made = await asyncio.gather(*(client.models.create(spec, tags={"of": str(n)}) for n in range(5)))
        assert sorted(one["version"] for one in made) == ["1", "2", "3", "4", "5"]
        assert [one["version"] for one in await client.models.list("m")] == ["5", "4", "3", "2", "1"]
        await client.models.set_alias("m", "champion", "2")
        folder = await client.models.download("m", label="champion", target=tmp_path / "got")
        assert (folder / "model/weights.bin").read_text() == "w"
        with pytest.raises(ModelyardError, match="versions that exist") as refused:
            await client.models.get("m", "9")
        assert refused.value.status == 404
        with pytest.raises(SpecError, match="does not exist"):
            await client.models.create({"name": "n", "path": str(tmp_path / "nowhere")})
        with pytest.raises(DownloadError):
            await client.specs.trees.download([{"path": "../x", "sha256": "0" * 64, "size": 1}], tmp_path / "out")
        await client.models.delete("m", "5")
        assert [one["version"] async for one in pages(client, 2)] == ["4", "3", "2", "1"]


def pages(client: AsyncClient, size: int) -> Any:
    return client._http.pages("models/m/versions", limit=size * 2)


async def test_a_job_is_streamed_through_a_restart(platform: Platform, write: Write, tmp_path: Path) -> None:
    write({"src/say.py": "print('hello')\n"})
    async with AsyncClient(platform.url, TOKEN, retry_s=20) as client:
        await client.jobs.create(write({"job.yml": JOB}), name="say-1")
        with Client(platform.url, TOKEN) as looking:
            await asyncio.to_thread(
                eventually, lambda: [one for one in looking.jobs.steps("say-1") if one["status"] == "queued"]
            )
        [step] = await client.jobs.steps("say-1")
        await asyncio.to_thread(platform.report, step["id"], 1, "started", {"node": "here"})
        await asyncio.to_thread(platform.log, "say-1", step["name"], "one\n")
        chunks = client.jobs.stream("say-1")
        seen = (await anext(chunks)).text
        await asyncio.to_thread(platform.gateway.stop)
        await asyncio.to_thread(platform.gateway.start)
        await asyncio.to_thread(platform.log, "say-1", step["name"], "two\n")
        while "two" not in seen:
            seen += (await anext(chunks)).text
        tree = await client.specs.trees.upload(write({"said/said.txt": "hello\n"}).parent)
        result = {"status": "completed", "seconds": 0.1, "outputs": {"said": tree}}
        await asyncio.to_thread(platform.report, step["id"], 1, "finished", result)
        async for chunk in chunks:
            seen += chunk.text
        assert seen == "one\ntwo\n"
        assert (await client.jobs.wait("say-1", timeout_s=30))["status"] == "completed"
        folder = await client.jobs.download("say-1", target=tmp_path / "got")
        assert (folder / "said" / "said.txt").read_text() == "hello\n"


async def test_it_does_not_wait_for_ever() -> None:
    async with AsyncClient("http://127.0.0.1:9", TOKEN, retry_s=0.3) as client:
        with pytest.raises(UnreachableError, match="does not answer"):
            await client.models.list()


def operations(module: str, name: str) -> dict[str, list[str]]:
    """Public methods of a class with their parameters."""
    made = getattr(import_module(module), name)
    found = inspect.getmembers(made, inspect.isfunction)
    return {method: list(inspect.signature(one).parameters) for method, one in found if not method.startswith("_")}


def classes() -> Iterator[tuple[str, str]]:
    """Every class of the asynchronous SDK."""
    folder = Path(modelyard.aio.__file__).parent
    for path in sorted(folder.glob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and path.stem != "specs":
                yield path.stem, node.name


def test_both_clients_have_the_same_operations() -> None:
    assert len(list(classes())) > 10
    for module, name in classes():
        original = "modelyard.client" if module == "client" else f"modelyard.api.{module}"
        same = operations(original, name.removeprefix("Async"))
        assert operations(f"modelyard.aio.{module}", name) == same
    with Client("http://127.0.0.1:9", "t") as client:
        parts = {name for name in vars(client) if not name.startswith("_")}
    assert parts == {name for name in vars(AsyncClient("http://127.0.0.1:9", "t")) if not name.startswith("_")}


def test_what_is_generated_is_up_to_date() -> None:
    root = Path(modelyard.aio.__file__).parents[5]
    check = [sys.executable, "-m", "libs.client.generate_async", "--check"]
    done = subprocess.run(check, capture_output=True, text=True, check=False, cwd=root)
    assert (done.returncode, done.stderr) == (0, "")
