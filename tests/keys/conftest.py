"""The room of signing keys on a real database."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from sqlalchemy import select

from authsvc.audit.service import Audit
from authsvc.audit.tables import EventRow
from authsvc.crypto.keyring import Keyring
from authsvc.crypto.sealing import Sealer
from authsvc.kernel.clock import FrozenClock
from authsvc.keys.lifecycle import Rules
from authsvc.keys.ring import SigningRing
from authsvc.keys.service import Keys, rules_of
from authsvc.keys.settings import KeySettings, SigningSettings
from authsvc.keys.tables import SigningKey
from authsvc.platform.db.engine import Database, open_database
from authsvc.platform.db.uow import UnitOfWork
from tests.databases import Backend

START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
ROOT = b"a root secret of the tests, 32 bytes or more"
RULES = rules_of(KeySettings(), signing=SigningSettings(), token_life=330)


@dataclass(slots=True)
class Replica:
    """One process of the service, as far as keys are concerned."""

    database: Database
    clock: FrozenClock
    uow: UnitOfWork
    ring: SigningRing
    keys: Keys

    async def rows(self) -> list[SigningKey]:
        """Every row, oldest first."""
        async with self.uow.reading() as tx:
            order = (SigningKey.created_at, SigningKey.kid)
            return list(await tx.session.scalars(select(SigningKey).order_by(*order)))

    async def states(self) -> dict[str, str]:
        """The state of each key."""
        return {row.kid: row.state for row in await self.rows()}

    async def kid(self, state: str) -> str:
        """The one key in this state."""
        [found] = [row.kid for row in await self.rows() if row.state == state]
        return found

    async def events(self) -> list[str]:
        """The recorded events' data, oldest first."""
        async with self.uow.reading() as tx:
            return list(await tx.session.scalars(select(EventRow.data).order_by(EventRow.id)))

    async def later(self, by: timedelta) -> bool:
        """Time passes and the job runs; whether it had something to do."""
        self.clock.advance(by.total_seconds())
        return await self.keys.run_due()


@dataclass(slots=True)
class Replicas:
    """Makes processes that share one database, and puts them away."""

    url: str
    opened: list[Database] = field(default_factory=list[Database])

    def __call__(self, *roots: bytes, rules: Rules = RULES, at: datetime = START) -> Replica:
        database = open_database(self.url)
        self.opened.append(database)
        clock = FrozenClock(at)
        uow = UnitOfWork(database, clock)
        sealer = Sealer(Keyring.of(roots or (ROOT,)))
        ring = SigningRing(uow, sealer, rules)
        return Replica(database, clock, uow, ring, Keys(uow, sealer, Audit(), ring, rules))


@pytest_asyncio.fixture
async def replicas(backend: Backend) -> AsyncIterator[Replicas]:
    """``replicas()`` is one more process on the same database."""
    made = Replicas(backend.database_url)
    yield made
    for database in made.opened:
        await database.dispose()


@pytest.fixture
def replica(replicas: Replicas) -> Replica:
    """A single process on an empty database."""
    return replicas()
