"""Every statement fits the migrated database."""

import asyncpg
import pytest

from builder import store

STATEMENTS = {
    name: text
    for name, text in vars(store).items()
    if isinstance(text, str) and text.lstrip().startswith(("select", "insert", "update", "delete"))
}


@pytest.mark.parametrize("name", STATEMENTS)
async def test_statement_can_be_prepared(name: str, database: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        await connection.prepare(STATEMENTS[name])
    finally:
        await connection.close()
