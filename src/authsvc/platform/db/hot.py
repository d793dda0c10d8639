"""The driver's own connections for the few hottest statements, past SQLAlchemy.

A statement costs one round trip in autocommit, prepared once for each connection. Results
are plain tuples. The choice is measured: docs/adr/0002-hot-statements.md.
"""

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol, cast
from uuid import UUID

import asyncpg  # pyright: ignore[reportMissingTypeStubs]
from sqlalchemy.engine import make_url

from authsvc.kernel.errors import Code, Refusal
from authsvc.platform.db.engine import AWAY, Database

# InternalClientError: the server died in the middle of an answer to whoever had the connection.
_LOST = (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.InternalClientError)
_TRIES = 2
_PATIENCE = 3  # seconds for a free connection, for connecting, and for a statement
_REST = 300  # seconds after which an unused connection is closed


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
    """A few asyncpg connections, the one used last first.

    Not asyncpg's own pool, which wraps each taking (with a time limit) and giving back in a task.
    Hot statements leave no state behind, so nothing is reset.
    """

    database: Database
    size: int
    _idle: deque["_Idle"] = field(default_factory=deque["_Idle"])
    _room: asyncio.Semaphore = field(init=False)
    _busy: int = 0

    def __post_init__(self) -> None:
        self._room = asyncio.Semaphore(self.size)

    async def row(self, statement: Statement, *args: Any) -> tuple[Any, ...] | None:
        # A repeated try is safe: hot statements are conditional on what they change.
        lost: Exception | None = None
        for _ in range(_TRIES):
            try:
                return await self._run(statement.postgresql, args)
            except _LOST as error:
                lost = error
            except asyncpg.PostgresError as error:
                if str(getattr(error, "sqlstate", None))[:2] not in AWAY:
                    raise
                lost = error
        raise Refusal(Code.STORE_UNAVAILABLE, log=f"database: {type(lost).__name__}") from lost

    async def _run(self, statement: str, args: Sequence[Any]) -> tuple[Any, ...] | None:
        if self._room.locked():
            async with asyncio.timeout(_PATIENCE):
                await self._room.acquire()
        else:
            await self._room.acquire()
        self._busy += 1
        connection: Any = None
        try:
            connection = self._rested() or await self._connect()
            found = await connection.fetchrow(statement, *args)
        except asyncpg.PostgresError:
            self._rest(connection)
            raise
        except BaseException:
            # Cancelled or lost half-way: nobody knows what this connection still has to say.
            if connection is not None:
                connection.terminate()
            raise
        else:
            self._rest(connection)
        finally:
            self._busy -= 1
            self._room.release()
        return None if found is None else tuple(found)

    def _rested(self) -> Any:
        """The connection used last, None when there is none."""
        while self._idle:
            connection = self._idle.pop().connection
            if not connection.is_closed():
                return connection
        return None

    def _rest(self, connection: Any) -> None:
        if connection is None or connection.is_closed():
            return
        now = time.monotonic()
        self._idle.append(_Idle(connection, now))
        if now - self._idle[0].since > _REST:
            self._idle.popleft().connection.terminate()

    async def _connect(self) -> Any:
        url = self.database.engine.url.set(drivername="postgresql")
        return await cast(Any, asyncpg).connect(
            url.render_as_string(hide_password=False),
            timeout=_PATIENCE,
            command_timeout=_PATIENCE,
            server_settings={
                "application_name": "authsvc hot",
                "statement_timeout": "3000",
                "lock_timeout": "1000",
                "synchronous_commit": "on",
            },
        )

    async def aclose(self) -> None:
        while self._idle:
            await self._idle.pop().connection.close()

    @property
    def in_use(self) -> int:
        return self._busy


@dataclass(frozen=True, slots=True)
class _Idle:
    """A connection at rest, and since when by the monotonic clock."""

    connection: Any
    since: float


def _stopped() -> Refusal:
    return Refusal(Code.STORE_UNAVAILABLE, log="database: closing")


def _settle(done: "asyncio.Future[Rows]", result: "Rows | Exception") -> None:
    if done.done():
        return  # whoever asked has gone
    if isinstance(result, Exception):
        done.set_exception(result)
    else:
        done.set_result(result)


Plain = tuple[str, Sequence[Any]]
Rows = list[tuple[Any, ...]]


@dataclass(slots=True)
class SqliteHot:
    """One connection in a thread of its own. Statements that wait together commit together:
    one write to the disk for all of them, and nobody hears of his before it is there.
    """

    database: Database
    _connection: sqlite3.Connection | None = field(default=None)
    _thread: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="authsvc-hot")
    )
    _waiting: list[tuple[Plain, "asyncio.Future[Rows]"]] = field(
        default_factory=list[tuple[Plain, "asyncio.Future[Rows]"]]
    )
    _turn: "asyncio.Task[None] | None" = field(default=None)

    async def row(self, statement: Statement, *args: Any) -> tuple[Any, ...] | None:
        plain = [arg.bytes if isinstance(arg, UUID) else arg for arg in args]
        done: asyncio.Future[Rows] = asyncio.get_running_loop().create_future()
        self._waiting.append(((statement.sqlite, plain), done))
        if self._turn is None:
            self._turn = asyncio.create_task(self._work())
        try:
            rows = await done
        except sqlite3.OperationalError as error:
            raise Refusal(Code.STORE_UNAVAILABLE, log="database: busy or full") from error
        return rows[0] if rows else None

    async def _work(self) -> None:
        """Until nobody waits: take SQLite's writing turn, and do all that waits by then."""
        try:
            while self._waiting:
                await self._one_turn()
        finally:
            self._turn = None

    async def _one_turn(self) -> None:
        loop, taken = asyncio.get_running_loop(), list[tuple[Plain, "asyncio.Future[Rows]"]]()
        try:
            async with self.database.writer:
                taken, self._waiting = self._waiting, []
                statements = [plain for plain, _ in taken]
                results = await loop.run_in_executor(self._thread, self._together, statements)
        except BaseException as error:
            taken, self._waiting = taken + self._waiting, []
            for _, done in taken:
                _settle(done, error if isinstance(error, Exception) else _stopped())
            if not isinstance(error, Exception):
                raise
            return
        for (_, done), result in zip(taken, results, strict=True):
            _settle(done, result)

    def _together(self, statements: Sequence[Plain]) -> Sequence[Rows | sqlite3.Error]:
        try:
            connection = self._open()
            if len(statements) == 1:
                return [connection.execute(*statements[0]).fetchall()]
            connection.execute("BEGIN IMMEDIATE")
            try:
                results = [connection.execute(*one).fetchall() for one in statements]
                connection.execute("COMMIT")
            except sqlite3.Error:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            if len(statements) == 1:
                return [error]
            # One of them is at fault, or the disk: each by itself tells which.
            return [result for one in statements for result in self._together([one])]
        return results

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            path = make_url(self.database.engine.url).database or ""
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            for pragma in (
                "journal_mode = WAL",
                "synchronous = FULL",
                "foreign_keys = ON",
                "busy_timeout = 3000",
            ):
                connection.execute(f"PRAGMA {pragma}")
            self._connection = connection
        return self._connection

    async def aclose(self) -> None:
        if self._turn is not None:
            await self._turn
        self._thread.shutdown()
        if self._connection is not None:
            self._connection.close()

    @property
    def in_use(self) -> int:
        return int(self._turn is not None)
