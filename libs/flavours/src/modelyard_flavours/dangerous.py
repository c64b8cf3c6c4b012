"""Imports that a model has no use for and an attacker has. Source: the list of picklescan, which Hugging Face shows warnings by."""

from __future__ import annotations

from typing import Final

_DANGEROUS: Final[dict[str, frozenset[str] | None]] = dict.fromkeys(
    (
        "os", "posix", "nt", "subprocess", "sys", "shutil", "socket", "pty", "runpy", "importlib", "imp", "ctypes", "webbrowser",
        "multiprocessing", "threading", "code", "codeop", "pdb", "bdb", "profile", "cProfile", "timeit", "pip", "requests", "httpx",
        "aiohttp", "urllib", "http", "ftplib", "smtplib", "telnetlib", "asyncio", "signal", "marshal", "tempfile", "pathlib", "commands",
        "?", "_posixsubprocess", "_io", "io", "ssl", "pickle", "_pickle", "platform", "venv", "ensurepip", "idlelib", "torch.hub",
    ),
    None,
) | {
    "builtins": frozenset(("eval", "exec", "compile", "open", "__import__", "getattr", "setattr", "delattr", "globals", "locals", "vars",
                           "breakpoint", "input", "execfile", "apply", "map", "filter", "memoryview")),
    "operator": frozenset(("attrgetter", "methodcaller", "itemgetter", "call")),
    "functools": frozenset(("partial", "reduce")),
    "types": frozenset(("CodeType", "FunctionType", "LambdaType", "ModuleType")),
    "numpy.testing": None,
    "numpy": frozenset(("load",)),
    "joblib": frozenset(("load",)),
    "torch": frozenset(("load",)),
    "cloudpickle.cloudpickle": frozenset(("_make_function", "_builtin_type", "_make_skeleton_class", "_fill_function", "_make_cell",
                                          "subimport")),
}  # fmt: skip
_ALIASES: Final = {"__builtin__": "builtins", "cloudpickle.cloudpickle_fast": "cloudpickle.cloudpickle"}


def is_dangerous(name: str) -> bool:
    """Whether `module.name` is one of those a model has no use for and an attacker has."""
    module, _, attribute = name.rpartition(".")
    module = _ALIASES.get(module, module)
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        known = ".".join(parts[:length])
        if known in _DANGEROUS:
            names = _DANGEROUS[known]
            return names is None or (length == len(parts) and attribute in names)
    return False
