"""Tokens that were verified a moment ago: a repeated request pays one hash."""

import hmac
import secrets
import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

from authsvc.verify.claims import Principal


@dataclass(frozen=True, slots=True)
class Verified:
    """A principal and the ``kid`` that vouched for it."""

    principal: Principal
    kid: str


def length_prefixed(fields: Iterable[str]) -> bytes:
    """The fields so joined that no two different lists give the same bytes (C67)."""
    encoded = [text.encode() for text in fields]
    return b"".join(len(raw).to_bytes(4) + raw for raw in encoded)


@dataclass(slots=True)
class VerifiedCache:
    """At most ``size`` principals, least recently used out first, none past its end.

    ``scope`` is whatever else a verdict depends on: issuer, audience, options. Only tokens that
    passed come in, so nobody can wash good ones out with junk. Safe for threads.
    """

    size: int
    scope: tuple[str, ...]
    _prefix: bytes = field(init=False, repr=False)
    _secret: bytes = field(init=False, repr=False)
    _held: OrderedDict[bytes, Verified] = field(init=False, repr=False)
    _lock: threading.Lock = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._prefix = length_prefixed(self.scope)
        self._secret = secrets.token_bytes(32)
        self._held = OrderedDict()
        self._lock = threading.Lock()

    def key(self, token: str) -> bytes:
        """The token's place in the cache; tells nothing about the token."""
        raw = token.encode()
        return hmac.digest(self._secret, self._prefix + len(raw).to_bytes(4) + raw, "sha256")

    def get(self, key: bytes, *, now: float) -> Verified | None:
        """What was verified, unless its ``exp`` has passed."""
        with self._lock:
            found = self._held.get(key)
            if found is None:
                return None
            if now >= found.principal.expires_at:
                del self._held[key]
                return None
            self._held.move_to_end(key)
            return found

    def put(self, key: bytes, verified: Verified) -> None:
        """Remembers it, and forgets the least recently used."""
        with self._lock:
            self._held[key] = verified
            self._held.move_to_end(key)
            if len(self._held) > self.size:
                self._held.popitem(last=False)

    def drop(self, key: bytes) -> None:
        """Forgets one token."""
        with self._lock:
            self._held.pop(key, None)

    def clear(self) -> None:
        """Forgets everything."""
        with self._lock:
            self._held.clear()
