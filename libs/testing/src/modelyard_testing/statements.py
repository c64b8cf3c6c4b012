"""Every SQL statement of a service fits its migrated schema."""

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Final

_VERBS: Final = ("select", "insert", "update", "delete", "with")


def statements(store: str) -> dict[str, str]:
    """The statements of a store, a module or a package of modules, by where they stand."""
    root = import_module(store)
    below = [import_module(f"{store}.{found.name}") for found in iter_modules(getattr(root, "__path__", []))]
    return {where: text for module in (root, *below) for where, text in _of(module)}


def _of(module: ModuleType) -> list[tuple[str, str]]:
    return [
        (f"{module.__name__}.{name}", text)
        for name, text in vars(module).items()
        if isinstance(text, str) and text.lstrip().lower().startswith(_VERBS)
    ]


async def prepare_all(dsn: str, store: str) -> int:
    """Have PostgreSQL parse and plan each statement, and tell how many there were. Raises AssertionError naming those that do not fit."""
    import asyncpg

    found = statements(store)
    connection = await asyncpg.connect(dsn)
    wrong = []
    try:
        for where, text in found.items():
            try:
                await connection.prepare(text)
            except asyncpg.PostgresError as error:
                wrong.append(f"{where}: {error}")
    finally:
        await connection.close()
    assert not wrong, "\n".join(wrong)
    return len(found)
