"""One face for rate limits. Address limits stop, identifier limits slow. Spec: security.md B5."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from typing import Any

import structlog

from authsvc.abuse.clientip import Network, bucket_keys, locate, masked
from authsvc.abuse.limits import MINUTE, Away, Limit, LimitName, LimitSettings
from authsvc.kernel.errors import Limited
from authsvc.platform.ephemeral.memory import MemoryStore
from authsvc.platform.ephemeral.port import Ephemeral, Rate, Verdict

log: Any = structlog.get_logger("authsvc.abuse")


@dataclass(frozen=True, slots=True)
class Addresses:
    """Finds the client behind the trusted proxies. Spec: security.md C10."""

    trusted: Sequence[Network]

    def of(self, peer: str | None, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """The canonical address, "" when there is none to be had.

        A proxy whose header cannot be read stands for its clients, and the log says so.
        """
        located = locate(peer, headers, trusted=self.trusted)
        if located.unreadable:
            log.warning("forwarded_unreadable", ip=masked(located.address), fix="proxy.trusted")
        return located.address


@dataclass(frozen=True, slots=True)
class Guard:
    """Charges GCRA buckets, all keys of a call in one round trip.

    Limits that are CLOSED need the shared store and refuse without it; LOCAL ones never touch
    it: each process counts for itself, so that they go on in any weather.
    """

    store: Ephemeral
    local: MemoryStore
    settings: LimitSettings

    async def admit(self, name: LimitName, address: str) -> None:
        """Charge one call from the address.

        Raises rate_limited with the wait, store_unavailable for a CLOSED limit without store.
        """
        limit = self.settings.of(name)
        store = self.store if limit.away is Away.CLOSED else self.local
        _require(await store.charge(_address_rates(name, limit, address)))

    async def identifier(self, address: str, identifier: str) -> None:
        """Charge a started sign-in for a name from one address.

        A name alone is never blocked, or strangers could keep its owner out (C03, C13); what
        it can be sent is capped in SQL.

        Fails closed. Raises rate_limited, store_unavailable.
        """
        nearest = bucket_keys(address)[0]
        rate = Rate(f"rate:both:{identifier}:{nearest}", self.settings.both, MINUTE)
        _require(await self.store.charge([rate]))


@lru_cache(maxsize=4096)
def _address_rates(name: LimitName, limit: Limit, address: str) -> tuple[Rate, ...]:
    sizes = (limit.per_address, limit.per_site)
    return tuple(
        Rate(f"rate:{name}:{key}", size, MINUTE)
        for key, size in zip(bucket_keys(address), sizes, strict=False)
    )


def _require(verdict: Verdict) -> None:
    if not verdict.allowed:
        _, bucket, _ = (verdict.key or "::").split(":", 2)
        raise Limited(bucket, retry_after=ceil(verdict.retry_after))
