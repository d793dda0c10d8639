"""The driver's own connections for the few hottest statements, past SQLAlchemy.

A statement costs one round trip in autocommit, prepared once for each connection. Results
are plain tuples. The choice is measured: docs/adr/0002-hot-statements.md.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Protocol, cast
from uuid import UUID

import aiosqlite
import asyncpg  # pyright: ignore[reportMissingTypeStubs]
from sqlalchemy.engine import make_url

from authsvc.kernel.errors import Code, Refusal
from authsvc.platform.db.engine import AWAY, Database

# InternalClientError: the server died in the middle of an answer to whoever had the connection.
_LOST = (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.InternalClientError)
_TRIES = 2


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement in both dialects; parameters are ``$1`` there and ``?1`` here."""

    postgresql: str
    sqlite: str


class Hot(Protocol):
    """Runs hot statements; raises Refusal ``store_unavailable`` when the database is away."""

    async def row(self, statement: Statement, *args: Any) -> tuple[Any, ...] | None:
        """The first row of the result, or None."""
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...

    @property
    def in_use(self) -> int:
        """How many connections are at work."""
        ...


def open_hot(database: Database, *, size: int = 8) -> Hot:
    """Hot connections to the same database; they connect on first use."""
    if database.is_sqlite:
        return SqliteHot(database)
    return PostgresHot(database, size=size)


@dataclass(slots=True)
class PostgresHot:
    """A pool of asyncpg connections."""

    database: Database
    size: int
    _pool: Any = field(default=None)
    _opening: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def _open(self) -> Any:
        async with self._opening:
            if self._pool is None:
                # Kept only once it is usable: a database that starts later is found then.
                self._pool = await self._connect()
        return self._pool

    async def _connect(self) -> Any:
        url = self.database.engine.url.set(drivername="postgresql")
        return await cast(Any, asyncpg).create_pool(
            url.render_as_string(hide_password=False),
            min_size=0,
            max_size=self.size,
            timeout=3,
            command_timeout=3,
            max_inactive_connection_lifetime=300,
            reset=_keep_as_is,
            server_settings={
                "application_name": "authsvc hot",
                "statement_timeout": "3000",
                "lock_timeout": "1000",
                "synchronous_commit": "on",
            },
        )

    async def row(self, statement: Statement, *args: Any) -> tuple[Any, ...] | None:
        # A repeated try is safe: hot statements are conditional on what they change.
        lost: Exception | None = None
        for _ in range(_TRIES):
            try:
                pool = await self._open()
                async with pool.acquire(timeout=3) as connection:
                    found = await connection.fetchrow(statement.postgresql, *args)
                return None if found is None else tuple(found)
            except _LOST as error:
                lost = error
            except asyncpg.PostgresError as error:
                if str(getattr(error, "sqlstate", None))[:2] not in AWAY:
                    raise
                lost = error
        raise Refusal(Code.STORE_UNAVAILABLE, log=f"database: {type(lost).__name__}") from lost

    async def aclose(self) -> None:
        if self._pool is not None:
            await self._pool.close()

    @property
    def in_use(self) -> int:
        return 0 if self._pool is None else self._pool.get_size() - self._pool.get_idle_size()


async def _keep_as_is(_connection: object) -> None:
    """Hot statements leave no state behind, so no reset round trip is paid for."""


@dataclass(slots=True)
class SqliteHot:
    """One connection that takes its turn among SQLite's writers."""

    database: Database
    _connection: aiosqlite.Connection | None = field(default=None)

    async def _open(self) -> aiosqlite.Connection:
        if self._connection is None:
            path = make_url(self.database.engine.url).database or ""
            connection = await aiosqlite.connect(path, isolation_level=None)
            await connection.execute("PRAGMA journal_mode = WAL")
            await connection.execute("PRAGMA synchronous = FULL")
            await connection.execute("PRAGMA foreign_keys = ON")
            await connection.execute("PRAGMA busy_timeout = 3000")
            self._connection = connection
        return self._connection

    async def row(self, statement: Statement, *args: Any) -> tuple[Any, ...] | None:
        plain = [arg.bytes if isinstance(arg, UUID) else arg for arg in args]
        try:
            async with self.database.writer:
                connection = await self._open()
                rows = list(await connection.execute_fetchall(statement.sqlite, plain))
        except aiosqlite.OperationalError as error:
            raise Refusal(Code.STORE_UNAVAILABLE, log="database: busy or full") from error
        return tuple(rows[0]) if rows else None

    async def aclose(self) -> None:
        if self._connection is not None:
            await self._connection.close()

    @property
    def in_use(self) -> int:
        return int(self._connection is not None and self.database.writer.locked())
