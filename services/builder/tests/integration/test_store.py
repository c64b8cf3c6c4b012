"""Every statement fits the migrated database."""

from __future__ import annotations

from modelyard_testing.statements import prepare_all


async def test_every_statement_can_be_prepared(database: str) -> None:
    assert await prepare_all(database, "builder.store") > 0
