"""Made-up models, code and specifications: as small as the journeys allow."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

PYTHON_3_11 = {"image": "python:3.11"}
"""An environment with nothing in it, which needs no package index."""


def sum_model(folder: Path, *, plus: float = 0.0) -> Path:
    """A real ONNX model of two columns: `prediction = a + b + plus`."""
    from onnx import TensorProto, checker, helper, save

    def column(name: str) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1])

    nodes = [
        helper.make_node("Constant", [], ["plus"], value_float=plus),
        helper.make_node("Sum", ["a", "b", "plus"], ["prediction"]),
    ]
    graph = helper.make_graph(nodes, "sum", [column("a"), column("b")], [column("prediction")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    checker.check_model(model)
    folder.mkdir(parents=True, exist_ok=True)
    save(model, folder / "model.onnx")
    return folder / "model.onnx"


def code(folder: Path, **files: str) -> Path:
    """A folder of Python files by their names without `.py`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(dedent(text))
    return folder


def deployment(endpoint: str, name: str, **more: Any) -> dict[str, Any]:
    """A deployment's specification."""
    return {"name": name, "endpoint_name": endpoint, "instance_type": "Standard_DS1_v2", "instance_count": 1} | more


def score_script(code: Path, environment: dict[str, Any]) -> dict[str, Any]:
    """What makes a deployment one of `score.py` in `code`."""
    return {"code_configuration": {"code": str(code), "scoring_script": "score.py"}, "environment": environment}


def command(code: Path, command: str, **more: Any) -> dict[str, Any]:
    """A command job's specification."""
    return {"type": "command", "code": str(code), "command": command, "environment": PYTHON_3_11} | more
