"""Every stored sample of every event still parses, and the stored schemas are those of the code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard_contracts import EVENT_TYPES, UnknownEventTypeError, decode, encode, short_type
from tests.contract.generate import ROOT

SAMPLES = sorted(ROOT.glob("events/*/v*/samples/*.json"))


def test_every_event_has_a_sample() -> None:
    assert {path.parents[2].name for path in SAMPLES} == set(EVENT_TYPES)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: f"{path.parents[2].name}-{path.stem}")
def test_a_stored_sample_parses_and_comes_back_the_same(path: Path) -> None:
    stored = json.loads(path.read_text())
    event = decode(path.read_text())
    assert type(event.data) is EVENT_TYPES[path.parents[2].name]
    assert event.subject == event.data.subject
    assert {**stored, "data": None} == {**json.loads(encode(event)), "data": None}
    written = json.loads(encode(event))["data"]
    assert {key: written[key] for key in stored["data"]} == stored["data"]


@pytest.mark.parametrize("path", SAMPLES[:3], ids=lambda path: path.parents[2].name)
def test_a_later_optional_field_is_passed_over(path: Path) -> None:
    stored: dict[str, Any] = json.loads(path.read_text())
    stored["data"]["added_later"] = 1
    stored["added_later"] = 1
    assert decode(json.dumps(stored)) == decode(path.read_text())


@given(st.from_regex(r"[a-z]{1,8}\.[a-z]{1,8}", fullmatch=True).filter(lambda name: name not in EVENT_TYPES))
def test_an_undeclared_type_is_named(name: str) -> None:
    stored = json.loads(SAMPLES[0].read_text())
    stored["type"] = f"modelyard.{name}.v1"
    with pytest.raises(UnknownEventTypeError) as caught:
        decode(json.dumps(stored))
    assert short_type(caught.value.type) == name
