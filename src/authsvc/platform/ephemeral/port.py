"""The ephemeral store: what may be forgotten. Two adapters, one contract.

Losing everything in it costs people a restart of the sign-in they are in, nothing else.
Every failure and time-out is Refusal ``store_unavailable``; nothing is ever allowed because
the store did not answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Record:
    """A stored value and the version that the next compare-and-set must name."""

    value: bytes
    version: int


@dataclass(frozen=True, slots=True)
class Rate:
    """At most ``limit`` charges in a burst, refilled evenly over ``period`` seconds (GCRA)."""

    key: str
    limit: int
    period: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether all rates allowed the charge; else the wait in seconds and the key that refused."""

    allowed: bool
    retry_after: float = 0.0
    key: str | None = None


class Ephemeral(Protocol):
    """The port. Every key gets its time to live with its first write.

    Keys are plain text; one serves a record or a rate, never both.
    """

    async def put_if_absent(self, key: str, value: bytes, *, ttl: float) -> bool:
        """True when the key was free and now holds the value for ``ttl`` seconds."""
        ...

    async def get(self, key: str) -> Record | None:
        """The value and its version; changes nothing."""
        ...

    async def take(self, key: str) -> bytes | None:
        """The value, removed in the same step: exactly one caller gets it."""
        ...

    async def compare_and_set(self, key: str, value: bytes, *, version: int, ttl: float) -> bool:
        """True when the key stood at this version (0 = absent) and now holds the value."""
        ...

    async def delete(self, *keys: str) -> None:
        """Forget the keys."""
        ...

    async def charge(self, rates: Sequence[Rate]) -> Verdict:
        """Charge every rate once, or none of them when one refuses; one round trip."""
        ...

    async def ping(self) -> None:
        """Raises store_unavailable unless the store answers."""
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...
