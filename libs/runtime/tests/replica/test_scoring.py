"""Scoring over HTTP: what is right is answered, what is wrong is refused with its place, and the replica lives on."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

ROW = [5.1, 3.5, 1.4, 0.2]
NAMES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]


def split(data: Any, columns: Any = NAMES, **more: Any) -> Any:
    return {"input_data": {"columns": columns, "data": data, **more}}


@pytest.mark.parametrize(
    "body",
    [
        split([ROW, [6.7, 3.0, 5.2, 2.3]]),
        split([ROW, [6.7, 3.0, 5.2, 2.3]], index=[7, 8]),
        split([ROW[::-1], [2.3, 5.2, 3.0, 6.7]], NAMES[::-1]),
        {"input_data": [dict(zip(NAMES, ROW, strict=True)), dict(zip(NAMES[::-1], [2.3, 5.2, 3.0, 6.7], strict=True))]},
        {"input_data": [ROW, [6.7, 3, 5.2, 2.3]]},
    ],
    ids=["split", "index", "other order", "records", "rows"],
)
def test_score_answers_a_list_of_predictions(matrix: Any, body: Any) -> None:
    assert matrix.client.score(body) == (200, [0, 2])


def test_columns_of_three_types(columns: Any, specs: Any) -> None:
    status, [prediction] = columns.client.score({"input_data": [specs.flight]})
    assert status == 200
    assert isinstance(prediction, float)
    whole = columns.client.score(
        {"input_data": {"columns": ["carrier", "distance", "hour"], "data": [["UA", 1400.5, 17.0]]}}
    )
    assert whole == (200, [prediction]), "17.0 is a whole number"
    status, [unknown, missing] = columns.client.score(
        {"input_data": [specs.flight | {"carrier": "??"}, specs.flight | {"distance": None}]}
    )
    assert status == 200
    assert unknown != prediction
    assert missing is None, "a missing number gives no prediction"


BAD = [
    (b"{", "invalid_json", ""),
    (b"", "invalid_json", ""),
    (b"\xff\xfe", "invalid_json", ""),
    ([], "invalid_input", "input_data"),
    ({"data": [ROW]}, "invalid_input", "input_data"),
    ({"input_data": "text"}, "invalid_input", "input_data"),
    ({"input_data": []}, "no_rows", "input_data"),
    ({"input_data": [1, 2]}, "invalid_input", "input_data"),
    ({"input_data": [ROW, dict(zip(NAMES, ROW, strict=True))]}, "invalid_input", "input_data"),
    ({"input_data": {"columns": NAMES}}, "invalid_input", "input_data.data"),
    (split([]), "no_rows", "input_data.data"),
    (split([ROW, 5]), "wrong_shape", "input_data.data[1]"),
    (split([ROW, ROW[:3]]), "wrong_shape", "input_data.data[1]"),
    (split([ROW[:3]], NAMES[:3]), "missing_column", "input_data.columns"),
    (split([[*ROW, 1.0]], [*NAMES, "colour"]), "unknown_column", "input_data.columns"),
    (split([[*ROW, 1.0]], [*NAMES, NAMES[0]]), "duplicate_column", "input_data.columns"),
    (split([ROW], [1, 2, 3, 4]), "unknown_column", "input_data.columns"),
    (split([ROW], [[], [], [], []]), "invalid_input", "input_data.columns"),
    (split([ROW], index=[1, 2]), "invalid_input", "input_data.index"),
    (split([ROW, [5.1, "3.5", 1.4, 0.2]]), "wrong_type", "input_data.data[1][1]"),
    (split([[True, 3.5, 1.4, 0.2]]), "wrong_type", "input_data.data[0][0]"),
    (split([[{}, 3.5, 1.4, 0.2]]), "wrong_type", "input_data.data[0][0]"),
    (split([["x", 1.4, 3.5, 5.1]], NAMES[::-1]), "wrong_type", "input_data.data[0][0]"),
    ({"input_data": [{"sepal_length": 1.0}]}, "missing_column", "input_data[0]"),
    ({"input_data": [dict.fromkeys([*NAMES[:3], "colour"], 1.0)]}, "unknown_column", "input_data[0]"),
    ({"input_data": [dict.fromkeys(NAMES, "a")]}, "wrong_type", "input_data[0].sepal_length"),
]


@pytest.mark.parametrize(("body", "code", "path"), BAD)
def test_bad_input_is_refused_with_its_place(matrix: Any, body: Any, code: Any, path: Any) -> None:
    status, problem, headers = matrix.client.send("POST", "/score", body)
    assert (status, problem["code"], problem["path"]) == (400, code, path)
    assert headers["content-type"] == "application/problem+json"
    assert matrix.client.score(split([ROW])) == (200, [0])


@pytest.mark.parametrize(
    ("change", "path", "says"),
    [
        ({"hour": 17.5}, "input_data[0].hour", "a whole number"),
        ({"hour": None}, "input_data[0].hour", "a whole number"),
        ({"hour": 2**63}, "input_data[0].hour", "a whole number"),
        ({"hour": "17"}, "input_data[0].hour", "a whole number"),
        ({"carrier": 4}, "input_data[0].carrier", "a text"),
        ({"carrier": None}, "input_data[0].carrier", "a text"),
        ({"distance": "far"}, "input_data[0].distance", "a number or null"),
    ],
)
def test_a_column_refuses_other_types(columns: Any, specs: Any, change: Any, path: Any, says: Any) -> None:
    status, problem = columns.client.score({"input_data": [specs.flight | change]})
    assert (status, problem["path"]) == (400, path)
    assert says in problem["detail"]


def test_numbers_too_large_for_float32_are_refused(matrix: Any) -> None:
    status, problem = matrix.client.score(split([[1.0, -1e300, 1.0, 1.0]]))
    assert (status, problem["path"]) == (400, "input_data.data[0][1]")
    assert matrix.client.send("POST", "/v2/models/iris/infer", v2(data=[1.0, -1e300, 1.0, 1.0]))[0] == 400


def test_answers_say_which_deployment_and_request(matrix: Any) -> None:
    _, _, headers = matrix.client.send("POST", "/score", split([ROW]), {"X-Request-Id": "abc-1"})
    assert headers["azureml-model-deployment"] == "blue"
    assert headers["x-request-id"] == "abc-1"
    own = {matrix.client.send("POST", "/score", split([ROW]))[2]["x-request-id"] for _ in range(3)}
    assert len(own) == 3


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/score", 405),
        ("PUT", "/score", 405),
        ("POST", "/metrics", 405),
        ("GET", "/nope", 404),
        ("POST", "/../score", 404),
    ],
)
def test_routes_that_are_not_there(matrix: Any, method: Any, path: Any, status: Any) -> None:
    assert matrix.client.send(method, path, b"")[0] == status


def test_a_body_at_the_bound_passes_and_above_is_413(matrix: Any) -> None:
    body = json.dumps(split([ROW])).encode()
    assert matrix.client.score(body + b" " * (64 * 1024 - len(body)))[0] == 200
    assert matrix.client.score(body + b" " * (64 * 1024 - len(body) + 1))[0] == 413
    assert matrix.client.score(b" " * 5_000_000)[0] == 413
    assert matrix.client.score(split([ROW])) == (200, [0])


def test_v2_inference(matrix: Any, columns: Any) -> None:
    request = {
        "id": "q1",
        "inputs": [{"name": "X", "shape": [2, 4], "datatype": "FP32", "data": [*ROW, 6.7, 3.0, 5.2, 2.3]}],
        "outputs": [{"name": "probabilities"}],
    }
    status, answer, _ = matrix.client.send("POST", "/v2/models/iris/infer", request)
    assert status == 200
    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("iris", "3", "q1")
    [output] = answer["outputs"]
    assert (output["name"], output["shape"], output["datatype"]) == ("probabilities", [2, 3], "FP32")
    assert np.allclose(np.array(output["data"]).reshape(2, 3).sum(axis=1), 1.0)
    request = {
        "inputs": [
            {"name": "distance", "shape": [1], "datatype": "FP32", "data": [1400.5]},
            {"name": "hour", "shape": [1, 1], "datatype": "INT64", "data": [[17]]},
            {"name": "carrier", "shape": [1], "datatype": "BYTES", "data": ["UA"]},
        ]
    }
    status, answer, _ = columns.client.send("POST", "/v2/models/delay/versions/1/infer", request)
    assert (status, answer["outputs"][0]["shape"]) == (200, [1, 1])


def v2(**change: Any) -> Any:
    return {"inputs": [{"name": "X", "shape": [1, 4], "datatype": "FP32", "data": ROW} | change]}


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"[", ""),
        ({}, "inputs"),
        ({"inputs": []}, "inputs"),
        ({"inputs": [3]}, "inputs[0].name"),
        (v2(name="Y"), "inputs[0].name"),
        (v2(datatype="FP64"), "inputs[0].datatype"),
        (v2(shape=[1, 5]), "inputs[0].shape"),
        (v2(shape=[4]), "inputs[0].shape"),
        (v2(shape=[-1, 4]), "inputs[0].shape"),
        (v2(shape="1"), "inputs[0].shape"),
        (v2(data=ROW[:3]), "inputs[0].data"),
        (v2(data="x"), "inputs[0].data"),
        (v2(data=[1, 2, None, 4]), "inputs[0].data[2]"),
        (v2() | {"outputs": [{"name": "nope"}]}, "outputs[0].name"),
        (v2() | {"outputs": "all"}, "outputs"),
        (v2() | {"id": 5}, "id"),
        ({"inputs": v2()["inputs"] * 2}, "inputs[1].name"),
    ],
)
def test_v2_bad_input(matrix: Any, body: Any, path: Any) -> None:
    status, problem, _ = matrix.client.send("POST", "/v2/models/iris/infer", body)
    assert (status, problem["path"]) == (400, path)
    assert problem["error"] == problem["detail"]


def test_v2_metadata_and_health(matrix: Any) -> None:
    assert matrix.client.send("GET", "/v2/health/live")[:2] == (200, {"live": True})
    assert matrix.client.send("GET", "/v2/health/ready")[:2] == (200, {"ready": True})
    status, about, _ = matrix.client.send("GET", "/v2/models/iris")
    assert (status, about["versions"], about["platform"]) == (200, ["3"], "onnx_onnxv1")
    assert about["inputs"] == [{"name": "X", "datatype": "FP32", "shape": [-1, 4]}]
    assert matrix.client.send("GET", "/v2/models/iris/ready")[0] == 200
    assert matrix.client.send("GET", "/v2/models/other")[0] == 404


def test_a_large_body_is_scored_beside_the_loop(start: Any, specs: Any) -> None:
    started = start(specs.matrix())
    assert started.client.score(split([ROW] * 20_000)) == (200, [0] * 20_000)


def test_metrics_count_requests(matrix: Any) -> None:
    matrix.client.score(split([ROW]))
    matrix.client.score(b"{")
    text = matrix.client.send("GET", "/metrics")[1]
    assert 'modelyard_replica_requests_total{status="400"} 1' in text
    assert 'modelyard_replica_requests_total{status="200"} 2' in text, "the warm-up and this one"
    assert "modelyard_replica_in_flight 0" in text


def test_a_file_that_is_no_model_is_a_clear_error(trees: Any, start: Any, specs: Any) -> None:
    (trees / ("a" * 64) / "broken.onnx").write_bytes(b"nonsense")
    spec = specs.matrix()
    with pytest.raises(ValueError, match=r"broken\.onnx is no ONNX model"):
        start(spec.model_copy(update={"model": spec.model.model_copy(update={"onnx_file": "broken.onnx"})}))
