"""Sessions: opened once for each finished flow, turned, listed and ended."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from authsvc.kernel.caller import Caller
from authsvc.kernel.clock import Clock, SystemClock, from_micros, to_micros
from authsvc.kernel.ids import SESSION, SessionId, UserId, is_id, new_id, to_uuid
from authsvc.platform.db.engine import Database
from authsvc.platform.db.hot import Hot
from authsvc.platform.db.sealed import Need
from authsvc.platform.db.subject import ADMIN
from authsvc.platform.db.uow import Tx
from authsvc.sessions import repo
from authsvc.sessions.facts import Listed, Live, Look, Proof, columns_of, live_of
from authsvc.sessions.settings import Profile, SessionSettings
from authsvc.sessions.tables import Session


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
        return None if row is None else live_of(session_id, row)

    async def look(self, session_id: UUID) -> Look | None:
        """The row as it stands, with the database's time."""
        row = await self.hot.row(repo.LOOK, self._now(), session_id)
        if row is None:
            return None
        return Look(
            live=live_of(session_id, row),
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
        opened = columns_of(live, caller=caller) | {
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

    async def of_flow(self, tx: Tx, flow_id: str, *, client_id: str) -> str | None:
        """The session that a flow opened for this client; None when it opened none for it.

        A link pressed in another browser opens the flow's session there, for another client.
        """
        return await repo.of_flow(tx, flow_id, client_id=client_id)

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
        """Whether the session's browser family is known for this person.

        The first session anybody has is nothing to be told about.
        """
        others = await repo.other_browsers(tx, user_id=user_id, session_id=session_id)
        return not others or await repo.browser_of(tx, session_id) in others

    async def active(self, tx: Tx) -> int:
        """How many sessions could be resumed now; for operators, never in a request."""
        return await repo.active(tx)

    async def by_key(self, tx: Tx) -> dict[str, Need]:
        """The open sessions by the secret key that signed them; for operators."""
        return await repo.by_key(tx)

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
