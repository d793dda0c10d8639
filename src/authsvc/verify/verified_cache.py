"""Tokens that were verified a moment ago: a repeated request pays one hash."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field

from authsvc.verify.claims import Principal


def digest(token: str) -> bytes:
    """The key of a token in the cache."""
    return hashlib.sha256(token.encode()).digest()


@dataclass(slots=True)
class VerifiedCache:
    """At most ``size`` principals, least recently used out first, none past its end.

    It belongs to one verifier, so issuer, audience and options are the same for all entries.
    """

    size: int
    leeway: int
    _held: OrderedDict[bytes, tuple[Principal, str]] = field(
        default_factory=OrderedDict[bytes, tuple[Principal, str]]
    )

    def get(self, key: bytes, *, now: float) -> tuple[Principal, str] | None:
        """The principal and the ``kid`` that signed for it, if its time is not over."""
        found = self._held.get(key)
        if found is None:
            return None
        if now >= found[0].expires_at + self.leeway:
            del self._held[key]
            return None
        self._held.move_to_end(key)
        return found

    def put(self, key: bytes, principal: Principal, *, kid: str) -> None:
        """Remember a principal."""
        if self.size <= 0:
            return
        self._held[key] = (principal, kid)
        if len(self._held) > self.size:
            self._held.popitem(last=False)

    def drop(self, key: bytes) -> None:
        """Forget one token."""
        self._held.pop(key, None)

    def clear(self) -> None:
        """Forget everything."""
        self._held.clear()
