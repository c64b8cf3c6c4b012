"""uv's resolver, as a child process."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from contextlib import suppress
from typing import Final

from builder.domain.requirements import Requirements
from builder.errors import EnvironmentUnresolvableError
from modelyard_platform.errors import UnavailableError
from modelyard_runtime.environments import UNREACHABLE, Lock, uv_environment

_MISSING: Final = re.compile(r"[Bb]ecause ([\w.-]+) was not found in the package registry")
_SAID: Final = 4000


class Uv:
    """Finds the versions that fit together, with the hashes of their files."""

    def __init__(self, executable: str, *, timeout_s: float) -> None:
        self.executable = executable
        self._timeout_s = timeout_s

    async def lock(self, requirements: Requirements) -> Lock:
        """The lock of these requirements for this machine's platform.

        Raises EnvironmentUnresolvableError with the resolver's words; UnavailableError when the package index does not
        answer or the time is up.
        """
        # Reading the metadata of a package that has no wheel runs its build: without Modelyard's settings, in a group of its own.
        process = await asyncio.create_subprocess_exec(
            self.executable, "pip", "compile", "-", "--quiet", "--generate-hashes", "--no-header", "--no-annotate",
            "--python-version", requirements.python, "--no-python-downloads",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env=uv_environment(), start_new_session=True, cwd="/",
        )  # fmt: skip
        try:
            async with asyncio.timeout(self._timeout_s):
                locked, said = await process.communicate("\n".join(requirements.lines).encode())
        except TimeoutError:
            raise UnavailableError(
                f"the environment was not resolved within {self._timeout_s:g} s", code="lock_timeout"
            ) from None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            if process.returncode is None:
                await process.wait()
        if process.returncode:
            raise _refusal(requirements, said.decode(errors="replace").strip()[-_SAID:])
        return Lock(python=requirements.python, requirements=locked.decode())


def _refusal(requirements: Requirements, said: str) -> Exception:
    if any(sign in said for sign in UNREACHABLE):
        return UnavailableError(f"the package index cannot be reached:\n{said}", code="index_unreachable")
    missing = _MISSING.search(" ".join(said.split()))
    hint = ""
    if missing and missing[1].lower() in requirements.from_conda:
        hint = (
            f"\nconda_file asks conda for {missing[1]}, which PyPI does not have; "
            "leave it out, or name under pip: the package that does the same"
        )
    return EnvironmentUnresolvableError(
        f"no set of packages for Python {requirements.python} fits:\n{said}{hint}", path="spec"
    )
