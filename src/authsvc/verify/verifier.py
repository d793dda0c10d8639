"""Checks access tokens offline, against the keys an issuer publishes."""

import asyncio
import threading
import time
from collections.abc import Callable, Collection
from typing import Any

import httpx2

from authsvc.verify.claims import ClaimsError, ClaimsExpired, Expected, Principal, parse
from authsvc.verify.errors import TokenExpired, TokenInvalid
from authsvc.verify.jose import SUPPORTED, Malformed, split
from authsvc.verify.jwks import JwksCache, KeySource, require_safe_url
from authsvc.verify.verified_cache import VerifiedCache, digest

LEEWAY = 30
JWKS_PATH = "/.well-known/jwks.json"


class Verifier:
    """Verifies the access tokens of one issuer for one audience.

    ``issuer`` and ``audience`` are exact. ``jwks_url`` names another way to the same keys,
    where the issuer cannot be reached from inside. ``leeway`` and ``stale_if_error`` are in
    seconds. ``keys`` replaces the HTTP cache: the issuer itself uses it, and so do tests.
    """

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        jwks_url: str | None = None,
        algorithms: Collection[str] = SUPPORTED,
        leeway: int = LEEWAY,
        stale_if_error: float = 3600.0,
        cache_size: int = 4096,
        transport: httpx2.AsyncBaseTransport | None = None,
        keys: KeySource | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        if not issuer or not audience:
            raise ValueError("issuer and audience are required")
        unknown = set(algorithms) - set(SUPPORTED)
        if unknown or not algorithms:
            raise ValueError(f"algorithms must be some of {', '.join(SUPPORTED)}")
        if not 0 <= leeway <= 60:
            raise ValueError("leeway is between 0 and 60 seconds")
        require_safe_url(issuer)
        self.expected = Expected(issuer=issuer, audience=audience, leeway=leeway)
        self.algorithms = frozenset(algorithms)
        self.now = now
        self.keys: KeySource = keys or JwksCache(
            url=jwks_url or issuer.rstrip("/") + JWKS_PATH,
            algorithms=self.algorithms,
            stale_if_error=stale_if_error,
            transport=transport,
        )
        self._cache = VerifiedCache(cache_size, leeway)
        self._thread: _LoopThread | None = None

    async def verify(self, token: str) -> Principal:
        """The principal behind a token.

        Raises TokenInvalid, TokenExpired, and KeysUnavailable while the issuer's keys cannot
        be had. Spec: RFC 9068 §4, RFC 8725.
        """
        key = digest(token)
        held = self._cache.get(key, now=self.now())
        if held is not None:
            if self.keys.known(held[1]):
                return held[0]
            self._cache.drop(key)
        try:
            parts = split(token, algorithms=self.algorithms)
        except Malformed as fault:
            raise TokenInvalid(log=str(fault)) from None
        verifying = await self.keys.key(parts.kid)
        if verifying is None:
            raise TokenInvalid(log="the issuer has no key of this kid")
        if not verifying.check(parts):
            raise TokenInvalid(log="signature")
        try:
            principal = parse(parts.payload, expected=self.expected, now=self.now())
        except ClaimsExpired as fault:
            raise TokenExpired(log=str(fault)) from None
        except ClaimsError as fault:
            raise TokenInvalid(log=str(fault)) from None
        self._cache.put(key, principal, kid=parts.kid)
        return principal

    def verify_sync(self, token: str) -> Principal:
        """The same for code without an event loop; the keys are kept by a thread of its own."""
        if self._thread is None:
            self._thread = _LoopThread()
        principal: Principal = self._thread.run(self.verify(token))
        return principal

    async def warm(self) -> None:
        """Fetch the keys before the first request; a failure only shows when they are needed."""
        await self.keys.reload()

    async def reload_keys(self) -> None:
        """Fetch the keys now: after an emergency rotation. Verified tokens are checked again."""
        self._cache.clear()
        await self.keys.reload()

    async def aclose(self) -> None:
        """Let go of connections."""
        await self.keys.aclose()
        if self._thread is not None:
            self._thread.stop()
            self._thread = None


class _LoopThread:
    """An event loop in a daemon thread, for callers that have none."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()
