"""Azure's curated environments and base images, as locked environments of our own.

Users' files name them and expect certain packages. `azureml-mlflow` is `mlflow-skinny` here: the tracking server is Modelyard's.
Source for sklearn-1.5: the published conda file (pandas ~=1.5.3, numpy ~=1.22, scipy ~=1.10, scikit-learn ~=1.5). Its Python 3.10
is the installation's own Python here, so that it can be made everywhere; pandas 1.5 has no files for Python 3.12.
"""

from __future__ import annotations

import re
from typing import Final

from builder.domain.requirements import Requirements, normalised
from builder.errors import EnvironmentInvalidError

SKLEARN: Final = "sklearn-1.5"

_CURATED: Final[dict[str, tuple[str | None, tuple[str, ...]]]] = {
    SKLEARN: (
        None,
        (
            "pandas~=1.5.3; python_version < '3.12'",
            "pandas>=2.1,<3; python_version >= '3.12'",
            "numpy~=1.22",
            "scipy~=1.10",
            "scikit-learn~=1.5.0",
            "joblib",
            "mlflow-skinny",
        ),
    ),
    "sklearn-1.0": (
        "3.8",
        ("pandas~=1.1", "numpy~=1.21", "scipy~=1.7", "scikit-learn~=1.0.0", "joblib", "mlflow-skinny"),
    ),
    "minimal": (None, ()),
}
_OS: Final = re.compile(r"-(ubuntu[\d.]+-)?(py\d+-)?(cpu|gpu|cuda[\d.]*)?(-inference)?$")
_PYTHON_IMAGE: Final = re.compile(r"^(?:docker\.io/)?(?:library/)?python:(3\.\d+)(?:[.-].*)?$")
_CURATED_IMAGE: Final = re.compile(r"^mcr\.microsoft\.com/azureml/curated/(?P<name>[\w.-]+)(?::.*)?$")
_BASE_IMAGE: Final = re.compile(r"^mcr\.microsoft\.com/azureml/(openmpi|minimal|base)[\w./-]*(:.*)?$")


def curated(name: str, default_python: str) -> Requirements | None:
    """The environment that stands for a curated name such as `AzureML-sklearn-1.5` or `sklearn-1.0-ubuntu20.04-py38-cpu`."""
    short = name.lower().removeprefix("azureml-")
    found = (
        _CURATED.get(short)
        or _CURATED.get(_OS.sub("", short))
        or (_CURATED["minimal"] if short.startswith("minimal-") else None)
    )
    return None if found is None else Requirements(found[0] or default_python, normalised(found[1]))


def curated_names() -> list[str]:
    """Those that are known."""
    return sorted(_CURATED)


def of_image(image: str, default_python: str) -> Requirements:
    """What an image alone stands for: a curated one, a bare Python. Raises EnvironmentInvalidError for any other."""
    if match := _PYTHON_IMAGE.match(image):
        return Requirements(match[1], ())
    if match := _CURATED_IMAGE.match(image):
        found = curated(match["name"], default_python)
        if found is not None:
            return found
    if _BASE_IMAGE.match(image):
        return Requirements(default_python, ())
    raise EnvironmentInvalidError(
        f"image: {image!r} would need a container; give its Python packages as conda_file beside the image. Images that need "
        f"none: python:3.x, Azure's base images, and the curated {', '.join(curated_names())}",
        path="image",
    )
