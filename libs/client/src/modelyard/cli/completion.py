"""`modelyard completion SHELL`, and what a shell asks while somebody types: argcomplete's protocol, with names from the server.

This runs at every press of the tab key: it imports little, gives the server half a second, and says nothing when there is none.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

from modelyard.cli import options as flags
from modelyard.cli.options import Groups

_SHELLS: Final = ("bash", "zsh", "fish")
_PATIENCE_S: Final = 0.5
_MOST: Final = 200
_FILES: Final = frozenset({"YAML", "JSON", "DIR", "FOLDER", "PATH", "FILE"})
_NAMES: Final = {
    "model": "models",
    "data": "data",
    "environment": "environments",
    "component": "components",
    "job": "jobs",
    "online-endpoint": "endpoints",
    "schedule": "triggers monitors",
    "trigger": "triggers",
    "monitor": "monitors",
    "subscription": "subscriptions",
    "compute": "computes",
    "datastore": "datastores",
    "connection": "connections",
    "token": "tokens",
}
"""What `--name` names, by group: where it is listed."""


def register(groups: Groups) -> None:
    """Add the command."""
    command = flags.Group("completion", groups).verb("completion", script, example="completion bash >> ~/.bashrc")
    command.add_argument("shell", choices=_SHELLS)
    command.set_defaults(offline=True)


def script(options: argparse.Namespace) -> None:
    """Print what makes a shell complete `modelyard`: groups, verbs, flags, and the names of what the server has.

    bash: add the output to ~/.bashrc. zsh: to ~/.zshrc, after compinit. fish: to ~/.config/fish/completions/modelyard.fish.
    """
    from argcomplete.shell_integration import shellcode

    print(shellcode(["modelyard"], shell=options.shell))


def typed() -> list[str]:
    """The words on the line so far, without the program's own name."""
    line = os.environ.get("COMP_LINE", "")
    try:
        return shlex.split(line)[1:]
    except ValueError:  # a quote that is still open
        return line.split()[1:]


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer the shell, and end the process."""
    import argcomplete
    from argcomplete.completers import BaseCompleter, FilesCompleter

    files = FilesCompleter()

    class Values(BaseCompleter):
        def __call__(
            self,
            *,
            prefix: str,
            action: argparse.Action,
            parser: argparse.ArgumentParser,
            parsed_args: argparse.Namespace,
        ) -> Iterable[str]:
            if action.metavar in _FILES:
                return files(prefix, action=action, parser=parser, parsed_args=parsed_args)
            return names(action.dest, parsed_args)

    argcomplete.autocomplete(parser, default_completer=Values())


def names(flag: str, options: argparse.Namespace) -> list[str]:
    """The names that a flag may have, as far as the server says them at once."""
    group = typed()[0]
    name = getattr(options, "name", None)
    match flag:
        case "name" if group == "online-deployment":
            return _deployments(getattr(options, "endpoint_name", None))
        case "name":
            return [found for path in _NAMES.get(group, "").split() for found in _listed(path)]
        case "endpoint_name":
            return _listed("endpoints")
        case "deployment_name":
            return _deployments(name)
        case "version" if name and group in _NAMES:
            return _listed(f"{_NAMES[group]}/{quote(name)}/versions", "version")
        case "label" | "alias" if name and group in _NAMES:
            found = _items(f"{_NAMES[group]}/{quote(name)}/versions")
            return ["latest", *(alias for one in found for alias in one.get("aliases", []))]
        case "step" if name:
            return _listed(f"jobs/{quote(name)}/steps")
        case "model" if group == "promotion":
            return _listed("models")
        case "node" | "what":
            return _nodes()
        case _:
            return []


def _nodes() -> list[str]:
    kinds = (("endpoint", "endpoints"), ("model", "models"), ("job", "jobs"))
    return [f"{kind}/{name}" for kind, path in kinds for name in _listed(path)]


def _deployments(endpoint: str | None) -> list[str]:
    return _listed(f"endpoints/{quote(endpoint)}/deployments") if endpoint else []


def _listed(path: str, key: str = "name") -> list[str]:
    return [str(item[key]) for item in _items(path) if key in item]


def _items(path: str) -> list[dict[str, Any]]:
    try:
        url, token = _where()
        parts = urlsplit(url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=_PATIENCE_S)
        try:
            connection.request("GET", f"/api/v1/{path}?limit={_MOST}", headers={"Authorization": f"Bearer {token}"})
            document = json.load(connection.getresponse())
        finally:
            connection.close()
        items = document["items"]
    except (OSError, ValueError, KeyError, TypeError, http.client.HTTPException):
        return []  # who types is not told what is wrong: the command will
    return items if isinstance(items, list) else []


def _where() -> tuple[str, str]:
    """Address and token, as a Client finds them, without the imports that a Client needs."""
    home = Path(os.environ.get("MODELYARD_HOME") or "~/.modelyard").expanduser()
    url, token = os.environ.get("MODELYARD_URL"), os.environ.get("MODELYARD_TOKEN")
    if not url:
        port = json.loads((home / "stack.json").read_text())["ports"]["edge"]
        url = f"http://127.0.0.1:{port}"
    return url, token or (home / "token").read_text().strip()
