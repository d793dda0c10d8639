"""Sessions: opened once for each finished flow, turned, listed and ended."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from authsvc.kernel.caller import Caller
from authsvc.kernel.clock import Clock, SystemClock, from_micros, to_micros
from authsvc.kernel.ids import SESSION, USER, SessionId, UserId, from_uuid, is_id, new_id, to_uuid
from authsvc.platform.db.engine import Database
from authsvc.platform.db.hot import Hot
from authsvc.platform.db.subject import ADMIN
from authsvc.platform.db.uow import Tx
from authsvc.sessions import repo
from authsvc.sessions.settings import Profile, SessionSettings
from authsvc.sessions.tables import Session


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


def _live(session_id: UUID, row: tuple[Any, ...]) -> Live:
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


def _listed(session: Session) -> Listed:
    return Listed(
        id=SessionId(session.id),
        browser=session.browser,
        os=session.os,
        kind=session.kind,
        masked_address=session.masked_address,
        method=session.method,
        created_at=session.created_at,
        last_seen_at=session.rotated_at,
    )


def _columns(live: Live, *, caller: Caller) -> dict[str, Any]:
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


@dataclass(frozen=True, slots=True)
class Sessions:
    """The room's door. Statements on the hot path take no transaction: they are one."""

    database: Database
    hot: Hot
    clock: Clock
    settings: SessionSettings

    def _now(self) -> int | None:
        # PostgreSQL's own clock, so that replicas agree, unless dev mode or a test moves time.
        if isinstance(self.clock, SystemClock) and not self.database.is_sqlite:
            return None
        return to_micros(self.clock.now())

    async def advance(
        self, session_id: UUID, *, counter: int, key_id: str, caller: Caller, now: bool = False
    ) -> Live | None:
        """Turn the credential: one statement, None when it does not apply.

        ``now=True`` turns it also within the grace (first exchange, step-up).
        Spec: security.md B4.
        """
        second = 1_000_000
        row = await self.hot.row(
            repo.ADVANCE,
            self._now(),
            session_id,
            counter,
            self.settings.grace * second,
            self.settings.idle * second,
            self.settings.strict_idle * second,
            key_id,
            caller.device.family,
            caller.network,
            now,
        )
        return None if row is None else _live(session_id, row)

    async def look(self, session_id: UUID) -> Look | None:
        """The row as it stands, with the database's time."""
        row = await self.hot.row(repo.LOOK, self._now(), session_id)
        if row is None:
            return None
        return Look(
            live=_live(session_id, row),
            grace_counter=row[14],
            revoked=row[15] is not None,
            revoked_reason=row[16],
            subject_alive=bool(row[17]),
            shown=bool(row[18]),
            late_retries=row[19],
            browser=row[20],
            network=row[21],
            now=from_micros(row[22]),
        )

    async def mark_shown(self, session_id: UUID, *, counter: int) -> None:
        """Remember that the current credential has come back."""
        await self.hot.row(repo.MARK_SHOWN, session_id, counter)

    async def open(
        self,
        tx: Tx,
        *,
        user_id: str,
        epoch: int,
        roles: tuple[str, ...],
        flow_id: str,
        client_id: str,
        proof: Proof,
        stay: bool,
        key_id: str,
        caller: Caller,
    ) -> Live | None:
        """A new session for a finished flow; None when the flow opened one before."""
        profile = Profile.STRICT if ADMIN in roles else self.settings.profile
        longest = self.settings.absolute_of(profile, stay=stay)
        idle = min(longest, self.settings.idle_of(profile))
        live = Live(
            id=SessionId(new_id(SESSION)),
            user_id=UserId(user_id),
            counter=0,
            mac_key_id=key_id,
            client_id=client_id,
            acr=proof.acr,
            amr=proof.amr,
            auth_time=proof.auth_time,
            mfa_time=proof.mfa_time,
            profile=profile,
            stay=stay,
            rotated_at=tx.now,
            idle_expires_at=tx.now + timedelta(seconds=idle),
            expires_at=tx.now + timedelta(seconds=longest),
            roles=roles,
        )
        opened = _columns(live, caller=caller) | {
            "flow_id": flow_id, "epoch": epoch, "method": proof.method, "created_at": tx.now,
        }  # fmt: skip
        if not await repo.add(tx, opened):
            return None
        keep = self.settings.maximum
        await repo.revoke_beyond(tx, user_id=user_id, keep=keep, reason="signed_out_elsewhere")
        return live

    async def living(self, tx: Tx, *, user_id: str) -> list[Listed]:
        """The person's living sessions, last used first."""
        return [_listed(session) for session in await repo.live(tx, user_id=user_id)]

    async def is_live(self, tx: Tx, session_id: str) -> bool:
        """Whether the session could still refresh."""
        return is_id(session_id, prefix=SESSION) and await repo.is_live(tx, session_id)

    async def owner(self, tx: Tx, session_id: str) -> str | None:
        """Whose session this is, living or over; None when there is none."""
        return await repo.owner(tx, session_id) if is_id(session_id, prefix=SESSION) else None

    async def revoke(self, tx: Tx, session_id: str, *, user_id: str, reason: str) -> bool:
        """End one session of this person; False when it is not theirs or over already."""
        if not is_id(session_id, prefix=SESSION):
            return False
        return bool(await repo.revoke(tx, reason=reason, user_id=user_id, only=session_id))

    async def revoke_all(
        self, tx: Tx, *, user_id: str, reason: str, sparing: str | None = None
    ) -> int:
        """End all sessions of a person, perhaps but one; how many were open."""
        return len(await repo.revoke(tx, reason=reason, user_id=user_id, sparing=sparing))

    async def end_reused(self, tx: Tx, session_id: str) -> str | None:
        """End a session whose spent credential came back; whose it was, None if over already."""
        return await repo.revoke_turn(tx, session_id, reason="session_revoked")

    async def spend_late_retry(self, tx: Tx, session_id: str, *, counter: int) -> bool:
        """Allow one late retry of this turn; False when it was spent."""
        return await repo.remember_late_retry(tx, session_id, counter=counter)

    async def tighten(self, tx: Tx, *, user_id: str) -> None:
        """Put the person's sessions on the strict profile at once (they gained ``admin``)."""
        idle = tx.now + timedelta(seconds=self.settings.strict_idle)
        longest = timedelta(seconds=self.settings.strict_absolute)
        await repo.tighten(tx, user_id=user_id, idle=idle, absolute=longest)

    async def seen_before(self, tx: Tx, user_id: str, session_id: str) -> bool:
        """Whether the session's browser family signed in for this person before."""
        browser = await repo.browser_of(tx, session_id)
        if browser is None:
            return True
        return await repo.browser_known(tx, user_id=user_id, session_id=session_id, browser=browser)

    async def age(self, tx: Tx, *, user_id: str, seconds: int) -> int:
        """Move proof times back by so many seconds (dev mode); how many sessions."""
        return await repo.age(tx, user_id=user_id, by=timedelta(seconds=seconds))

    async def sweep(self, tx: Tx) -> int:
        """Delete rows of sessions long over; they are kept as guards until then."""
        keep = timedelta(seconds=self.settings.guard_keep)
        return await repo.sweep(tx, before=tx.now - keep)


def session_uuid(session_id: str) -> UUID:
    """The UUID behind a session id; raises ValueError."""
    return to_uuid(session_id, prefix=SESSION)
