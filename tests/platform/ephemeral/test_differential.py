"""Memory and Redis, told the same things, answer the same things."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from authsvc.kernel.clock import FrozenClock
from authsvc.platform.ephemeral.memory import MemoryStore
from authsvc.platform.ephemeral.port import Ephemeral, Rate
from authsvc.platform.ephemeral.redis import RedisStore
from tests.scale import pick, report

# Ends, waits and steps of the clock are whole minutes, so that the instants which real time
# spends on a test tip no verdict.
MINUTE = 60.0
EXAMPLES = pick(ci=60, soak=1000)
KEYS = st.sampled_from(["a", "b", "c"])
VALUES = st.binary(max_size=4)
ENDS = st.sampled_from([MINUTE, 2 * MINUTE, 10 * MINUTE])
VERSIONS = st.integers(0, 4)
RATES = st.lists(
    st.sampled_from(
        [
            Rate("rate 1", 1, MINUTE),
            Rate("rate 2", 2, 2 * MINUTE),
            Rate("rate 3", 3, 9 * MINUTE),
            Rate("rate 7", 7, 7 * MINUTE),
        ]
    ),
    max_size=3,
)
# What the passing of time does to the keys of a prefix: record ends and bucket times come nearer.
PASS = """
for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do
  local left = redis.call('PTTL', key) - ARGV[2] * 1000
  if left <= 0 then
    redis.call('DEL', key)
  else
    if redis.call('TYPE', key).ok == 'string' then
      local due = redis.call('GET', key) - ARGV[2] * 1000000
      redis.call('SET', key, string.format('%.0f', due))
    end
    redis.call('PEXPIRE', key, left)
  end
end
"""


def machine_for(url: str, prefix: str) -> type[RuleBasedStateMachine]:
    """The machine that plays both stores, with a fresh prefix for each run."""

    class BothStores(RuleBasedStateMachine):
        runs = 0

        @initialize()
        def open(self) -> None:
            type(self).runs += 1
            self.prefix = f"{prefix}{self.runs}:"
            self.runner = asyncio.Runner()
            self.clock = FrozenClock(datetime(2026, 11, 24, 9, 0, tzinfo=UTC))
            self.memory = MemoryStore(self.clock)
            self.redis = RedisStore(url, prefix=self.prefix, timeout=5.0)
            self.plain: Any = redis.Redis.from_url(url)

        def both(self, call: Any) -> tuple[Any, Any]:
            async def one(store: Ephemeral) -> Any:
                return await call(store)

            return self.runner.run(one(self.memory)), self.runner.run(one(self.redis))

        def alike(self, call: Any) -> None:
            here, there = self.both(call)
            assert here == there

        @rule(key=KEYS, value=VALUES, ttl=ENDS)
        def put(self, key: str, value: bytes, ttl: float) -> None:
            self.alike(lambda store: store.put_if_absent(key, value, ttl=ttl))

        @rule(key=KEYS)
        def get(self, key: str) -> None:
            self.alike(lambda store: store.get(key))

        @rule(key=KEYS)
        def take(self, key: str) -> None:
            self.alike(lambda store: store.take(key))

        @rule(key=KEYS, value=VALUES, version=VERSIONS, ttl=ENDS)
        def write(self, key: str, value: bytes, version: int, ttl: float) -> None:
            self.alike(lambda store: store.compare_and_set(key, value, version=version, ttl=ttl))

        @rule(key=KEYS, value=VALUES, ttl=ENDS)
        def write_what_was_read(self, key: str, value: bytes, ttl: float) -> None:
            async def call(store: Ephemeral) -> bool:
                found = await store.get(key)
                version = found.version if found else 0
                return await store.compare_and_set(key, value, version=version, ttl=ttl)

            self.alike(call)

        @rule(keys=st.lists(KEYS, max_size=3))
        def delete(self, keys: list[str]) -> None:
            self.alike(lambda store: store.delete(*keys))

        @rule(rates=RATES)
        def charge(self, rates: list[Rate]) -> None:
            here, there = self.both(lambda store: store.charge(rates))
            assert (here.allowed, here.key) == (there.allowed, there.key)
            assert here.retry_after - 30 < there.retry_after <= here.retry_after

        @rule(rates=RATES, times=st.integers(2, 8))
        def charge_often(self, rates: list[Rate], times: int) -> None:
            for _ in range(times):
                self.charge(rates)

        @rule(minutes=st.integers(1, 5))
        def time_passes(self, minutes: int) -> None:
            self.clock.advance(minutes * MINUTE)
            self.plain.eval(PASS, 0, self.prefix, minutes * 60)

        def teardown(self) -> None:
            self.runner.run(self.redis.aclose())
            self.runner.close()
            self.plain.close()

    return BothStores


def test_the_stores_agree(redis_server: Any, key_prefix: str) -> None:
    machine = machine_for(redis_server.url, key_prefix)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
    assert machine.runs >= EXAMPLES  # pyright: ignore[reportAttributeAccessIssue]
    report("Memory and Redis alike", examples=EXAMPLES, steps_at_most=40, differences=0)


@pytest.mark.parametrize("minutes", [1, 2, 9])
async def test_time_passes_for_redis_too(redis_server: Any, key_prefix: str, minutes: int) -> None:
    """The step that moves Redis's time moves it indeed."""
    store = RedisStore(redis_server.url, prefix=key_prefix, timeout=5.0)
    rate = Rate("rate", 1, 9 * MINUTE)
    await store.put_if_absent("k", b"v", ttl=2 * MINUTE)
    assert (await store.charge([rate])).allowed
    with redis.Redis.from_url(redis_server.url) as plain:
        plain.eval(PASS, 0, key_prefix, minutes * 60)
    assert (await store.get("k") is None) == (minutes >= 2)
    verdict = await store.charge([rate])
    assert verdict.allowed == (minutes >= 9)
    if not verdict.allowed:
        assert (9 - minutes - 0.5) * MINUTE < verdict.retry_after <= (9 - minutes) * MINUTE
    await store.aclose()
