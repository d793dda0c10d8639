"""Rows to begin with: people with a session each, and the credentials that open them."""

import time
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from authsvc.crypto import opaque
from authsvc.crypto.keyring import Keyring, Purpose
from bench.sql import Sql
from tests.live import SECRET

RING = Keyring.of([SECRET.encode()])
HOUR, DAY = 3_600_000_000, 86_400_000_000  # microseconds
_FIRST = 1_780_000_000_000  # milliseconds in the first time-ordered id
_USER, _SESSION, _FLOW = 1, 2, 3
_USERS = ("id", "status", "auth_epoch", "roles", "created_at")
_SESSIONS = (
    "id", "user_id", "flow_id", "epoch", "counter", "grace_counter", "rotated_at", "mac_key_id",
    "shown", "late_retries", "created_at", "idle_expires_at", "expires_at", "profile", "stay",
    "client_id", "method", "acr", "amr", "auth_time", "browser", "os", "kind", "network",
    "masked_address",
)  # fmt: skip


def _id(kind: int, number: int) -> UUID:
    """Ordered by time as ids of authsvc are, so that indexes are as dense as in life."""
    return UUID(int=(_FIRST + number) << 80 | 7 << 76 | 2 << 62 | kind << 56 | number)


def seed_authsvc(sql: Sql, count: int) -> None:
    """So many people with a session that was turned an hour ago."""
    turn = int(time.time() * 1_000_000) - HOUR

    def id(kind: int, number: int) -> Any:
        value = _id(kind, number)
        return value.bytes if sql.is_sqlite else value

    def users() -> Iterator[Sequence[Any]]:
        for number in range(count):
            yield id(_USER, number), "active", 0, "", turn

    def sessions() -> Iterator[Sequence[Any]]:
        key = RING.current(Purpose.SESSION).id
        for number in range(count):
            ids = id(_SESSION, number), id(_USER, number), id(_FLOW, number)
            turned = (0, 0, 0, turn, key, False, 0)
            lives = (turn, turn + 14 * DAY, turn + 30 * DAY, "standard", True)
            proof = ("web", "email", "aal1", "otp", turn)
            yield *ids, *turned, *lives, *proof, "Firefox", "Linux", "computer", *_PLACE

    sql.fill("users", _USERS, users())
    sql.fill("sessions", _SESSIONS, sessions())
    _settle(sql)


_PLACE = ("127.0.0.0/16", "127.0.0.x")


def seed_floor(sql: Sql, count: int) -> None:
    """As many rows of the floor."""
    as_stored = (lambda value: value.bytes) if sql.is_sqlite else (lambda value: value)
    rows = (
        (as_stored(_id(_SESSION, number)), as_stored(_id(_USER, number)), 0, 0)
        for number in range(count)
    )
    sql.fill("floor_sessions", ("id", "user_id", "counter", "rotated_at"), rows)
    _settle(sql)


def _settle(sql: Sql) -> None:
    sql.run("PRAGMA wal_checkpoint(TRUNCATE)" if sql.is_sqlite else "VACUUM (ANALYZE)")


def credential(number: int) -> str:
    """The session cookie of a seeded session as it was opened."""
    id = _id(_SESSION, number)
    return opaque.issue(RING, purpose=Purpose.SESSION, id=id, counter=0)


def floor_credential(number: int) -> str:
    """The same for the floor."""
    return f"f1.{_id(_SESSION, number).hex}.0"


def age(sql: Sql, table: str) -> None:
    """Move the last turn of every session back, past the grace."""
    sql.run(f"UPDATE {table} SET rotated_at = rotated_at - {HOUR}")  # noqa: S608 our own names
