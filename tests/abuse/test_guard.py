"""Rate limits of the doors. Spec: security.md B5, C03, C11, C13, C58."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from authsvc.abuse.limits import Away, LimitName, LimitSettings
from authsvc.abuse.service import Guard
from authsvc.kernel.clock import FrozenClock, SystemClock
from authsvc.kernel.errors import Code, Refusal
from authsvc.platform.ephemeral.memory import MemoryStore
from authsvc.platform.ephemeral.port import Ephemeral
from authsvc.platform.ephemeral.redis import RedisStore
from tests.live import free_port

HOME, WORK = "203.0.113.9", "198.51.100.7"
SHARED = [name for name in LimitName if LimitSettings().of(name).away is Away.CLOSED]
LOCAL = [name for name in LimitName if LimitSettings().of(name).away is Away.LOCAL]


async def granted(call: Awaitable[None]) -> bool:
    """Whether a call gets through; its refusal must be the limit's."""
    try:
        await call
    except Refusal as refusal:
        if refusal.code is not Code.RATE_LIMITED or not 1 <= (refusal.retry_after or 0) <= 60:
            raise
        return False
    return True


@dataclass(slots=True)
class Door:
    """A guard, and how many calls in a row it admits."""

    guard: Guard

    async def admits(self, name: LimitName, address: str) -> int:
        """Calls until the first refusal, at most a hundred."""
        for number in range(100):
            if not await granted(self.guard.admit(name, address)):
                return number
        return 100


def guard_over(store: Ephemeral, **settings: int) -> Guard:
    return Guard(store, MemoryStore(SystemClock()), LimitSettings(**settings))


@pytest.fixture(params=["memory", "redis"])
async def store(request: pytest.FixtureRequest, key_prefix: str) -> AsyncIterator[Ephemeral]:
    found: Ephemeral = MemoryStore(SystemClock())
    if request.param == "redis":
        url = request.getfixturevalue("redis_server").url
        found = RedisStore(url, prefix=key_prefix, timeout=5.0)
    yield found
    await found.aclose()


@pytest.mark.parametrize(
    ("name", "per_address", "per_site", "away"),
    [
        (LimitName.SIGN_IN, 30, 300, Away.CLOSED),
        (LimitName.VERIFY, 60, 600, Away.CLOSED),
        (LimitName.REFRESH, 300, 3000, Away.LOCAL),
        (LimitName.READ, 600, 6000, Away.LOCAL),
        (LimitName.PUBLIC, 6000, 60000, Away.LOCAL),
    ],
)
def test_the_table(name: LimitName, per_address: int, per_site: int, away: Away) -> None:
    limit = LimitSettings().of(name)
    assert (limit.per_address, limit.per_site, limit.away) == (per_address, per_site, away)


@pytest.mark.parametrize("change", [{"sign_in": 0}, {"both": -1}, {"logout": 5}])
def test_no_limit_can_be_switched_off(change: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        LimitSettings(**change)


# Two a minute: none comes back before thirty seconds are over, however slow the machine.
async def test_an_address_is_stopped_and_the_others_are_not(store: Ephemeral) -> None:
    door = Door(guard_over(store, sign_in=2, verify=2, refresh=2, read=2, public=2))
    for name in LimitName:
        assert await door.admits(name, HOME) == 2
        assert await door.admits(name, WORK) == 2, "another address"
        assert await door.admits(name, HOME) == 0


async def test_aliases_count_as_one(store: Ephemeral) -> None:
    door = Door(guard_over(store, sign_in=2))
    assert await door.admits(LimitName.SIGN_IN, HOME) == 2
    for alias in (f"::ffff:{HOME}", "64:ff9b::203.0.113.9", "::ffff:cb00:7109%eth0"):
        assert await door.admits(LimitName.SIGN_IN, alias) == 0


async def test_a_house_with_many_addresses(store: Ephemeral) -> None:
    door = Door(guard_over(store, sign_in=2))
    assert await door.admits(LimitName.SIGN_IN, "2001:db8:1:1::1") == 2
    assert await door.admits(LimitName.SIGN_IN, "2001:db8:1:1:ffff::2") == 0, "one /64"
    admitted = 2
    for network in range(2, 40):
        admitted += await door.admits(LimitName.SIGN_IN, f"2001:db8:1:{network}::1")
    assert admitted == 20, "ten times as much for the /48"
    assert await door.admits(LimitName.SIGN_IN, "2001:db8:2:1::1") == 2, "the neighbours"


async def test_a_stopped_network_costs_its_site_nothing(store: Ephemeral) -> None:
    """All buckets are charged or none: one busy /64 cannot use up the /48."""
    door = Door(guard_over(store, sign_in=2))
    await door.admits(LimitName.SIGN_IN, "2001:db8:1:1::1")
    for _ in range(50):
        assert await door.admits(LimitName.SIGN_IN, "2001:db8:1:1::1") == 0
    admitted = 0
    for network in range(2, 40):
        admitted += await door.admits(LimitName.SIGN_IN, f"2001:db8:1:{network}::1")
    assert admitted == 18


async def test_without_an_address_all_share_one_bucket(store: Ephemeral) -> None:
    door = Door(guard_over(store, sign_in=2))
    assert await door.admits(LimitName.SIGN_IN, "") == 2
    assert await door.admits(LimitName.SIGN_IN, "unknown") == 0


async def test_parallel_calls_never_pass_the_limit(store: Ephemeral) -> None:
    guard = guard_over(store, sign_in=5)
    calls = (guard.admit(LimitName.SIGN_IN, HOME) for _ in range(40))
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert outcomes.count(None) == 5


async def test_a_name_is_slowed_for_one_address_only(store: Ephemeral) -> None:
    """Nobody can keep the owner of a name out by asking for it from elsewhere."""
    guard = guard_over(store, both=2)

    async def asks(address: str, name: str = "ann") -> bool:
        return await granted(guard.identifier(address, name))

    assert [await asks(HOME) for _ in range(3)] == [True, True, False]
    assert not await asks(f"::ffff:{HOME}")
    assert await asks(HOME, "bob")
    assert await asks(WORK)
    for number in range(20):
        assert await asks(f"198.51.100.{number + 10}")
    assert await asks(WORK)


async def test_the_wait_is_honest() -> None:
    clock = FrozenClock(datetime(2026, 11, 24, 9, 0, tzinfo=UTC))
    guard = Guard(MemoryStore(clock), MemoryStore(clock), LimitSettings(sign_in=3))
    for _ in range(3):
        await guard.admit(LimitName.SIGN_IN, HOME)
    clock.advance(0.5)
    with pytest.raises(Refusal) as refused:
        await guard.admit(LimitName.SIGN_IN, HOME)
    assert refused.value.retry_after == 20
    clock.advance(19.4)
    with pytest.raises(Refusal) as refused:
        await guard.admit(LimitName.SIGN_IN, HOME)
    assert refused.value.retry_after == 1
    assert HOME not in refused.value.log, "no address in the log"
    clock.advance(0.1)
    await guard.admit(LimitName.SIGN_IN, HOME)


class TestStoreAway:
    @pytest.fixture
    async def guard(self) -> AsyncIterator[Guard]:
        store = RedisStore(f"redis://127.0.0.1:{free_port()}/0")
        yield guard_over(store, refresh=2, read=2, public=2)
        await store.aclose()

    @pytest.mark.parametrize("name", SHARED)
    async def test_sign_in_and_proof_are_refused(self, guard: Guard, name: LimitName) -> None:
        with pytest.raises(Refusal) as refused:
            await guard.admit(name, HOME)
        assert refused.value.code is Code.STORE_UNAVAILABLE
        with pytest.raises(Refusal) as refused:
            await guard.identifier(HOME, "ann")
        assert refused.value.code is Code.STORE_UNAVAILABLE

    @pytest.mark.parametrize("name", LOCAL)
    async def test_the_rest_goes_on_and_is_still_limited(
        self, guard: Guard, name: LimitName
    ) -> None:
        assert await Door(guard).admits(name, HOME) == 2
        assert await Door(guard).admits(name, WORK) == 2
