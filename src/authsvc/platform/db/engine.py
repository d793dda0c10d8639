"""Engines for the two databases, set up so that both behave alike."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import event
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from authsvc.kernel.errors import Code, Refusal

SQLITE = "sqlite"
POSTGRESQL = "postgresql"
# SQLSTATE classes of a PostgreSQL that cannot serve us now: connection, unknown database,
# rolled back, out of resources, not in the right state, ended by an operator.
AWAY = frozenset({"08", "3D", "40", "53", "55", "57"})


class DatabaseSettings(BaseModel):
    """Time-outs in seconds and the pool's size."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    statement: float = Field(default=3.0, gt=0, description="seconds a statement may take")
    lock: float = Field(default=1.0, gt=0, description="seconds to wait for a row or table lock")
    idle_tx: float = Field(default=5.0, gt=0, description="seconds a transaction may sit idle")
    pool: int = Field(default=10, ge=1, le=100, description="connections of one process")


@dataclass(slots=True)
class WriterQueue:
    """SQLite has one writer: ours queue here, fairly, instead of polling a file lock.

    Whoever stands here for ``patience`` seconds is refused as store_unavailable: the wait for
    another process's lock may still follow, and both must end within a request's deadline.
    """

    patience: float = 1.5
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def __aenter__(self) -> None:
        try:
            async with asyncio.timeout(self.patience):
                await self._lock.acquire()
        except TimeoutError as error:
            log = "database: the queue of writers stands still"
            raise Refusal(Code.STORE_UNAVAILABLE, log=log) from error

    async def __aexit__(self, *_: object) -> None:
        self._lock.release()

    def locked(self) -> bool:
        """Whether somebody writes."""
        return self._lock.locked()


@dataclass(frozen=True, slots=True)
class Database:
    """An engine and which of the two databases it speaks to."""

    engine: AsyncEngine
    dialect: str
    writer: WriterQueue = field(default_factory=WriterQueue)

    @property
    def is_sqlite(self) -> bool:
        return self.dialect == SQLITE

    @property
    def in_use(self) -> int:
        """How many pooled connections are at work."""
        pool: Any = self.engine.pool
        return pool.checkedout()

    async def dispose(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


def async_url(url: str) -> str:
    """The URL with the driver authsvc uses; raises ValueError for another database."""
    parsed = make_url(url)
    match parsed.get_backend_name():
        case "postgresql":
            parsed = parsed.set(drivername="postgresql+asyncpg")
        case "sqlite":
            parsed = parsed.set(drivername="sqlite+aiosqlite")
        case other:
            raise ValueError(f"database_url: {other} is not supported, use sqlite or postgresql")
    return parsed.render_as_string(hide_password=False)


def open_database(url: str, settings: DatabaseSettings | None = None) -> Database:
    """An engine for the URL; connects on first use."""
    knobs = settings or DatabaseSettings()
    normal = async_url(url)
    if make_url(normal).get_backend_name() == SQLITE:
        return _sqlite(normal, knobs)
    return _postgresql(normal, knobs)


def _postgresql(url: str, knobs: DatabaseSettings) -> Database:
    server_settings = {
        "application_name": "authsvc",
        "statement_timeout": str(int(knobs.statement * 1000)),
        "lock_timeout": str(int(knobs.lock * 1000)),
        "idle_in_transaction_session_timeout": str(int(knobs.idle_tx * 1000)),
        "synchronous_commit": "on",
        "timezone": "UTC",
    }
    engine = create_async_engine(
        url,
        pool_size=knobs.pool,
        max_overflow=0,
        pool_timeout=knobs.statement,
        pool_pre_ping=True,
        pool_recycle=1800,
        connect_args={"server_settings": server_settings, "timeout": knobs.statement},
    )
    return Database(engine=engine, dialect=POSTGRESQL)


def _sqlite(url: str, knobs: DatabaseSettings) -> Database:
    engine = create_async_engine(
        url,
        pool_size=knobs.pool,
        max_overflow=0,
        pool_timeout=knobs.statement,
        connect_args={"isolation_level": None, "timeout": knobs.statement},
    )
    event.listen(engine.sync_engine, "connect", _prepare_sqlite(knobs))
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return Database(engine=engine, dialect=SQLITE)


def _prepare_sqlite(knobs: DatabaseSettings) -> Callable[[Any, object], None]:
    def prepare(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            f"busy_timeout = {int(knobs.statement * 1000)}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return prepare


def _begin_sqlite(connection: Connection) -> None:
    # A writer that starts deferred can fail when it upgrades; IMMEDIATE waits its turn instead.
    reading = connection.get_execution_options().get("authsvc_reading", False)
    connection.exec_driver_sql("BEGIN DEFERRED" if reading else "BEGIN IMMEDIATE")
