"""Attempt budgets and recipient caps: SQL counters that no flush resets. Spec: security.md B5."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError
from sqlalchemy import func, select

from authsvc.guesses import repo
from authsvc.guesses.service import Caps, Guesses
from authsvc.guesses.settings import GuessSettings, MailCapSettings
from authsvc.guesses.tables import Guess
from authsvc.kernel.clock import FrozenClock
from authsvc.kernel.errors import Code, Refusal
from authsvc.platform.db.engine import DatabaseSettings, open_database
from authsvc.platform.db.uow import UnitOfWork
from tests.databases import Backend
from tests.live import free_port

MANY = 16
MINUTE, HOUR, DAY = 60, 3600, 86400
PATIENT = DatabaseSettings(pool=2, statement=15, lock=15)


@dataclass(slots=True)
class Counters:
    """One process's way to the counters."""

    uow: UnitOfWork
    clock: FrozenClock

    @property
    def guesses(self) -> Guesses:
        return Guesses(self.uow, GuessSettings())

    async def spend(self, key: str = "ann", scope: str = "first", maximum: int = 10) -> int | None:
        """One try at the default budget of a first step."""
        return await self.guesses.spend(scope, key, maximum=maximum, window=900)

    async def mail(self, recipient: str = "ann", *, own: bool = False) -> int | None:
        """One message, if the caps allow it: None, or the seconds to wait."""
        async with self.uow() as tx:
            wait = await Caps(MailCapSettings()).spend_mail(tx, recipient, own=own)
            if wait is not None:
                await tx.session.rollback()
        return wait

    async def give_back(self, key: str = "ann", scope: str = "first") -> None:
        """What a success does with its own try."""
        async with self.uow() as tx:
            await self.guesses.give_back(tx, scope, key)

    async def rows(self) -> int:
        async with self.uow.reading() as tx:
            found = await tx.session.execute(select(func.count()).select_from(Guess))
        return found.scalar_one()


@pytest.fixture
async def many(backend: Backend) -> AsyncIterator[list[Counters]]:
    """Processes with connections of their own to one database, and one clock."""
    clock = FrozenClock(datetime(2026, 11, 24, 9, 0, tzinfo=UTC))
    async with AsyncExitStack() as closing:
        found: list[Counters] = []
        for _ in range(MANY):
            database = open_database(backend.database_url, PATIENT)
            closing.push_async_callback(database.dispose)
            found.append(Counters(UnitOfWork(database, clock), clock))
        await found[0].rows()  # the first connection ever sets SQLite's journal mode, alone
        yield found


@pytest.fixture
def counters(many: list[Counters]) -> Counters:
    return many[0]


class TestBudget:
    async def test_the_last_try_is_granted_and_the_next_is_not(self, counters: Counters) -> None:
        assert [await counters.spend() for _ in range(12)] == [*range(1, 11), None, None]

    async def test_each_account_and_scope_has_its_own(self, counters: Counters) -> None:
        for _ in range(11):
            await counters.spend("ann", "first")
        assert await counters.spend("ann", "first") is None
        assert await counters.spend("bob", "first") == 1
        assert await counters.spend("ann", "second") == 1, "strangers lock no second step"

    async def test_a_refused_try_moves_nothing(self, counters: Counters) -> None:
        for _ in range(10):
            await counters.spend()
        for _ in range(5):
            counters.clock.advance(100)
            assert await counters.spend() is None
        assert await counters.guesses.used("first", "ann", window=900) == 10
        assert await counters.guesses.retry_after("first", "ann", window=900) == 400

    async def test_the_window_ends(self, counters: Counters) -> None:
        await counters.spend()
        counters.clock.advance(500)
        for _ in range(9):
            await counters.spend()
        counters.clock.advance(399)
        assert await counters.spend() is None
        assert await counters.guesses.retry_after("first", "ann", window=900) == 1
        counters.clock.advance(1)
        assert await counters.guesses.used("first", "ann", window=900) == 0
        assert [await counters.spend() for _ in range(11)] == [*range(1, 11), None]
        assert await counters.guesses.retry_after("first", "ann", window=900) == 900

    async def test_success_gives_back_its_own_try_only(self, counters: Counters) -> None:
        for _ in range(10):
            await counters.spend()
        await counters.give_back()
        assert await counters.guesses.used("first", "ann", window=900) == 9
        assert [await counters.spend() for _ in range(2)] == [10, None]

    async def test_nothing_can_be_earned(self, counters: Counters) -> None:
        for _ in range(3):
            await counters.give_back()
        assert await counters.rows() == 0
        await counters.spend()
        for _ in range(3):
            await counters.give_back()
        assert [await counters.spend() for _ in range(11)] == [*range(1, 11), None]

    async def test_a_try_stays_spent_whatever_becomes_of_the_journey(
        self, counters: Counters
    ) -> None:
        used = await counters.spend()
        async with counters.uow() as tx:
            await tx.session.rollback()
        assert used == 1
        assert await counters.guesses.used("first", "ann", window=900) == 1

    @pytest.mark.parametrize("maximum", [1, 5, 10])
    async def test_parallel_tries_never_pass_the_maximum(
        self, many: list[Counters], maximum: int
    ) -> None:
        tries = await asyncio.gather(*(one.spend(maximum=maximum) for one in many))
        granted = sorted(one for one in tries if one is not None)
        assert granted == list(range(1, maximum + 1))
        many[0].clock.advance(900)
        tries = await asyncio.gather(*(one.spend(maximum=maximum) for one in many))
        granted = sorted(one for one in tries if one is not None)
        assert granted == list(range(1, maximum + 1)), "nor when a window ends"

    async def test_without_a_database_nothing_is_granted(self) -> None:
        database = open_database(f"postgresql://nobody@127.0.0.1:{free_port()}/none", PATIENT)
        clock = FrozenClock(datetime(2026, 11, 24, 9, 0, tzinfo=UTC))
        with pytest.raises(Refusal) as refused:
            await Counters(UnitOfWork(database, clock), clock).spend()
        assert refused.value.code is Code.STORE_UNAVAILABLE
        await database.dispose()


class TestMailCaps:
    async def test_a_pause_between_two(self, counters: Counters) -> None:
        assert await counters.mail() is None
        assert await counters.mail() == 30
        counters.clock.advance(29)
        assert await counters.mail() == 1
        counters.clock.advance(1)
        assert await counters.mail() is None

    async def test_the_hour_and_the_day(self, counters: Counters) -> None:
        for _ in range(5):
            assert await counters.mail() is None
            counters.clock.advance(30)
        assert await counters.mail() == HOUR - 150
        counters.clock.advance(HOUR - 150)
        for _ in range(5):
            assert await counters.mail() is None
            counters.clock.advance(30)
        counters.clock.advance(HOUR)
        assert await counters.mail() == DAY - 2 * HOUR - 150
        counters.clock.advance(DAY - 2 * HOUR - 150)
        assert await counters.mail() is None

    async def test_whoever_asks_all_day_gets_ten(self, counters: Counters) -> None:
        sent = 0
        for _ in range(DAY // 311):
            sent += await counters.mail() is None
            counters.clock.advance(311)
        assert sent == 10

    async def test_recipients_are_apart(self, counters: Counters) -> None:
        assert await counters.mail("ann") is None
        assert await counters.mail("bob") is None

    async def test_a_known_browser_has_its_own(self, counters: Counters) -> None:
        for _ in range(5):
            assert await counters.mail() is None
            counters.clock.advance(30)
        assert await counters.mail() is not None
        for _ in range(3):
            assert await counters.mail(own=True) is None
            counters.clock.advance(30)
        assert await counters.mail(own=True) == HOUR - 90
        counters.clock.advance(HOUR)
        for _ in range(3):
            assert await counters.mail(own=True) is None
            counters.clock.advance(30)
        counters.clock.advance(HOUR)
        assert await counters.mail(own=True) == DAY - 2 * HOUR - 180, "six a day"

    async def test_all_are_charged_or_none(self, counters: Counters) -> None:
        for _ in range(5):
            await counters.mail()
            counters.clock.advance(30)
        before = await counters.rows()
        for _ in range(20):
            assert await counters.mail() is not None
        async with counters.uow.reading() as tx:
            day = await repo.read(tx, "mail any day", "ann", window=DAY)
            pause = await repo.read(tx, "mail any pause", "ann", window=30)
        assert day[0] == 5, "what the hour refused the day did not count"
        assert pause == (0, 0)
        assert await counters.rows() == before

    async def test_parallel_asks_send_one(self, many: list[Counters]) -> None:
        for _ in range(3):
            waits = await asyncio.gather(*(one.mail() for one in many))
            assert waits.count(None) == 1
            assert {wait for wait in waits if wait is not None} == {30}
            many[0].clock.advance(30)

    async def test_a_pause_as_long_as_another_window_counts_by_itself(
        self, counters: Counters
    ) -> None:
        caps = Caps(MailCapSettings(pause=HOUR))
        async with counters.uow() as tx:
            assert await caps.spend_mail(tx, "ann", own=False) is None
        async with counters.uow.reading() as tx:
            assert (await repo.read(tx, "mail any hour", "ann", window=HOUR))[0] == 1
            assert (await repo.read(tx, "mail any pause", "ann", window=HOUR))[0] == 1


class TestSweep:
    async def test_only_what_is_over_goes(self, counters: Counters) -> None:
        await counters.spend("old")
        counters.clock.advance(1)
        await counters.spend("new")
        counters.clock.advance(DAY - 1)
        async with counters.uow() as tx:
            assert await counters.guesses.sweep(tx) == 1
        assert await counters.rows() == 1

    @pytest.mark.parametrize(
        "change", [{"window": DAY + 1}, {"window": 59}, {"first": 0}, {"flow": 11}]
    )
    def test_no_window_outlives_the_sweep(self, change: dict[str, int]) -> None:
        with pytest.raises(ValidationError):
            GuessSettings(**change)
        with pytest.raises(ValidationError):
            MailCapSettings(pause=DAY + 1)
