"""Statements on either database, from code that does not await."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, TypeVar

import asyncpg

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Sql:
    """A database by its URL; every call is a connection of its own."""

    url: str

    @property
    def is_sqlite(self) -> bool:
        return self.url.startswith("sqlite")

    @property
    def path(self) -> str:
        """SQLite's file."""
        return self.url.removeprefix("sqlite:///")

    def run(self, statement: str) -> None:
        """Run it for its effect."""
        self.rows(statement)

    def rows(self, statement: str, *args: Any) -> list[Any]:
        """All that it gives back; parameters are ``$1`` there and ``?1`` here."""
        if self.is_sqlite:
            with closing(sqlite3.connect(self.path, timeout=30)) as connection:
                found = connection.execute(statement.replace("$", "?"), args).fetchall()
                connection.commit()
                return found
        return self._connected(lambda connection: connection.fetch(statement, *args))

    def value(self, statement: str, *args: Any) -> Any:
        """The first value of the first row."""
        return self.rows(statement, *args)[0][0]

    def fill(self, table: str, columns: Sequence[str], records: Iterable[Sequence[Any]]) -> None:
        """Put rows in, quickly."""
        if not self.is_sqlite:
            self._connected(
                lambda connection: connection.copy_records_to_table(
                    table, records=records, columns=columns
                )
            )
            return
        marks = ", ".join("?" for _ in columns)
        statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 our own names
        with closing(sqlite3.connect(self.path, timeout=30)) as connection:
            connection.executemany(statement, records)
            connection.commit()

    def _connected(self, work: Callable[[Any], Awaitable[Answer]]) -> Answer:
        async def run() -> Answer:
            connection = await asyncpg.connect(self.url)
            try:
                return await work(connection)
            finally:
                await connection.close()

        return asyncio.run(run())
