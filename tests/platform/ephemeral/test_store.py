"""One contract for both stores: memory and a real Redis."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authsvc.kernel.clock import FrozenClock, SystemClock
from authsvc.kernel.errors import Code, Refusal
from authsvc.platform.ephemeral.gcra import arrival
from authsvc.platform.ephemeral.memory import MemoryStore
from authsvc.platform.ephemeral.port import Ephemeral, Rate
from authsvc.platform.ephemeral.redis import RedisStore
from tests.live import free_port
from tests.servers import start_redis

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


@pytest.fixture(params=["memory", "redis"])
async def store(request: pytest.FixtureRequest, key_prefix: str) -> AsyncIterator[Ephemeral]:
    if request.param == "memory":
        found: Ephemeral = MemoryStore(SystemClock())
    else:
        url = request.getfixturevalue("redis_server").url
        found = RedisStore(url, prefix=key_prefix, timeout=2.0)
    yield found
    await found.aclose()


async def test_put_and_get(store: Ephemeral) -> None:
    assert await store.get("k") is None
    assert await store.put_if_absent("k", b"\x00one", ttl=60)
    assert not await store.put_if_absent("k", b"two", ttl=60)
    found = await store.get("k")
    assert found is not None
    assert (found.value, found.version) == (b"\x00one", 1)


async def test_one_taker(store: Ephemeral) -> None:
    await store.put_if_absent("k", b"v", ttl=60)
    taken = await asyncio.gather(*(store.take("k") for _ in range(20)))
    assert [value for value in taken if value is not None] == [b"v"]


async def test_compare_and_set(store: Ephemeral) -> None:
    assert not await store.compare_and_set("k", b"v", version=1, ttl=60)
    assert await store.compare_and_set("k", b"a", version=0, ttl=60)
    assert not await store.compare_and_set("k", b"b", version=0, ttl=60)
    results = await asyncio.gather(
        *(store.compare_and_set("k", b"%d" % n, version=1, ttl=60) for n in range(10))
    )
    assert results.count(True) == 1
    found = await store.get("k")
    assert found is not None
    assert found.version == 2


async def test_delete(store: Ephemeral) -> None:
    await store.put_if_absent("a", b"v", ttl=60)
    await store.put_if_absent("b", b"v", ttl=60)
    await store.delete("a", "b", "c")
    await store.delete()
    assert await store.get("a") is None
    assert await store.get("b") is None


async def test_charge_all_or_none(store: Ephemeral) -> None:
    wide, narrow = Rate("wide", 100, 60), Rate("narrow", 3, 60)
    for _ in range(3):
        assert (await store.charge([wide, narrow])).allowed
    refused = await store.charge([wide, narrow])
    assert not refused.allowed
    assert refused.key == "narrow"
    assert 0 < refused.retry_after <= 20
    left = 0
    while (await store.charge([wide])).allowed:
        left += 1
    assert 97 <= left <= 98


async def test_parallel_charges_never_pass_the_limit(store: Ephemeral) -> None:
    verdicts = await asyncio.gather(*(store.charge([Rate("k", 10, 600)]) for _ in range(40)))
    assert sum(verdict.allowed for verdict in verdicts) == 10


async def test_every_key_of_redis_has_an_end(redis_server: Any, key_prefix: str) -> None:
    store = RedisStore(redis_server.url, prefix=key_prefix, timeout=2.0)
    await store.put_if_absent("a", b"v", ttl=60)
    await store.compare_and_set("b", b"v", version=0, ttl=60)
    await store.charge([Rate("c", 3, 60)])
    client: Any = store._redis
    keys = [key async for key in client.scan_iter(match=f"{key_prefix}*")]
    assert len(keys) == 3
    assert all([await client.pttl(key) > 0 for key in keys])
    await store.aclose()


async def test_memory_forgets_by_the_clock() -> None:
    clock = FrozenClock(NOW)
    store = MemoryStore(clock)
    for number in range(1000):
        await store.put_if_absent(str(number), b"v", ttl=10)
    clock.advance(10)
    assert await store.get("5") is None
    for number in range(1000):
        await store.put_if_absent(f"new {number}", b"v", ttl=10)
    assert len(store._cells) <= 1001, "what nobody asks for goes away too"


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(gaps=st.lists(st.floats(0, 30), max_size=60), limit=st.integers(1, 8))
def test_gcra_never_grants_more_than_burst_and_refill(gaps: list[float], limit: int) -> None:
    rate = Rate("k", limit, 60.0)
    now, stored, granted = 0.0, None, 0
    for gap in gaps:
        now += gap
        due, wait = arrival(rate, stored=stored, now=now)
        if wait <= 1e-9:
            stored, granted = due, granted + 1
        assert granted <= limit + now * limit / 60.0 + 1e-6


class TestTrouble:
    @pytest.fixture
    def own_redis(self) -> Iterator[str]:
        with start_redis() as url:
            yield url

    async def test_nobody_there(self) -> None:
        store = RedisStore(f"redis://127.0.0.1:{free_port()}/0")
        with pytest.raises(Refusal) as refused:
            await store.get("k")
        assert refused.value.code is Code.STORE_UNAVAILABLE
        started = time.perf_counter()
        with pytest.raises(Refusal):
            await store.charge([Rate("k", 1, 1)])
        assert time.perf_counter() - started < 0.1, "the breaker answers at once"
        await store.aclose()

    async def test_frozen_then_back(self, own_redis: str) -> None:
        store = RedisStore(own_redis, timeout=0.25, breaker=0.0)
        await store.put_if_absent("k", b"v", ttl=60)
        client: Any = store._redis
        await client.execute_command("CLIENT", "PAUSE", "700", "ALL")
        with pytest.raises(Refusal) as refused:
            await store.get("k")
        assert refused.value.code is Code.STORE_UNAVAILABLE
        due = time.monotonic() + 10
        found = None
        while found is None and time.monotonic() < due:
            try:
                found = await store.get("k")
            except Refusal:
                await asyncio.sleep(0.05)
        assert found is not None
        assert found.value == b"v", "no answer was mistaken for another's"
        await store.aclose()

    async def test_flushed_scripts_come_back(self, own_redis: str) -> None:
        store = RedisStore(own_redis, timeout=2.0)
        assert await store.put_if_absent("k", b"v", ttl=60)
        client: Any = store._redis
        await client.script_flush()
        await client.flushall()
        assert await store.put_if_absent("k", b"w", ttl=60)
        await store.aclose()

    async def test_full(self, own_redis: str) -> None:
        store = RedisStore(own_redis, timeout=2.0, breaker=0.0)
        client: Any = store._redis
        await client.config_set("maxmemory-policy", "noeviction")
        await client.config_set("maxmemory", "1")
        with pytest.raises(Refusal) as refused:
            await store.put_if_absent("k", b"v" * 1000, ttl=60)
        assert refused.value.code is Code.STORE_UNAVAILABLE
        await store.aclose()

    async def test_a_cancelled_call_poisons_nothing(self, own_redis: str) -> None:
        store = RedisStore(own_redis, timeout=2.0)
        for number in range(20):
            await store.put_if_absent(str(number), b"%d" % number, ttl=60)
        for number in range(100):
            call = asyncio.create_task(store.get("1"))
            await asyncio.sleep(0)
            if number % 2:
                await asyncio.sleep(0.0005)
            call.cancel()
            found = await store.get("7")
            assert found is not None
            assert found.value == b"7"
        await store.aclose()
