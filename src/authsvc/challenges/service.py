"""Short ceremonies over the ephemeral store: flows and challenges with an end of their own."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Any, cast

from authsvc.kernel.clock import Clock
from authsvc.kernel.errors import Code, Refusal
from authsvc.platform.ephemeral.port import Ephemeral, Record

MAX_PER_BROWSER = 8
_TRIES = 2 * MAX_PER_BROWSER  # each round one of those who write at once gets through


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
        """The record, or None when it is absent, past its end or not one of ours."""
        found = await self.store.get(_key(kind, id))
        opened = None if found is None else _unpack(found.value)
        if found is None or opened is None:
            return None
        record, end = opened
        return Stored(record, found.version, end) if end > self.clock.now() else None

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
        opened = None if value is None else _unpack(value)
        if opened is None:
            return None
        record, end = opened
        return record if end > self.clock.now() else None

    async def remember(self, browser: str, id: str, *, ttl: int) -> None:
        """List an id under its browser, newest last, at most eight."""
        key = _key("browser", browser)
        for _ in range(_TRIES):
            found = await self.store.get(key)
            ids = [*_listed(found), id][-MAX_PER_BROWSER:]
            packed = json.dumps(ids).encode()
            version = found.version if found else 0
            if await self.store.compare_and_set(key, packed, version=version, ttl=ttl):
                return
        raise Refusal(Code.BUSY, log="the browser's list moved too often")

    async def recall(self, browser: str) -> tuple[str, ...]:
        """The ids listed under a browser, newest last."""
        return tuple(_listed(await self.store.get(_key("browser", browser))))


def _key(kind: str, id: str) -> str:
    return f"{kind}:{id}"


def _pack(record: Mapping[str, Any], end: datetime) -> bytes:
    return json.dumps([end.timestamp(), record], separators=(",", ":")).encode()


def _unpack(value: bytes) -> tuple[dict[str, Any], datetime] | None:
    found = _json(value)
    match found:
        case [float(end), dict()] if isfinite(end):
            return cast(dict[str, Any], found[1]), datetime.fromtimestamp(end, UTC)
        case _:
            return None


def _listed(found: Record | None) -> list[str]:
    ids = None if found is None else _json(found.value)
    return cast(list[str], ids) if isinstance(ids, list) else []


def _json(value: bytes) -> Any:
    # What another version or hand wrote is nothing to us, and no reason to fall over.
    try:
        return json.loads(value)
    except ValueError:
        return None
