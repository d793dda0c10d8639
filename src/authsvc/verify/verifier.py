"""Checks access tokens offline, against the keys that their issuer publishes."""

import time
from collections.abc import Callable, Collection
from weakref import WeakSet

import httpx2

from authsvc.verify.assurance import Requirement, RoleMissing, Satisfied, StepUp, judge
from authsvc.verify.claims import ClaimsError, ClaimsExpired, Expected, Principal, parse
from authsvc.verify.download import Download, require_safe_url
from authsvc.verify.errors import (
    Forbidden,
    InsufficientUserAuthentication,
    TokenExpired,
    TokenInvalid,
)
from authsvc.verify.freshness import Terms
from authsvc.verify.jose import (
    KNOWN,
    MAX_TOKEN,
    SUPPORTED,
    Jws,
    Malformed,
    VerifyingKey,
    access_token_kid,
    split,
)
from authsvc.verify.jwks import BlockingKeySource, JwksCache, KeySource
from authsvc.verify.local_keys import STAND_IN
from authsvc.verify.verified_cache import Verified, VerifiedCache

LEEWAY, MAX_LEEWAY = 30, 60
STALE_IF_ERROR, MAX_STALE_IF_ERROR = 3600.0, 24 * 3600.0
JWKS_PATH = "/.well-known/jwks.json"

LIVE: "WeakSet[Verifier]" = WeakSet()  # whom a test's token may be for


class Verifier:
    """Verifies the access tokens of one issuer for one audience.

    ``issuer`` and ``audience`` are exact strings; the issuer has no slash at its end.
    ``jwks_url`` names another way to the issuer's keys, where it cannot be reached from
    inside. ``leeway`` (0–60) and ``stale_if_error`` (0–86400) are in seconds. ``cache_size``
    verified tokens are remembered, 0 for none. ``transport`` takes the place of the network,
    ``keys`` of the whole key cache. One verifier serves any number of event loops and threads.

    Raises ValueError or TypeError for settings that would be unsafe or could never match.
    """

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        jwks_url: str | None = None,
        algorithms: Collection[str] = SUPPORTED,
        leeway: int = LEEWAY,
        stale_if_error: float = STALE_IF_ERROR,
        cache_size: int = 4096,
        transport: httpx2.AsyncBaseTransport | None = None,
        keys: KeySource | None = None,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        _check_names(issuer=issuer, audience=audience)
        _check_algorithms(algorithms)
        if not 0 <= leeway <= MAX_LEEWAY:
            raise ValueError(f"leeway is between 0 and {MAX_LEEWAY} seconds")
        if not 0 <= stale_if_error <= MAX_STALE_IF_ERROR:
            raise ValueError(f"stale_if_error is between 0 and {MAX_STALE_IF_ERROR:.0f} seconds")
        if keys is not None and (jwks_url is not None or transport is not None):
            raise ValueError("keys take the place of jwks_url and transport")
        self.expected = Expected(issuer=issuer, audience=audience, leeway=leeway)
        self.algorithms = frozenset(algorithms)
        self.now = now
        options = (str(leeway), *sorted(self.algorithms))
        self._cache = VerifiedCache(size=cache_size, scope=(issuer, audience, *options))
        self._keys: KeySource = keys or JwksCache(
            download=Download(jwks_url or issuer + JWKS_PATH, transport=transport),
            algorithms=self.algorithms,
            terms=Terms(stale=stale_if_error),
            rebound=self._cache.clear,
            monotonic=monotonic,
        )
        LIVE.add(self)

    @property
    def keys(self) -> KeySource:
        """Where the keys come from."""
        return STAND_IN.source or self._keys

    async def verify(self, token: str) -> Principal:
        """The principal behind a token.

        Raises TokenInvalid, TokenExpired, and KeysUnavailable while the issuer's keys cannot
        be had. Spec: RFC 9068 §4, RFC 8725 §3 (AT-04, C32, C34, C35, C38).
        """
        place = self._place(token)
        held = self._recall(place)
        if held is None:
            jws, kid = self._open(token)
            held = self._believe(jws, kid=kid, key=await self.keys.key(kid))
            self._cache.put(place, held)
        return held.principal

    def verify_sync(self, token: str) -> Principal:
        """As ``verify``, for code without an event loop: it may wait for the network.

        Raises TypeError if the verifier's ``keys`` can only be awaited.
        """
        place = self._place(token)
        held = self._recall(place)
        if held is None:
            source = self.keys
            if not isinstance(source, BlockingKeySource):
                raise TypeError("these keys can only be awaited")
            jws, kid = self._open(token)
            held = self._believe(jws, kid=kid, key=source.key_sync(kid))
            self._cache.put(place, held)
        return held.principal

    def enforce(self, principal: Principal, *, required: Requirement) -> None:
        """Nothing if the principal meets the requirement now.

        Raises Forbidden for a missing role, else InsufficientUserAuthentication.
        """
        match judge(principal, required=required, now=self.now()):
            case Satisfied():
                return
            case RoleMissing():
                raise Forbidden(log=f"{principal.sub} lacks a role")
            case StepUp() as asked:
                raise InsufficientUserAuthentication(
                    principal=principal,
                    auth_age=asked.auth_age,
                    acr_values=asked.acr_values,
                    max_age=asked.max_age,
                )

    async def warm(self) -> None:
        """Fetches the keys before the first request; raises KeysUnavailable."""
        await self.keys.reload()

    async def reload_keys(self) -> None:
        """Fetches the keys now, after an emergency rotation; raises KeysUnavailable.

        Tokens that were verified before are checked again with the keys that remain.
        """
        self._cache.clear()
        await self.keys.reload()

    async def aclose(self) -> None:
        """Lets go of what the key source holds open; the verifier can be used again."""
        await self._keys.aclose()

    def _place(self, token: str) -> bytes:
        if len(token) > MAX_TOKEN or not token.isascii():
            raise TokenInvalid(log="the token is too long or not ASCII")
        return self._cache.key(token)

    def _recall(self, place: bytes) -> Verified | None:
        held = self._cache.get(place, now=self.now())
        if held is None or self.keys.known(held.kid):
            return held
        self._cache.drop(place)
        return None

    def _open(self, token: str) -> tuple[Jws, str]:
        try:
            jws = split(token)
            return jws, access_token_kid(jws.header, algorithms=self.algorithms)
        except Malformed as fault:
            raise TokenInvalid(log=str(fault)) from None

    def _believe(self, jws: Jws, *, kid: str, key: VerifyingKey | None) -> Verified:
        if key is None:
            raise TokenInvalid(log=f"the issuer has no key {kid}")
        if not key.check(jws):
            raise TokenInvalid(log=f"the signature is not by {kid}")
        try:
            principal = parse(jws.payload, expected=self.expected, now=self.now())
        except ClaimsExpired as fault:
            raise TokenExpired(log=str(fault)) from None
        except ClaimsError as fault:
            raise TokenInvalid(log=str(fault)) from None
        return Verified(principal, kid)


def _check_names(*, issuer: str, audience: str) -> None:
    if not isinstance(audience, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError("audience is one string: the name of this API")
    if not audience:
        raise ValueError("audience is required: a token for another API must not work here")
    if issuer.endswith("/"):
        raise ValueError(f"issuer is compared exactly: write {issuer.rstrip('/')!r}")
    require_safe_url(issuer)


def _check_algorithms(algorithms: Collection[str]) -> None:
    if isinstance(algorithms, str):
        raise TypeError(f'algorithms is a list: write algorithms=["{algorithms}"]')
    if not algorithms or set(algorithms) - set(KNOWN):
        raise ValueError(f"algorithms are some of {', '.join(KNOWN)}")
