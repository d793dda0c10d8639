"""Where public keys come from: an issuer's key set, cached so that it never gets in the way."""

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Protocol
from urllib.parse import urlsplit

import httpx2

from authsvc.verify.errors import KeysUnavailable
from authsvc.verify.jose import Malformed, VerifyingKey, read_keys

FRESH, COOLDOWN, RETRY = 300.0, 15.0, 5.0
MAX_STALE = 24 * 3600
MAX_BYTES = 64 * 1024
_TIMEOUT = 3.0


class KeySource(Protocol):
    """Finds a verifying key by ``kid``."""

    async def key(self, kid: str) -> VerifyingKey | None:
        """The key, None when the issuer has none of this name; raises KeysUnavailable."""
        ...

    def known(self, kid: str) -> bool:
        """Whether the key is held right now, without asking anybody."""
        ...

    async def reload(self) -> None:
        """Fetch now; raises KeysUnavailable when that fails and nothing is held."""
        ...

    async def aclose(self) -> None:
        """Let go of connections."""
        ...


def require_safe_url(url: str) -> str:
    """The URL if it is https, or http on this machine; raises ValueError."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    local = host == "localhost" or _is_loopback(host)
    if not host or parts.scheme not in ("https", "http") or (parts.scheme == "http" and not local):
        raise ValueError(f"{url}: keys are fetched over https, except from localhost")
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(slots=True)
class JwksCache:
    """An issuer's keys. Spec: api.md §14.2, security.md C36.

    Fresh keys cost nothing; stale ones are used while a fetch runs behind; an unreachable
    issuer is asked every five seconds while its old keys serve for ``stale_if_error`` seconds;
    an unknown ``kid`` costs one fetch a cool-down. A failed fetch empties nothing.
    """

    url: str
    algorithms: Collection[str]
    stale_if_error: float = 3600.0
    transport: httpx2.AsyncBaseTransport | None = None
    monotonic: Callable[[], float] = time.monotonic
    fresh: float = FRESH
    cooldown: float = COOLDOWN
    _keys: dict[str, VerifyingKey] = field(default_factory=dict[str, VerifyingKey])
    _fetched: float | None = None
    _tried: float | None = None
    _asked_unknown: float | None = None
    _running: "asyncio.Task[bool] | None" = None
    _client: httpx2.AsyncClient | None = None

    def __post_init__(self) -> None:
        require_safe_url(self.url)
        if not 0 <= self.stale_if_error <= MAX_STALE:
            raise ValueError("stale_if_error is between 0 and 86400 seconds")

    def known(self, kid: str) -> bool:
        return kid in self._keys and self._usable()

    async def key(self, kid: str) -> VerifyingKey | None:
        if not self._usable():
            await self._fetch_or_refuse()
        elif self._age() >= self.fresh and self._may_try():
            self._start()
        found = self._keys.get(kid)
        if found is None and await self._ask_for_unknown():
            found = self._keys.get(kid)
        return found

    async def reload(self) -> None:
        if not await asyncio.shield(self._start()) and not self._usable():
            raise self._unavailable("the key set cannot be fetched")

    async def aclose(self) -> None:
        if self._running is not None:
            self._running.cancel()
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def _age(self) -> float:
        return float("inf") if self._fetched is None else self.monotonic() - self._fetched

    def _usable(self) -> bool:
        return self._age() < self.fresh + self.stale_if_error

    def _may_try(self) -> bool:
        return self._tried is None or self.monotonic() - self._tried >= RETRY

    def _unavailable(self, log: str) -> KeysUnavailable:
        return KeysUnavailable(retry_after=int(RETRY), log=f"{self.url}: {log}")

    async def _fetch_or_refuse(self) -> None:
        if self._running is None and not self._may_try():
            raise self._unavailable("no keys, and the last try was a moment ago")
        await asyncio.shield(self._start())
        if not self._usable():
            raise self._unavailable("no keys, and they cannot be fetched")

    async def _ask_for_unknown(self) -> bool:
        if self._running is None:
            last = self._asked_unknown
            if last is not None and self.monotonic() - last < self.cooldown:
                return False
            self._asked_unknown = self.monotonic()
        return await asyncio.shield(self._start())

    def _start(self) -> "asyncio.Task[bool]":
        """The one fetch under way; begins it if there is none."""
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._fetch())
            self._running.add_done_callback(self._finished)
        return self._running

    def _finished(self, task: "asyncio.Task[bool]") -> None:
        if self._running is task:
            self._running = None

    async def _fetch(self) -> bool:
        self._tried = self.monotonic()
        try:
            keys = read_keys(await self._download(), algorithms=self.algorithms)
        except (httpx2.HTTPError, Malformed, OSError):
            return False
        if not keys:
            return False
        self._keys, self._fetched = keys, self.monotonic()
        return True

    async def _download(self) -> bytes:
        if self._client is None:
            self._client = httpx2.AsyncClient(
                transport=self.transport,
                timeout=_TIMEOUT,
                follow_redirects=False,
                trust_env=False,
                headers={"Accept": "application/json"},
            )
        body = bytearray()
        async with self._client.stream("GET", self.url) as answer:
            if answer.status_code != 200:
                raise Malformed(f"status {answer.status_code}")
            async for chunk in answer.aiter_bytes():
                body += chunk
                if len(body) > MAX_BYTES:
                    raise Malformed("key set too large")
        return bytes(body)
