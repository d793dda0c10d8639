"""The rows behind a race, read and aged past the service."""

import sqlite3
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import asyncpg

_PATIENCE = 30.0


async def ask(url: str, statement: str) -> list[tuple[Any, ...]]:
    """The rows of one statement that both databases understand; what it changes is kept."""
    if url.startswith("sqlite"):
        path = urlsplit(url).path.removeprefix("/")
        with closing(sqlite3.connect(path, isolation_level=None, timeout=_PATIENCE)) as database:
            return database.execute(statement).fetchall()
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(statement)]
    finally:
        await connection.close()


async def number(url: str, statement: str) -> int:
    """The one number that a statement answers."""
    ((found,),) = await ask(url, statement)
    return int(found or 0)


async def age_turns(url: str, *, seconds: int) -> None:
    """Every session's last turn was so many seconds earlier: the grace of each is over."""
    await ask(url, f"UPDATE sessions SET rotated_at = rotated_at - {seconds * 1_000_000}")
