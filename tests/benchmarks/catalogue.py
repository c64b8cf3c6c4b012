"""A registry full of versions, put straight into its tables: what searching is measured on."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg

_COLUMNS: Final = (
    "workspace", "kind", "name", "version", "type", "description", "tags", "properties", "stage", "spec", "job", "created_by",
    "created_at",
)  # fmt: skip
# From values that a sixth of all versions share to one that is nobody else's.
_TAGS: Final = {
    "framework": 6, "region": 8, "quality": 20, "team": 50, "dataset": 200, "owner": 300, "project": 500, "customer": 1000,
    "ticket": 10_000,
}  # fmt: skip
_STAGES: Final = ("Development", "Staging", "Production", "Archived", None, None)
_WORDS: Final = (
    "delay",
    "flights",
    "arrival",
    "weather",
    "carrier",
    "forest",
    "boosted",
    "baseline",
    "retrained",
    "nightly",
)
_BEGAN: Final = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Which versions there are: `versions` of them, `each` of a name, ten tags on each."""

    workspace: str
    versions: int
    each: int = 50

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """The rows of the table `versions`, in the order they would have been registered."""
        dice = random.Random(7)
        names = max(1, self.versions // self.each)
        for number in range(self.versions):
            tags = {tag: f"{tag}-{dice.randrange(values)}" for tag, values in _TAGS.items()} | {"run": f"run-{number}"}
            name = f"model-{number % names:05d}"
            version = str(number // names + 1)
            yield (
                self.workspace,
                "models",
                name,
                version,
                dice.choice(("custom_model", "mlflow_model")),
                " ".join(dice.sample(_WORDS, 4)),
                json.dumps(tags),
                json.dumps({"rows": str(dice.randrange(1000))}),
                dice.choice(_STAGES),
                json.dumps({"name": name, "version": version, "type": "custom_model", "path": "https://example.com/m"}),
                f"job_{number}",
                f"user:person-{dice.randrange(40)}",
                _BEGAN + timedelta(minutes=number),
            )

    def one_tag(self, dice: random.Random) -> str:
        """A search by one tag."""
        tag = dice.choice((*_TAGS, "run"))
        return f"{tag}={tag}-{dice.randrange(_TAGS.get(tag, self.versions))}"

    def three(self, dice: random.Random) -> str:
        """A search by three conditions: a tag, something else, and something else again."""
        others = (
            f"stage:{dice.choice(_STAGES[:4])}",
            f"by:person-{dice.randrange(40)}",
            f"name:model-{dice.randrange(10)}*",
            f"after:{(_BEGAN + timedelta(minutes=dice.randrange(self.versions))).date()}",
            dice.choice(_WORDS),
            "type:mlflow_model",
        )
        return " ".join((self.one_tag(dice), *dice.sample(others, 2)))


async def fill(connection: asyncpg.Connection[asyncpg.Record], catalogue: Catalogue) -> None:
    """Put a catalogue into the registry's tables and let the planner know. The connection is the registry's role's."""
    names = max(1, catalogue.versions // catalogue.each)
    async with connection.transaction():
        await connection.copy_records_to_table(
            "assets",
            columns=("workspace", "kind", "name", "latest_number", "created_by"),
            records=[
                (catalogue.workspace, "models", f"model-{number:05d}", catalogue.each, "user:person-0")
                for number in range(names)
            ],
        )
        await connection.copy_records_to_table("versions", columns=_COLUMNS, records=catalogue.rows(), timeout=600)
    await connection.execute("vacuum analyze versions", timeout=600)
    await connection.execute("vacuum analyze assets", timeout=60)
