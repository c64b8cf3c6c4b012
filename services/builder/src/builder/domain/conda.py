"""Conda files read as requirements for PyPI.

Most of what data scientists ask conda for exists on PyPI under the same name; a few names differ, and what is no Python package
at all is refused by name. Source of the version syntax: conda's package match specification.
"""

from __future__ import annotations

import re
from typing import Any, Final

from packaging.utils import canonicalize_name

from builder.domain.requirements import Requirements, normalised, read_line
from builder.errors import EnvironmentInvalidError

_ON_PYPI: Final = {
    "pytorch": "torch",
    "pytorch-cpu": "torch",
    "matplotlib-base": "matplotlib",
    "py-xgboost": "xgboost",
    "py-lightgbm": "lightgbm",
    "py-opencv": "opencv-python-headless",
    "opencv": "opencv-python-headless",
    "tensorflow-cpu": "tensorflow",
    "seaborn-base": "seaborn",
    "dask-core": "dask",
    "python-graphviz": "graphviz",
    "msgpack-python": "msgpack",
}
_NOT_PYTHON: Final = frozenset({
    "blas", "compilers", "cudatoolkit", "cudnn", "ffmpeg", "gcc", "git", "graphviz", "gxx", "libblas", "libgcc", "libgcc-ng",
    "libsndfile", "libstdcxx-ng", "make", "mkl", "mpich", "nccl", "nodejs", "openblas", "openjdk", "openmpi", "openssl",
    "pytorch-cuda", "r-base",
})  # fmt: skip
_INSTALLERS: Final = frozenset({"pip", "setuptools", "wheel", "conda"})

_SPEC: Final = re.compile(r"^(?:[\w./-]+::)?(?P<name>[A-Za-z0-9_][\w.-]*)\s*(?:\[.*\])?\s*(?P<version>[^\[]*)$")
_CONSTRAINT: Final = re.compile(r"^(?P<operator>==|!=|>=|<=|~=|>|<|=)?\s*(?P<version>[0-9][\w.*+!-]*|\*)$")


def read_conda(document: dict[str, Any], default_python: str) -> Requirements:
    """The requirements of an inline conda file. Raises EnvironmentInvalidError naming the entry and what would do."""
    unknown = set(document) - {"name", "channels", "dependencies", "prefix", "variables"}
    if unknown:
        raise EnvironmentInvalidError(
            f"conda_file has no key {min(unknown)!r}; it has name, channels and dependencies", path="conda_file"
        )
    entries = document.get("dependencies")
    if not isinstance(entries, list):
        raise EnvironmentInvalidError("conda_file: dependencies is a list", path="conda_file.dependencies")
    python, lines, conda_names = default_python, [], set()
    for index, entry in enumerate(entries):
        path = f"conda_file.dependencies[{index}]"
        if isinstance(entry, dict):
            lines += _pip_lines(entry, path)
            continue
        name, constraints = _read_spec(entry, path)
        if name == "python":
            python = _python_of(constraints, default_python, path)
        elif name not in _INSTALLERS:
            if name in _NOT_PYTHON:
                raise EnvironmentInvalidError(
                    f"{path}: {name} is no Python package, and environments are made from PyPI; leave it out, and take "
                    "Python packages whose wheels bring what they need",
                    path=path,
                )
            pypi = _ON_PYPI.get(name, name)
            conda_names.add(pypi)
            lines.append(read_line(pypi + ",".join(constraints), path))
    return Requirements(python, normalised(lines), frozenset(conda_names))


def _pip_lines(entry: dict[str, Any], path: str) -> list[str]:
    lines = entry.get("pip")
    if set(entry) != {"pip"} or not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise EnvironmentInvalidError(f"{path}: a nested list is `pip:` and requirement lines", path=path)
    return [read_line(line, f"{path}.pip[{index}]") for index, line in enumerate(lines)]


def _read_spec(entry: object, path: str) -> tuple[str, list[str]]:
    """Name and PEP 440 constraints of one match specification, such as `numpy=1.21` or `conda-forge::pandas >=1.5,<2`."""
    match = _SPEC.match(entry.strip()) if isinstance(entry, str) else None
    if match is None:
        raise EnvironmentInvalidError(
            f"{path}: {entry!r} is no conda dependency; write for example numpy=1.21", path=path
        )
    text = match["version"].strip()
    pieces = [piece.strip() for piece in text.split(",")] if text else []
    constraints = []
    for piece in pieces:
        # `=1.21=py38_0` and `1.21 py38_0` name a build of conda's: the version is what counts here.
        version = re.sub(r"(?<=[\w*])(=|\s+)[\w*]+$", "", piece)
        found = _CONSTRAINT.match(version)
        if found is None:
            raise EnvironmentInvalidError(
                f"{path}: {piece!r} in {entry!r} is no version that PyPI knows; write for example >=1.2", path=path
            )
        if found["version"] != "*":
            constraints.append(_pep440(found["operator"] or "=", found["version"]))
    return canonicalize_name(match["name"]), constraints


def _pep440(operator: str, version: str) -> str:
    if operator != "=":
        return f"{operator}{version}"
    return f"=={version}" if version.endswith("*") or version.count(".") > 1 else f"=={version}.*"


def _python_of(constraints: list[str], default: str, path: str) -> str:
    if not constraints:
        return default
    for constraint in constraints:
        match = re.match(r"^(?:==|~=|>=|<=)(3\.\d+)", constraint)
        if match:
            return match[1]
    raise EnvironmentInvalidError(
        f"{path}: python {','.join(constraints)} names no minor version; write python=3.11", path=path
    )
