"""One contract for both stores: memory and a real Redis."""

import asyncio
import time
from typing import Any

import pytest

from authsvc.platform.ephemeral.port import Ephemeral, Rate, Record
from authsvc.platform.ephemeral.redis import RedisStore

DAY = 86400.0


async def test_put_and_get(store: Ephemeral) -> None:
    assert await store.get("k") is None
    assert await store.put_if_absent("k", b"\x00one\xff", ttl=60)
    assert not await store.put_if_absent("k", b"two", ttl=60)
    assert await store.get("k") == Record(b"\x00one\xff", 1)


async def test_an_empty_value_is_a_value(store: Ephemeral) -> None:
    assert await store.put_if_absent("k", b"", ttl=60)
    assert not await store.put_if_absent("k", b"other", ttl=60)
    assert await store.get("k") == Record(b"", 1)
    assert await store.take("k") == b""


async def test_values_of_any_size(store: Ephemeral) -> None:
    value = bytes(range(256)) * 256
    assert await store.put_if_absent("k", value, ttl=60)
    assert await store.take("k") == value


@pytest.mark.parametrize("key", ["a b", "ключ", "a:b\n", "{x}", "*", "k" * 500])
async def test_any_text_is_a_key(store: Ephemeral, key: str) -> None:
    assert await store.put_if_absent(key, b"v", ttl=60)
    assert (await store.charge([Rate(key + "!", 1, 60)])).allowed
    assert (await store.charge([Rate(key + "!", 1, 60)])).key == key + "!"
    assert await store.take(key) == b"v"


async def test_one_putter(store: Ephemeral) -> None:
    won = await asyncio.gather(
        *(store.put_if_absent("k", b"%d" % number, ttl=60) for number in range(20))
    )
    assert won.count(True) == 1
    found = await store.get("k")
    assert found == Record(b"%d" % won.index(True), 1)


async def test_one_taker(store: Ephemeral) -> None:
    await store.put_if_absent("k", b"v", ttl=60)
    taken = await asyncio.gather(*(store.take("k") for _ in range(20)))
    assert [value for value in taken if value is not None] == [b"v"]
    assert await store.get("k") is None
    assert await store.put_if_absent("k", b"w", ttl=60), "what was taken leaves the key free"


async def test_compare_and_set(store: Ephemeral) -> None:
    assert not await store.compare_and_set("k", b"v", version=1, ttl=60)
    assert await store.get("k") is None, "a refused write writes nothing"
    assert await store.compare_and_set("k", b"a", version=0, ttl=60)
    assert not await store.compare_and_set("k", b"b", version=0, ttl=60)
    results = await asyncio.gather(
        *(store.compare_and_set("k", b"%d" % n, version=1, ttl=60) for n in range(10))
    )
    assert results.count(True) == 1
    assert await store.get("k") == Record(b"%d" % results.index(True), 2)


async def test_versions_count_up(store: Ephemeral) -> None:
    for version in range(12):
        assert await store.compare_and_set("k", b"v", version=version, ttl=60)
        assert not await store.compare_and_set("k", b"v", version=version, ttl=60)
    found = await store.get("k")
    assert found is not None
    assert found.version == 12


async def test_a_put_record_is_at_its_first_version(store: Ephemeral) -> None:
    await store.put_if_absent("k", b"a", ttl=60)
    assert not await store.compare_and_set("k", b"b", version=0, ttl=60)
    assert await store.compare_and_set("k", b"b", version=1, ttl=60)
    await store.take("k")
    assert not await store.compare_and_set("k", b"c", version=2, ttl=60), "taken is taken"


async def test_delete(store: Ephemeral) -> None:
    await store.put_if_absent("a", b"v", ttl=60)
    await store.put_if_absent("b", b"v", ttl=60)
    await store.delete("a", "b", "c")
    await store.delete()
    assert await store.get("a") is None
    assert await store.get("b") is None


async def test_records_end(store: Ephemeral) -> None:
    begun = time.monotonic()
    await store.put_if_absent("put", b"v", ttl=0.3)
    await store.compare_and_set("set", b"v", version=0, ttl=0.3)
    await store.put_if_absent("stays", b"v", ttl=60)
    while await store.get("put") is not None or await store.get("set") is not None:
        assert time.monotonic() - begun < 10
        await asyncio.sleep(0.01)
    assert time.monotonic() - begun >= 0.29
    assert await store.take("put") is None
    assert not await store.compare_and_set("set", b"w", version=1, ttl=60)
    assert await store.put_if_absent("put", b"w", ttl=60)
    assert await store.get("stays") == Record(b"v", 1)


async def test_a_write_gives_a_new_end(store: Ephemeral) -> None:
    await store.put_if_absent("longer", b"v", ttl=0.3)
    await store.compare_and_set("longer", b"w", version=1, ttl=60)
    await store.put_if_absent("shorter", b"v", ttl=60)
    await store.compare_and_set("shorter", b"w", version=1, ttl=0.3)
    begun = time.monotonic()
    while await store.get("shorter") is not None:
        assert time.monotonic() - begun < 10
        await asyncio.sleep(0.01)
    assert await store.get("longer") == Record(b"w", 2)


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 9, 11, 13, 30, 59, 300])
async def test_a_burst_is_the_whole_limit(store: Ephemeral, limit: int) -> None:
    for _ in range(limit):
        assert (await store.charge([Rate("k", limit, DAY)])).allowed
    refused = await store.charge([Rate("k", limit, DAY)])
    assert not refused.allowed
    assert refused.key == "k"
    assert DAY / limit - 30 < refused.retry_after <= DAY / limit


async def test_charge_all_or_none(store: Ephemeral) -> None:
    wide, narrow = Rate("wide", 100, DAY), Rate("narrow", 3, DAY)
    for _ in range(3):
        assert (await store.charge([wide, narrow])).allowed
    for order in ([wide, narrow], [narrow, wide]) * 5:
        refused = await store.charge(order)
        assert not refused.allowed
        assert refused.key == "narrow"
    left = 0
    while (await store.charge([wide])).allowed:
        left += 1
    assert left == 97


async def test_no_rate_refuses_nothing(store: Ephemeral) -> None:
    assert (await store.charge([])).allowed


async def test_the_same_key_twice_is_charged_once(store: Ephemeral) -> None:
    rate = Rate("k", 2, DAY)
    verdicts = [(await store.charge([rate, rate])).allowed for _ in range(3)]
    assert verdicts == [True, True, False]


async def test_a_bucket_refills(store: Ephemeral) -> None:
    rate = Rate("k", 2, 0.6)
    begun, granted = time.monotonic(), 0
    while granted < 4:
        granted += (await store.charge([rate])).allowed
        assert time.monotonic() - begun < 10
        await asyncio.sleep(0.005)
    assert time.monotonic() - begun >= 0.58, "two at once, then one for each 0.3 s"


async def test_parallel_charges_never_pass_the_limit(store: Ephemeral) -> None:
    verdicts = await asyncio.gather(*(store.charge([Rate("k", 10, 600)]) for _ in range(40)))
    assert sum(verdict.allowed for verdict in verdicts) == 10


async def test_ping(store: Ephemeral) -> None:
    await store.ping()


async def test_every_key_of_redis_has_an_end(redis_server: Any, key_prefix: str) -> None:
    store = RedisStore(redis_server.url, prefix=key_prefix, timeout=5.0)
    await store.put_if_absent("a", b"v", ttl=60)
    await store.compare_and_set("b", b"v", version=0, ttl=60)
    await store.compare_and_set("b", b"v", version=1, ttl=60)
    await store.charge([Rate("c", 3, 60)])
    client: Any = store._redis
    keys = [key async for key in client.scan_iter(match=f"{key_prefix}*")]
    assert len(keys) == 3
    assert all([0 < await client.pttl(key) <= 60_000 for key in keys])
    await store.aclose()


async def test_prefixes_keep_apart(redis_server: Any, key_prefix: str) -> None:
    one = RedisStore(redis_server.url, prefix=key_prefix + "1:", timeout=5.0)
    two = RedisStore(redis_server.url, prefix=key_prefix + "2:", timeout=5.0)
    await one.put_if_absent("k", b"v", ttl=60)
    await one.charge([Rate("r", 1, 60)])
    assert await two.get("k") is None
    assert (await two.charge([Rate("r", 1, 60)])).allowed
    await one.aclose()
    await two.aclose()
