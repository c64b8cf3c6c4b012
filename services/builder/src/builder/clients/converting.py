"""The convert host: loads a model in its own environment and makes ONNX of it. The only place where a model is unpickled."""

from __future__ import annotations

import asyncio
import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from builder.errors import ConversionFailedError
from modelyard_runtime.hosts import convert_host
from modelyard_runtime.runner import command

_SAID: Final = 8000


@dataclass(frozen=True, slots=True)
class Converted:
    """A folder with `model.onnx` and `certificate.json`, and what the latter says."""

    folder: Path
    certificate: dict[str, Any]


async def convert(
    interpreter: Path, model: Path, sample: Path, folder: Path, *, rows: int, timeout_s: float
) -> Converted:
    """Run the host under the model's interpreter. It ends with this process, has a process group and a time limit, and finds
    none of this process's settings. Raises ConversionFailedError with the host's last line."""
    output = folder / "onnx"
    home = folder / "home"
    home.mkdir()
    said: list[str] = []
    end = await command.run(
        shlex.join(
            [str(interpreter), convert_host.__file__, "--model", str(model), "--sample", str(sample), "--output", str(output),
             "--rows", str(rows)]
        ),
        cwd=home,
        environment={"PATH": f"{interpreter.parent}:{command.SYSTEM_PATH}", "HOME": str(home), "TMPDIR": str(home), "LANG": "C.UTF-8"},
        timeout_s=timeout_s,
        sink=lambda _, chunk: said.append(chunk.decode(errors="replace")),
        canceled=asyncio.Event(),
    )  # fmt: skip
    if end.ended_by == "timeout":
        raise ConversionFailedError(f"the conversion did not end within {timeout_s:g} s")
    if end.exit_code != 0:
        lines = [line for line in "".join(said)[-_SAID:].splitlines() if line.strip()]
        raise ConversionFailedError(
            lines[-1] if lines else f"the conversion was ended by {end.signal or end.exit_code}"
        )
    return Converted(output, json.loads((output / "certificate.json").read_text()))
