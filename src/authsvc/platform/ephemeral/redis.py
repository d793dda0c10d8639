"""The Redis store. Scripts stay within what Redis 6.2 and Valkey 7.2 understand."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from redis.asyncio import Redis
from redis.asyncio.connection import ConnectionPool
from redis.commands.core import AsyncScript
from redis.exceptions import RedisError

from authsvc.kernel.errors import Code, Refusal
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
# For each key: limit and period in seconds. All are charged or none.
_CHARGE = """
local t = redis.call('TIME')
local now = tonumber(t[1]) + tonumber(t[2]) / 1000000
local after = {}
for i, key in ipairs(KEYS) do
  local limit, period = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local stored = tonumber(redis.call('GET', key) or now)
  if stored < now then stored = now end
  if stored > now + period then stored = now + period end
  local due = stored + period / limit
  local wait = due - period - now
  if wait > 0.000001 then return {0, tostring(wait), key} end
  after[i] = due
end
for i, key in ipairs(KEYS) do
  local life = math.ceil(tonumber(ARGV[2 * i]) * 1000)
  redis.call('SET', key, string.format('%.6f', after[i]), 'PX', life)
end
return {1, '0', ''}
"""


@dataclass(slots=True)
class RedisStore:
    """Calls wait ``timeout`` seconds at most and are never repeated.

    After a failure no call is tried for ``breaker`` seconds, so that a dead server costs one
    time-out and not one for each request. A call that is cancelled closes its connection:
    the next user of it must not read somebody else's answer.
    """

    url: str
    prefix: str = "authsvc:"
    timeout: float = 0.25
    breaker: float = 1.0
    _redis: Redis = field(init=False)
    _scripts: dict[str, AsyncScript] = field(init=False)
    _closed_until: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        pool: ConnectionPool = cast(Any, ConnectionPool).from_url(
            self.url,
            socket_timeout=self.timeout,
            socket_connect_timeout=self.timeout,
            retry=None,
            health_check_interval=0,
        )
        self._redis = Redis(connection_pool=pool)
        self._scripts = {
            text: self._redis.register_script(text) for text in (_PUT, _TAKE, _SET, _CHARGE)
        }

    async def _call(self, run: Callable[[], Awaitable[Answer]]) -> Answer:
        now = asyncio.get_running_loop().time()
        if now < self._closed_until:
            raise Refusal(Code.STORE_UNAVAILABLE, log="store: breaker open")
        try:
            async with asyncio.timeout(self.timeout * 2):
                return await run()
        except (RedisError, OSError, TimeoutError) as error:
            self._closed_until = asyncio.get_running_loop().time() + self.breaker
            raise Refusal(Code.STORE_UNAVAILABLE, log=f"store: {type(error).__name__}") from error

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
        args = [number for rate in rates for number in (rate.limit, rate.period)]
        allowed, wait, key = await self._script(_CHARGE, [rate.key for rate in rates], *args)
        if allowed:
            return Verdict(allowed=True)
        plain = key.decode().removeprefix(self.prefix)
        return Verdict(allowed=False, retry_after=float(wait), key=plain)

    async def ping(self) -> None:
        await self._call(cast(Any, self._redis).ping)

    async def aclose(self) -> None:
        await self._redis.aclose()
        await self._redis.connection_pool.disconnect()


def _millis(seconds: float) -> int:
    return max(1, int(seconds * 1000))
