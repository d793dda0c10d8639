"""The Redis store. Scripts stay within what Redis 6.2 and Valkey 7.2 understand."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from redis.asyncio import Redis
from redis.asyncio.connection import ConnectionPool
from redis.commands.core import AsyncScript
from redis.exceptions import RedisError
from redis.maint_notifications import MaintNotificationsConfig

from authsvc.kernel.errors import Code, Refusal
from authsvc.platform.ephemeral.gcra import MICROS, intervals
from authsvc.platform.ephemeral.port import Rate, Record, Verdict

Answer = TypeVar("Answer")

_PUT = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'v', ARGV[1], 'n', 1)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
"""
_TAKE = """
local v = redis.call('HGET', KEYS[1], 'v')
if v then redis.call('DEL', KEYS[1]) end
return v
"""
_SET = """
local n = redis.call('HGET', KEYS[1], 'n')
if (n or '0') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'v', ARGV[1], 'n', ARGV[2] + 1)
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
"""
# For each key: period and interval in microseconds, as gcra has it. All are charged or none.
_CHARGE = """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local due = {}
for i, key in ipairs(KEYS) do
  local period, interval = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local start = math.max(tonumber(redis.call('GET', key) or now), now)
  due[i] = math.min(start, now + period) + interval
  local wait = due[i] - period - now
  if wait > 0 then return {i, wait} end
end
for i, key in ipairs(KEYS) do
  redis.call('SET', key, string.format('%.0f', due[i]), 'PX', math.ceil((due[i] - now) / 1000))
end
return {0, 0}
"""
_CONNECTIONS = 50  # at a time; further calls wait their turn within their time-out


@dataclass(slots=True)
class RedisStore:
    """Each step of a call waits ``timeout`` seconds at most, a whole call twice that.

    No call is repeated. After a failure calls are refused at once for ``breaker`` seconds, then
    one is let through to try: a dead server costs one time-out and not one for each request.
    A call that is cancelled closes its connection: the next user of it must not read somebody
    else's answer.
    """

    url: str
    prefix: str = "authsvc:"
    timeout: float = 0.25
    breaker: float = 1.0
    _redis: Redis = field(init=False)
    _pool: ConnectionPool = field(init=False)
    _scripts: dict[str, AsyncScript] = field(init=False)
    _turns: asyncio.Semaphore = field(init=False)
    _next_try: float | None = field(default=None, init=False)  # a time while the breaker is open

    def __post_init__(self) -> None:
        self._pool = cast(Any, ConnectionPool).from_url(
            self.url,
            socket_timeout=self.timeout,
            socket_connect_timeout=self.timeout,
            retry=None,
            health_check_interval=0,
            # With these on, the pool hands out connections that the server has closed, or that
            # still hold another call's answer; and the server may stretch our time-outs.
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
        )
        self._redis = Redis(connection_pool=self._pool)
        self._turns = asyncio.Semaphore(_CONNECTIONS)
        self._scripts = {
            text: self._redis.register_script(text) for text in (_PUT, _TAKE, _SET, _CHARGE)
        }

    async def _call(self, run: Callable[[], Awaitable[Answer]]) -> Answer:
        clock = asyncio.get_running_loop().time
        self._require_closed(clock())
        try:
            async with asyncio.timeout(self.timeout * 2), self._turns:
                self._require_closed(clock())
                if self._next_try is not None:  # this call tries, the others go on failing
                    self._next_try = clock() + self.breaker
                answer = await run()
        except (RedisError, OSError, TimeoutError) as error:
            self._next_try = clock() + self.breaker
            await self._drop_idle()
            raise Refusal(Code.STORE_UNAVAILABLE, log=f"store: {type(error).__name__}") from error
        self._next_try = None
        return answer

    def _require_closed(self, now: float) -> None:
        if self._next_try is not None and now < self._next_try:
            raise Refusal(Code.STORE_UNAVAILABLE, log="store: breaker open")

    async def _drop_idle(self) -> None:
        # They lead to the server that failed: each would cost another time-out after its return.
        with suppress(RedisError, OSError, TimeoutError):
            await self._pool.disconnect(inuse_connections=False)

    async def _script(self, text: str, keys: Sequence[str], *args: Any) -> Any:
        named = [self.prefix + key for key in keys]
        return await self._call(lambda: self._scripts[text](keys=named, args=args))

    async def put_if_absent(self, key: str, value: bytes, *, ttl: float) -> bool:
        return bool(await self._script(_PUT, [key], value, _millis(ttl)))

    async def get(self, key: str) -> Record | None:
        names = ["v", "n"]
        found: list[Any] = await self._call(
            lambda: self._redis.hmget(self.prefix + key, names)  # pyright: ignore[reportArgumentType]
        )
        value, version = found
        return None if value is None else Record(value, int(version))

    async def take(self, key: str) -> bytes | None:
        return await self._script(_TAKE, [key])

    async def compare_and_set(self, key: str, value: bytes, *, version: int, ttl: float) -> bool:
        return bool(await self._script(_SET, [key], value, version, _millis(ttl)))

    async def delete(self, *keys: str) -> None:
        if keys:
            named = [self.prefix + key for key in keys]
            await self._call(lambda: self._redis.delete(*named))

    async def charge(self, rates: Sequence[Rate]) -> Verdict:
        args = [number for rate in rates for number in intervals(rate)]
        answer: list[int] = await self._script(_CHARGE, [rate.key for rate in rates], *args)
        refused, wait = answer
        if not refused:
            return Verdict(allowed=True)
        return Verdict(allowed=False, retry_after=wait / MICROS, key=rates[refused - 1].key)

    async def ping(self) -> None:
        await self._call(cast(Any, self._redis).ping)

    async def aclose(self) -> None:
        await self._redis.aclose()
        await self._pool.disconnect()


def _millis(seconds: float) -> int:
    return max(1, int(seconds * 1000))
