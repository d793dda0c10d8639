"""What a session is, as values: the row read by the hot statements, and what others see. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from authsvc.kernel.caller import Caller
from authsvc.kernel.clock import from_micros
from authsvc.kernel.ids import SESSION, USER, SessionId, UserId, from_uuid
from authsvc.sessions.settings import Profile


@dataclass(frozen=True, slots=True)
class Proof:
    """What a sign-in proved. Spec: RFC 8176, api.md §2.2."""

    method: str
    acr: str
    amr: tuple[str, ...]
    auth_time: datetime
    mfa_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Live:
    """A living session with all that its next token needs."""

    id: SessionId
    user_id: UserId
    counter: int
    mac_key_id: str
    client_id: str
    acr: str
    amr: tuple[str, ...]
    auth_time: datetime
    mfa_time: datetime | None
    profile: Profile
    stay: bool
    rotated_at: datetime
    idle_expires_at: datetime
    expires_at: datetime
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """A living session as its owner's list shows it."""

    id: SessionId
    browser: str
    os: str
    kind: str
    masked_address: str
    method: str
    created_at: datetime
    last_seen_at: datetime


@dataclass(frozen=True, slots=True)
class Look:
    """A session's row as read once, living or not."""

    live: Live
    grace_counter: int
    revoked_reason: str | None
    revoked: bool
    subject_alive: bool
    shown: bool
    late_retries: int
    browser: str
    network: str
    now: datetime


def _uuid(value: Any) -> UUID:
    return value if isinstance(value, UUID) else UUID(bytes=bytes(value))


def live_of(session_id: UUID, row: tuple[Any, ...]) -> Live:
    return Live(
        id=SessionId(from_uuid(SESSION, session_id)),
        user_id=UserId(from_uuid(USER, _uuid(row[0]))),
        counter=row[1],
        mac_key_id=row[2],
        client_id=row[3],
        acr=row[4],
        amr=tuple(row[5].split()),
        auth_time=from_micros(row[6]),
        mfa_time=None if row[7] is None else from_micros(row[7]),
        profile=Profile(row[8]),
        stay=bool(row[9]),
        rotated_at=from_micros(row[10]),
        idle_expires_at=from_micros(min(row[11], row[12])),
        expires_at=from_micros(row[12]),
        roles=tuple((row[13] or "").split()),
    )


def columns_of(live: Live, *, caller: Caller) -> dict[str, Any]:
    return {
        "id": live.id,
        "user_id": live.user_id,
        "counter": live.counter,
        "grace_counter": live.counter,
        "rotated_at": live.rotated_at,
        "mac_key_id": live.mac_key_id,
        "shown": False,
        "late_retries": 0,
        "idle_expires_at": live.idle_expires_at,
        "expires_at": live.expires_at,
        "profile": live.profile.value,
        "stay": live.stay,
        "client_id": live.client_id,
        "acr": live.acr,
        "amr": live.amr,
        "auth_time": live.auth_time,
        "mfa_time": live.mfa_time,
        "browser": caller.device.browser[:32],
        "os": caller.device.os[:32],
        "kind": caller.device.kind[:8],
        "network": caller.network,
        "masked_address": caller.masked_address,
    }
