"""Writes `contracts/` from the code: event schemas and samples, JSON Schemas of the specifications, AsyncAPI, OpenAPI.

`--check` fails when what is stored differs.

Samples are the exception: one that is stored is never changed, since a stored event must parse for ever. Only missing ones are written.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import types
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, Union, get_args, get_origin
from uuid import UUID

import yaml
from pydantic import AwareDatetime, BaseModel

from modelyard_contracts import OWNERS, Event, EventData, full_type
from modelyard_specs.json_schema import published

ROOT: Final = Path(__file__).parents[2] / "contracts"
SERVICES: Final = ("gateway", "registry", "builder", "scheduler", "serving", "drift_monitor", "notifier")
AT: Final = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check = parser.parse_args().check
    stale = []
    for path, text in generated():
        target = ROOT / path
        is_sample = "samples" in target.parts
        if target.exists() and (is_sample or target.read_text(encoding="utf-8") == text):
            continue
        stale.append(path)
        if not check:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
    if check and stale:
        print("contracts/ differs from the code; run `make contracts` and commit:", *stale, sep="\n  ", file=sys.stderr)
        return 1
    return 0


def generated() -> Iterator[tuple[str, str]]:
    """Every file of `contracts/` with its text."""
    for owner, events in OWNERS.items():
        for event in events:
            folder = f"events/{event.TYPE}/v1"
            yield f"{folder}/schema.json", _json(Event[event].model_json_schema())  # type: ignore[valid-type]
            yield f"{folder}/samples/full.json", _json(sample(owner, event))
    for name, schema in published().items():
        yield f"specs/{name}", _json(schema)
    yield "asyncapi.yaml", _yaml(asyncapi())
    for service in SERVICES:
        yield f"openapi/{service.replace('_', '-')}.yaml", _yaml(openapi(service))


def sample(owner: str, event: type[EventData]) -> dict[str, Any]:
    """An event with every field filled."""
    data = event.model_validate({name: _example(field.annotation, name) for name, field in event.model_fields.items()})
    envelope = Event[Any](
        id=UUID(int=1),
        source=f"/modelyard/{owner}",
        type=full_type(event.TYPE),
        subject=data.subject,
        time=AT,
        workspace="default",
        actor="user:ada",
        reason="because",
        correlationid="story",
        causationid=str(UUID(int=2)),
        sequence=1,
        traceparent=f"00-{1:032x}-{1:016x}-01",
        data=data.model_dump(mode="json"),
    )
    document: dict[str, Any] = envelope.model_dump(mode="json")
    return document


def _example(annotation: Any, name: str) -> Any:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return args[0]
    if origin in (Union, types.UnionType):
        return _example(args[0], name)
    if origin is dict:
        return {name: _example(args[1], name)}
    if origin in (tuple, list):
        return [_example(args[0], name)]
    if annotation is AwareDatetime or annotation is datetime:
        return AT
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {key: _example(field.annotation, key) for key, field in annotation.model_fields.items()}
    examples: dict[Any, Any] = {str: name, int: 1, float: 0.5, bool: True, Any: name, object: name}
    return examples.get(annotation, AT)


def asyncapi() -> dict[str, Any]:
    """AsyncAPI 3.0: a channel for each event, sent by its owner."""
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for owner, events in OWNERS.items():
        for event in events:
            key = event.TYPE.replace(".", "_")
            message = {
                "name": full_type(event.TYPE),
                "summary": (event.__doc__ or "").strip().split("\n")[0],
                "contentType": "application/cloudevents+json",
                "payload": {"$ref": f"events/{event.TYPE}/v1/schema.json"},
            }
            channels[key] = {
                "address": f"modelyard.{{workspace}}.{event.TYPE}",
                "parameters": {"workspace": {"description": "`default` on the embedded stack"}},
                "messages": {key: message},
            }
            operations[f"{owner.replace('-', '_')}_sends_{key}"] = {
                "action": "send",
                "channel": {"$ref": f"#/channels/{key}"},
            }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Modelyard events",
            "version": "1",
            "description": "CloudEvents 1.0, structured JSON, on the NATS JetStream stream EVENTS.",
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": channels,
        "operations": operations,
    }


def openapi(service: str) -> dict[str, Any]:
    """A service's own description of its routes."""
    settings = importlib.import_module(f"{service}.settings").Settings(identity_key="unused")
    app = importlib.import_module(f"{service}.app").build(settings)
    document: dict[str, Any] = app.openapi()
    return document


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _yaml(value: Any) -> str:
    return yaml.safe_dump(json.loads(json.dumps(value)), sort_keys=True, allow_unicode=True, width=120)


if __name__ == "__main__":
    sys.exit(main())
