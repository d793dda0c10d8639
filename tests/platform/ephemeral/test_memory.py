"""What only the in-process store promises: the injected clock, and a bound on its memory."""

from datetime import UTC, datetime

import pytest

from authsvc.kernel.clock import FrozenClock
from authsvc.kernel.errors import Code, Refusal
from authsvc.platform.ephemeral.memory import MemoryStore
from authsvc.platform.ephemeral.port import Rate, Record


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(datetime(2026, 11, 24, 9, 0, tzinfo=UTC))


async def test_the_end_is_exact(clock: FrozenClock) -> None:
    store = MemoryStore(clock)
    await store.put_if_absent("k", b"v", ttl=10)
    clock.advance(9.999999)
    assert await store.get("k") == Record(b"v", 1)
    clock.advance(0.000001)
    assert await store.get("k") is None
    assert await store.take("k") is None
    assert await store.compare_and_set("k", b"w", version=0, ttl=10)


async def test_what_nobody_asks_for_goes_away(clock: FrozenClock) -> None:
    store = MemoryStore(clock)
    for number in range(1000):
        await store.put_if_absent(str(number), b"v", ttl=10)
    clock.advance(10)
    for number in range(1000):
        await store.put_if_absent(f"new {number}", b"v", ttl=10)
    assert len(store._cells) == 1000


async def test_a_steady_stream_keeps_at_most_twice_what_lives(clock: FrozenClock) -> None:
    store = MemoryStore(clock)
    for number in range(20_000):
        await store.put_if_absent(str(number), b"v", ttl=100)
        clock.advance(1)
        assert len(store._cells) <= 202


async def test_an_idle_bucket_costs_nothing(clock: FrozenClock) -> None:
    store = MemoryStore(clock)
    for number in range(2000):
        assert (await store.charge([Rate(f"address {number}", 300, 60)])).allowed
        clock.advance(0.1)
    assert len(store._cells) <= 6, "one charge of 300 a minute has come back after 0.2 s"


async def test_a_full_store_refuses_and_evicts_nothing(clock: FrozenClock) -> None:
    store = MemoryStore(clock, capacity=10_000)
    for number in range(10):
        assert await store.put_if_absent(str(number), b"v" * 600, ttl=10)
    with pytest.raises(Refusal) as refused:
        await store.put_if_absent("10", b"", ttl=10)
    assert refused.value.code is Code.STORE_UNAVAILABLE
    assert [await store.get(str(number)) for number in range(10)] == [Record(b"v" * 600, 1)] * 10
    for call in (
        store.compare_and_set("new", b"", version=0, ttl=10),
        store.compare_and_set("0", b"v" * 1000, version=1, ttl=10),
        store.charge([Rate("k", 3, 60)]),
    ):
        with pytest.raises(Refusal):
            await call
    assert await store.get("0") == Record(b"v" * 600, 1)
    assert await store.compare_and_set("0", b"shorter", version=1, ttl=10)


async def test_room_comes_back(clock: FrozenClock) -> None:
    store = MemoryStore(clock, capacity=10_000)
    for take in (True, False):
        for number in range(10):
            assert await store.put_if_absent(str(number), b"v" * 600, ttl=10)
        with pytest.raises(Refusal):
            await store.put_if_absent("more", b"v" * 600, ttl=10)
        for number in range(10):
            await (store.take(str(number)) if take else store.delete(str(number)))
    twenty = [Rate(str(number), 3, 60) for number in range(20)]
    assert (await store.charge(twenty)).allowed
    with pytest.raises(Refusal):
        await store.charge([Rate(f"new {number}", 3, 60) for number in range(20)])
    clock.advance(20)
    for number in range(12):
        assert (await store.charge([Rate(f"later {number}", 3, 60)])).allowed
    await store.aclose()
    for number in range(10):
        assert await store.put_if_absent(str(number), b"v" * 600, ttl=10)


async def test_a_refused_charge_charges_nothing(clock: FrozenClock) -> None:
    store = MemoryStore(clock, capacity=1000)
    with pytest.raises(Refusal):
        await store.charge([Rate(str(number), 1, 60) for number in range(3)])
    assert (await store.charge([Rate("0", 1, 60)])).allowed
