"""Every statement is understood by the migrated database."""

from __future__ import annotations

import importlib
import pkgutil

import asyncpg
import pytest

import scheduler.store

MODULES = [module.name for module in pkgutil.iter_modules(scheduler.store.__path__)]


@pytest.mark.parametrize("name", MODULES)
async def test_every_statement_can_be_prepared(database: str, name: str) -> None:
    module = importlib.import_module(f"scheduler.store.{name}")
    statements = [
        value
        for key, value in vars(module).items()
        if key.startswith("_") and key[1:].replace("_", "").isupper() and isinstance(value, str)
    ]
    statements = [
        text for text in statements if text.strip().split()[0] in ("insert", "select", "update", "delete", "with")
    ]
    assert statements
    connection = await asyncpg.connect(database)
    try:
        for statement in statements:
            await connection.prepare(statement)
    finally:
        await connection.close()
