"""The unit of work: one visible transaction for each journey."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime

from asyncpg import InternalClientError  # pyright: ignore[reportMissingTypeStubs]
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession

from authsvc.kernel.clock import Clock
from authsvc.kernel.errors import Code, Refusal
from authsvc.platform.db.engine import AWAY, Database


@dataclass(slots=True)
class Tx:
    """An open transaction. Rooms write through it and never commit."""

    session: AsyncSession
    now: datetime
    dialect: str
    wakes: bool = False
    counts: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])

    def wake_worker(self) -> None:
        """After the commit the worker looks for new rows at once instead of at its next turn."""
        self.wakes = True

    def count(self, counting: Callable[[], None]) -> None:
        """Count something once it is true. Only for metrics: every other effect is a row."""
        self.counts.append(counting)


@dataclass(frozen=True, slots=True)
class UnitOfWork:
    """Opens transactions: ``async with uow() as tx``. Commits at the end of the block.

    An exception rolls back. A refusal that must be remembered is returned from the block and
    raised after it. A database that cannot be reached is Refusal ``store_unavailable``.
    """

    database: Database
    clock: Clock
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def __call__(self) -> AsyncGenerator[Tx]:
        turn = self.database.writer if self.database.is_sqlite else nullcontext()
        async with turn, self._open(reading=False) as tx:
            yield tx
        for counting in tx.counts:
            counting()
        if tx.wakes:
            self.wake.set()

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[Tx]:
        """A transaction that only reads; on SQLite it waits for no writer."""
        async with self._open(reading=True) as tx:
            yield tx

    @asynccontextmanager
    async def _open(self, *, reading: bool) -> AsyncGenerator[Tx]:
        engine = self.database.engine.execution_options(authsvc_reading=reading)
        try:
            async with AsyncSession(engine, expire_on_commit=False) as session, session.begin():
                yield Tx(session=session, now=self.clock.now(), dialect=self.database.dialect)
        except (OperationalError, InterfaceError, PoolTimeout, OSError) as error:
            raise Refusal(
                Code.STORE_UNAVAILABLE, log=f"database: {type(error).__name__}"
            ) from error
        except DBAPIError as error:
            state = getattr(error.orig, "sqlstate", None) or ""
            # A server that dies in the middle of an answer leaves the driver without a state.
            torn = isinstance(getattr(error.orig, "__cause__", None), InternalClientError)
            if error.connection_invalidated or torn or state[:2] in AWAY:
                log = f"database: {state or 'connection lost'}"
                raise Refusal(Code.STORE_UNAVAILABLE, log=log) from error
            raise
