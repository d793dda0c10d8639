"""Short ceremonies over the ephemeral store: flows and challenges with an end of their own."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from authsvc.kernel.clock import Clock
from authsvc.kernel.errors import Code, Refusal
from authsvc.platform.ephemeral.port import Ephemeral

MAX_PER_BROWSER = 8
_TRIES = 5


@dataclass(frozen=True, slots=True)
class Stored:
    """A record, the version the next write must match, and its absolute end."""

    record: dict[str, Any]
    version: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Challenges:
    """Records carry their own ``expires_at``: a store put back from a snapshot revives none.

    Raises store_unavailable when the store is away. Spec: security.md B3.
    """

    store: Ephemeral
    clock: Clock

    async def save_new(self, kind: str, id: str, record: Mapping[str, Any], *, ttl: int) -> None:
        """Keep a new record for ``ttl`` seconds; the id must be new."""
        end = self.clock.now() + timedelta(seconds=ttl)
        if not await self.store.put_if_absent(_key(kind, id), _pack(record, end), ttl=ttl):
            raise Refusal(Code.FLOW_STEP_MISMATCH, log=f"{kind} {id} exists")

    async def load(self, kind: str, id: str) -> Stored | None:
        """The record, or None when it is absent or past its end."""
        found = await self.store.get(_key(kind, id))
        if found is None:
            return None
        record, end = _unpack(found.value)
        if end <= self.clock.now():
            return None
        return Stored(record, found.version, end)

    async def replace(self, kind: str, id: str, stored: Stored, record: Mapping[str, Any]) -> bool:
        """Write the record if nobody wrote since it was loaded; its end stays."""
        ttl = (stored.expires_at - self.clock.now()).total_seconds()
        if ttl <= 0:
            return False
        packed = _pack(record, stored.expires_at)
        return await self.store.compare_and_set(
            _key(kind, id), packed, version=stored.version, ttl=ttl
        )

    async def take(self, kind: str, id: str) -> dict[str, Any] | None:
        """The record, removed in the same step: for exactly one caller, and not past its end."""
        value = await self.store.take(_key(kind, id))
        if value is None:
            return None
        record, end = _unpack(value)
        return record if end > self.clock.now() else None

    async def remember(self, browser: str, id: str, *, ttl: int) -> None:
        """List an id under its browser, newest last, at most eight."""
        key = _key("browser", browser)
        for _ in range(_TRIES):
            found = await self.store.get(key)
            ids: list[str] = json.loads(found.value) if found else []
            packed = json.dumps([*ids, id][-MAX_PER_BROWSER:]).encode()
            version = found.version if found else 0
            if await self.store.compare_and_set(key, packed, version=version, ttl=ttl):
                return
        raise Refusal(Code.BUSY, log="the browser's list moved too often")

    async def recall(self, browser: str) -> tuple[str, ...]:
        """The ids listed under a browser, newest last."""
        found = await self.store.get(_key("browser", browser))
        return tuple(json.loads(found.value)) if found else ()


def _key(kind: str, id: str) -> str:
    return f"{kind}:{id}"


def _pack(record: Mapping[str, Any], end: datetime) -> bytes:
    return json.dumps([end.timestamp(), record], separators=(",", ":")).encode()


def _unpack(value: bytes) -> tuple[dict[str, Any], datetime]:
    end, record = json.loads(value)
    return record, datetime.fromtimestamp(end, UTC)
