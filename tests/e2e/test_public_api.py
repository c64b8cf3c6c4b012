"""The gateway's one description of the whole public API."""

from __future__ import annotations

import json
import urllib.request

from modelyard_testing.stacks import Stack
from tests.on_stack import MARKS

pytestmark = MARKS


def test_the_openapi_document_has_every_services_routes(stack: Stack) -> None:
    url = f"{stack.document()['url']}/api/v1/openapi.json"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {stack.layout.owner_token()}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        document = json.load(answer)
    groups = {path.split("/")[3] for path in document["paths"]}
    assert {"models", "environment-locks", "jobs", "endpoints", "monitors", "subscriptions", "whoami"} <= groups
    assert not any(path.startswith("/internal") for path in document["paths"])
    missing = {name for name in _references(document) if name not in document["components"]["schemas"]}
    assert not missing


def _references(node: object) -> set[str]:
    match node:
        case {"$ref": str(target)}:
            return {target.rsplit("/", 1)[-1]}
        case dict():
            return {name for value in node.values() for name in _references(value)}
        case list():
            return {name for value in node for name in _references(value)}
        case _:
            return set()
