"""What is in versions of data: profiles, rows, differences, MLTables, and data that stays outside."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from modelyard_platform import trees
from modelyard_platform.objects import ObjectStore
from modelyard_platform.trees import Tree
from modelyard_testing.conditions import eventually
from modelyard_testing.web import Page, WebServer, serving
from registry.settings import Settings

BASE = "/api/v1/data"


@pytest.fixture
def web() -> Iterator[WebServer]:
    with serving() as server:
        yield server


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    (tmp_path / "shared").mkdir()
    outside = {"external_hosts": ("127.0.0.1",), "external_folders": (tmp_path / "shared",)}
    return settings.model_copy(update=outside)


def stored(store: ObjectStore, folder: Path, files: Mapping[str, str | bytes]) -> Tree:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content if isinstance(content, bytes) else content.encode())
    return trees.upload(store, folder)


async def register(
    api: httpx.AsyncClient,
    store: ObjectStore,
    folder: Path,
    files: Mapping[str, str | bytes],
    name: str = "d",
    **spec: Any,
) -> httpx.Response:
    tree = stored(store, folder, files)
    body = {"spec": {"name": name, "type": "uri_folder", "path": f"{trees.SCHEME}{tree.digest}"} | spec}
    return await api.post(BASE, json=body)


async def profiled(api: httpx.AsyncClient, name: str, version: str) -> dict[str, Any]:
    async def done() -> Any:
        return (await api.get(f"{BASE}/{name}/versions/{version}")).json()["profile"]

    found: dict[str, Any] = await eventually(done)
    return found


def numbers(rows: int, mean: float, *, carrier: str = "UA", seed: int = 7) -> str:
    generator = np.random.default_rng(seed)
    delays = generator.normal(mean, 10, rows).round(2)
    return "delay,carrier\n" + "".join(f"{delay},{carrier if at % 2 else 'DL'}\n" for at, delay in enumerate(delays))


async def test_a_profile_reads_as_a_document(api: httpx.AsyncClient, store: ObjectStore, tmp_path: Path) -> None:
    rows = numbers(1_000, 5) + ",\n"
    assert (await register(api, store, tmp_path / "a", {"a.csv": rows})).status_code == 201
    await profiled(api, "d", "1")
    document = (await api.get(f"{BASE}/d/versions/1/profile")).json()
    assert document["rows"] == 1_001
    delay, carrier = document["columns"]["delay"], document["columns"]["carrier"]
    assert (delay["type"], delay["count"], delay["missing"]) == ("numeric", 1_000, 1)
    assert len(delay["histogram"]["edges"]) == len(delay["histogram"]["counts"]) + 1
    assert sum(delay["histogram"]["counts"]) == 1_000
    assert delay["histogram"]["edges"][0] == delay["min"]
    assert delay["distinct"] == len({line.partition(",")[0] for line in rows.splitlines()[1:-1]})
    assert delay["quantiles"]["0.01"] < delay["quantiles"]["0.5"] < delay["quantiles"]["0.99"]
    assert carrier["top"] == [{"value": "DL", "count": 500}, {"value": "UA", "count": 500}]
    assert (await api.get(f"{BASE}/d/versions/9/profile")).status_code == 404


async def test_two_versions_are_compared_by_one_call(
    api: httpx.AsyncClient, store: ObjectStore, tmp_path: Path
) -> None:
    table = numbers(2_000, 5)
    more = "\n".join(
        f"{line},{'seats' if at == 0 else at}" for at, line in enumerate(numbers(3_000, 25, carrier="B6").splitlines())
    )
    await register(api, store, tmp_path / "a", {"a.csv": table, "notes.txt": "old", "same.txt": "x"})
    await register(api, store, tmp_path / "b", {"a.csv": more, "new.txt": "n", "same.txt": "x"})
    await register(api, store, tmp_path / "c", {"a.csv": table}, name="other")
    for name, version in (("d", "1"), ("d", "2"), ("other", "1")):
        await profiled(api, name, version)

    answer = await api.get(f"{BASE}/d/diff", params={"from": "1", "to": "@latest"})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["files"]["counts"] == {"added": 1, "removed": 1, "changed": 1, "unchanged": 1}
    assert (found["files"]["added"], found["files"]["removed"]) == (["new.txt"], ["notes.txt"])
    assert found["table"]["rows"] == {"from": 2_000, "to": 3_000, "change": 1_000}
    assert found["table"]["schema"]["added"] == [{"name": "seats", "type": "numeric"}]
    assert found["table"]["drifted"] == ["delay", "carrier"]
    delay, carrier = found["table"]["columns"]
    assert delay["verdict"] == "drifted"
    assert delay["drift"]["value"] == pytest.approx(2.0, abs=0.15)  # 20 minutes, in standard deviations of 10
    assert delay["effect_size"] == {"measure": "cohens_d", "value": pytest.approx(2.0, abs=0.15)}
    assert carrier["effect_size"]["measure"] == "cohens_w"
    assert delay["distinct"]["from"] > 1_000

    same = (await api.get(f"{BASE}/d/diff", params={"from": "1", "to": "other:1"})).json()
    assert (same["to"]["name"], same["table"]["drifted"]) == ("other", [])
    assert same["table"]["columns"][0]["verdict"] == "same"
    itself = (await api.get(f"{BASE}/d/diff", params={"from": "1", "to": "1"})).json()
    assert itself["identical"]
    assert (await api.get(f"{BASE}/d/diff", params={"from": "7"})).status_code == 404
    assert (await api.get(f"{BASE}/d/diff", params={"to": "1"})).status_code == 400


async def test_a_column_that_changes_its_type_is_told(
    api: httpx.AsyncClient, store: ObjectStore, tmp_path: Path
) -> None:
    await register(api, store, tmp_path / "a", {"a.csv": "x\n1\n2\n"})
    await register(api, store, tmp_path / "b", {"a.csv": "x\none\ntwo\n"})
    await register(api, store, tmp_path / "c", {"a.bin": b"\0"})
    for version in ("1", "2", "3"):
        await profiled(api, "d", version)
    found = (await api.get(f"{BASE}/d/diff", params={"from": "1", "to": "2"})).json()
    assert found["table"]["schema"]["retyped"] == [{"name": "x", "from": "numeric", "to": "categorical"}]
    assert found["table"]["columns"][0]["verdict"] == "not compared"
    none = (await api.get(f"{BASE}/d/diff", params={"from": "1", "to": "3"})).json()
    assert none["table"] is None
    assert "no CSV, Parquet or JSON lines" in none["notes"][0]


async def test_rows_of_every_format(api: httpx.AsyncClient, store: ObjectStore, tmp_path: Path) -> None:
    table = pa.table({"n": list(range(5_000)), "t": pa.array([0] * 5_000, pa.timestamp("s")), "s": ["é"] * 5_000})
    pa.parquet.write_table(table, tmp_path / "p.parquet", row_group_size=1_000)
    files: dict[str, str | bytes] = {
        "a.csv": "n,s\n" + "".join(f"{n},é\n" for n in range(5_000)),
        "b.parquet": (tmp_path / "p.parquet").read_bytes(),
        "c.jsonl": "".join(json.dumps({"n": n, "deep": {"x": [n]}}) + "\n" for n in range(5_000)),
        "d.txt": "no table",
    }
    await register(api, store, tmp_path / "a", files)
    at = f"{BASE}/d/versions/@latest/rows"
    first = (await api.get(at, params={"limit": 2})).json()
    assert (first["file"], first["rows"], first["next"]) == ("a.csv", [[0, "é"], [1, "é"]], 2)
    assert first["columns"] == [{"name": "n", "type": "int64"}, {"name": "s", "type": "string"}]
    late = (await api.get(at, params={"file": "b.parquet", "offset": 4_998, "limit": 10})).json()
    assert late["rows"] == [[4_998, "1970-01-01T00:00:00", "é"], [4_999, "1970-01-01T00:00:00", "é"]]
    assert late["next"] is None
    middle = (await api.get(at, params={"file": "b.parquet", "offset": 1_500, "limit": 1})).json()
    assert (middle["rows"][0][0], middle["next"]) == (1_500, 1_501)
    lines = (await api.get(at, params={"file": "c.jsonl", "offset": 3, "limit": 1})).json()
    assert lines["rows"] == [[3, {"x": [3]}]]
    past = (await api.get(at, params={"offset": 9_999})).json()
    assert (past["rows"], past["next"]) == ([], None)

    for params, status in (
        ({"file": "d.txt"}, 400),
        ({"file": "../a.csv"}, 404),
        ({"limit": 1_001}, 400),
        ({"offset": -1}, 400),
    ):
        assert (await api.get(at, params=params)).status_code == status


@pytest.mark.parametrize(
    ("path", "content", "line"),
    [
        ("a.csv", "x,y\n1,2\n1,2,3\n", 3),
        ("a.parquet", "no parquet at all", None),
        ("a.jsonl", '{"x": 1}\n{"x": \n', 2),
        ("a.csv", "", None),
    ],
)
async def test_broken_files_are_a_clear_error(
    api: httpx.AsyncClient, store: ObjectStore, tmp_path: Path, path: str, content: str, line: int | None
) -> None:
    await register(api, store, tmp_path / "a", {path: content})
    answer = await api.get(f"{BASE}/d/versions/1/rows")
    assert answer.status_code == 400, answer.text
    assert answer.json()["code"] == "data_unreadable"
    assert path in answer.json()["detail"]
    assert answer.json().get("line") == line
    assert (await profiled(api, "d", "1"))["status"] == "failed"


MLTABLE = """
type: mltable
paths:
  - pattern: ./parts/*.csv
transformations:
  - read_delimited:
      delimiter: ";"
  - filter: 'col("delay") > 0'
  - keep_columns: [delay, day]
  - convert_column_types:
      - columns: day
        column_type: {datetime: {formats: "%d.%m.%Y"}}
"""


async def test_an_mltable_is_profiled_shown_and_compared(
    api: httpx.AsyncClient, store: ObjectStore, tmp_path: Path
) -> None:
    files: dict[str, str | bytes] = {
        "MLTable": MLTABLE,
        "parts/1.csv": "delay;carrier;day\n5;UA;01.02.2013\n-1;UA;01.02.2013\n",
        "parts/2.csv": "delay;carrier;day\n7;DL;02.02.2013\n",
        "elsewhere.csv": "not;read\n",
    }
    answer = await register(api, store, tmp_path / "a", files, type="mltable")
    assert answer.status_code == 201, answer.text
    rows = (await api.get(f"{BASE}/d/versions/1/rows")).json()
    assert rows["file"] == "MLTable"
    assert rows["rows"] == [[5, "2013-02-01T00:00:00"], [7, "2013-02-02T00:00:00"]]
    profile = await profiled(api, "d", "1")
    assert (profile["rows"], profile["columns"]) == (2, 2), profile
    assert (await api.get(f"{BASE}/d/versions/1/profile")).json()["columns"]["day"]["type"] == "timestamp"


@pytest.mark.parametrize(
    ("mltable", "line", "message"),
    [
        ("paths:\n  - file: ./a.csv\n  - file: ./absent.csv\n", 3, "nothing at file 'absent.csv'"),
        ("paths:\n  - folder: ../up\n", 2, "leads out"),
        ("paths:\n  - file: https://example.com/a.csv\n", 2, "outside"),
        (
            "paths:\n  - file: a.csv\ntransformations:\n  - read_delta_lake:\n      version_as_of: 1\n",
            4,
            "read_delta_lake is not supported",
        ),
        (
            "paths:\n  - file: a.csv\ntransformations:\n  - read_delimited\n  - explode: x\n",
            5,
            "unknown transformation 'explode'",
        ),
        ("paths:\n  - file: &a a.csv\n  - file: *a\n", 3, "anchors"),
        ("paths: [", None, "not YAML"),
        (None, None, "needs a file called MLTable"),
    ],
)
async def test_an_mltable_is_checked_when_it_is_registered(
    api: httpx.AsyncClient, store: ObjectStore, tmp_path: Path, mltable: str | None, line: int | None, message: str
) -> None:
    files = {"a.csv": "x\n1\n"} | ({"MLTable": mltable} if mltable is not None else {})
    answer = await register(api, store, tmp_path / "a", files, type="mltable")
    assert answer.status_code == 400, answer.text
    assert message in answer.json()["detail"]
    if line is not None:
        assert answer.json()["line"] == line
    assert (await api.get(BASE)).json()["items"] == []


async def test_data_outside_is_recorded_read_and_checked(api: httpx.AsyncClient, web: WebServer) -> None:
    web.pages["/rows.csv"] = Page(b"x,y\n1,a\n2,b\n", etag='"v1"')
    spec = {"name": "o", "type": "uri_file", "path": web.url("/rows.csv")}
    made = await api.post(BASE, json={"spec": spec})
    assert made.status_code == 201, made.text
    assert made.json()["tree"] is None
    assert (made.json()["external"]["etag"], made.json()["external"]["size"]) == ('"v1"', 12)
    assert (await profiled(api, "o", "1"))["rows"] == 2
    assert (await api.get(f"{BASE}/o/versions/1/rows")).json()["rows"] == [[1, "a"], [2, "b"]]
    checked = await api.post(f"{BASE}/o/versions/1/check")
    assert (checked.status_code, checked.json()["status"]) == (200, "unchanged")

    web.pages["/rows.csv"] = Page(b"x,y\n9,a\n", etag='"v2"')
    for answer in (await api.post(f"{BASE}/o/versions/1/check"), await api.get(f"{BASE}/o/versions/1/rows")):
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (412, "external_changed")
        assert (problem["recorded"]["etag"], problem["now"]["etag"]) == ('"v1"', '"v2"')
    del web.pages["/rows.csv"]
    assert (await api.post(f"{BASE}/o/versions/1/check")).status_code == 404


async def test_files_of_a_named_folder_may_stay_there(api: httpx.AsyncClient, tmp_path: Path) -> None:
    (tmp_path / "shared" / "a.csv").write_text("x\n1\n")
    (tmp_path / "secret.csv").write_text("x\n1\n")
    spec = {"name": "f", "type": "uri_file", "path": f"file://{tmp_path}/shared/a.csv"}
    made = await api.post(BASE, json={"spec": spec})
    assert made.status_code == 201, made.text
    assert made.json()["external"]["url"] == spec["path"]
    assert len(made.json()["external"]["sha256"]) == 64
    refused = await api.post(BASE, json={"spec": spec | {"path": f"file://{tmp_path}/secret.csv"}})
    assert (refused.status_code, refused.json()["code"]) == (403, "external_forbidden")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("http://localhost:1/a.csv", 403, "external_forbidden"),
        ("http://169.254.169.254/latest/meta-data", 403, "external_forbidden"),
        ("http://127.0.0.1:1/a.csv", 412, "external_unavailable"),
        ("https://no-such-host.invalid/a.csv", 400, "external_unknown_host"),
        ("s3://bucket/a.csv", 403, "external_forbidden"),
    ],
)
async def test_what_cannot_be_looked_at_is_not_registered(
    api: httpx.AsyncClient, path: str, status: int, code: str
) -> None:
    answer = await api.post(BASE, json={"spec": {"name": "o", "type": "uri_file", "path": path}})
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert (await api.get(BASE)).json()["items"] == []


async def test_azure_storage_is_kept_as_an_address(api: httpx.AsyncClient) -> None:
    path = "wasbs://container@account.blob.core.windows.net/a.csv"
    made = (await api.post(BASE, json={"spec": {"name": "w", "type": "uri_file", "path": path}})).json()
    assert (made["external"]["checked"], made["profile"]) == (False, None)
    assert "not checked" in made["external"]["note"]
    assert (await api.post(f"{BASE}/w/versions/1/check")).json()["status"] == "unchecked"
    assert (await api.get(f"{BASE}/w/versions/1/rows")).status_code == 400
