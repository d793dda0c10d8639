"""Refresh: the convergent rotation of a session credential."""

from dataclasses import dataclass
from datetime import timedelta

from authsvc.audit.service import Audit
from authsvc.crypto import opaque
from authsvc.crypto.keyring import Keyring, Purpose
from authsvc.kernel.caller import Caller
from authsvc.kernel.events import RefreshRetriedLate, SessionReuseDetected
from authsvc.platform.db.uow import UnitOfWork
from authsvc.platform.metrics import Meter, Resume
from authsvc.sessions.facts import Live, Look
from authsvc.sessions.service import Sessions, session_uuid
from authsvc.tokens.rotation import Dead, Ending, HandBack, LateRetry, Reuse, Turn, judge


@dataclass(frozen=True, slots=True)
class Refreshed:
    """A living session and its current credential."""

    live: Live
    credential: str
    rotated: bool


@dataclass(frozen=True, slots=True)
class Ended:
    """No session: why, for the sign-in envelope. ``reused`` = this very credential ended it."""

    reason: Ending
    reused: bool = False


@dataclass(frozen=True, slots=True)
class Tokens:
    """Turns session credentials. Spec: security.md B4, C29."""

    ring: Keyring
    sessions: Sessions
    audit: Audit
    uow: UnitOfWork
    meter: Meter

    async def refresh(
        self, text: str | None, *, caller: Caller, native: bool = False
    ) -> Refreshed | Ended:
        """The session behind a credential with its current credential, or why there is none.

        One statement when the credential turns. Losing a race is no attack: the same current
        credential is given again. Reuse ends the session with an event in one transaction.
        """
        credential = None if text is None else self.check(text, native=native)
        if credential is None:
            return Ended(Ending.NONE)
        outcome = await self._turned(credential, caller=caller, native=native)
        self.meter.resumed(_counted(outcome))
        return outcome

    async def _turned(
        self, credential: opaque.Credential, *, caller: Caller, native: bool
    ) -> Refreshed | Ended:
        key_id = self.ring.current(Purpose.SESSION).id
        live = await self.sessions.advance(
            credential.id, counter=credential.counter, key_id=key_id, caller=caller
        )
        if live is not None:
            return self._refreshed(live, rotated=True, native=native)
        return await self._settle(credential, caller=caller, native=native)

    async def exchange(self, session_id: str, *, caller: Caller) -> Refreshed | None:
        """The first credential of a session finished by a native app; None the second time."""
        key_id = self.ring.current(Purpose.SESSION).id
        live = await self.sessions.advance(
            session_uuid(session_id), counter=0, key_id=key_id, caller=caller, now=True
        )
        return None if live is None else self._refreshed(live, rotated=True, native=True)

    def check(self, text: str, *, native: bool = False) -> opaque.Credential | None:
        """What the credential says, if we made it; junk never reaches the database."""
        return opaque.check(self.ring, text, purpose=_purpose(native=native))

    def credential(
        self, session_id: str, *, counter: int, key_id: str | None = None, native: bool = False
    ) -> str:
        """The credential of a session at a counter."""
        return opaque.issue(
            self.ring,
            purpose=_purpose(native=native),
            id=session_uuid(session_id),
            counter=counter,
            key_id=key_id,
        )

    def _refreshed(self, live: Live, *, rotated: bool, native: bool) -> Refreshed:
        text = self.credential(live.id, counter=live.counter, key_id=live.mac_key_id, native=native)
        return Refreshed(live, credential=text, rotated=rotated)

    async def _settle(
        self, credential: opaque.Credential, *, caller: Caller, native: bool
    ) -> Refreshed | Ended:
        look = await self.sessions.look(credential.id)
        if look is None:
            return Ended(Ending.EXPIRED)
        grace = timedelta(seconds=self.sessions.settings.grace)
        verdict = judge(credential.counter, _turn(look), now=look.now, grace=grace, caller=caller)
        match verdict:
            case HandBack(first=first):
                if first:
                    await self.sessions.mark_shown(credential.id, counter=look.live.counter)
                return self._refreshed(look.live, rotated=False, native=native)
            case LateRetry():
                if await self._remembered_late(look, caller=caller):
                    return self._refreshed(look.live, rotated=False, native=native)
                return await self._reused(look, caller=caller)
            case Reuse():
                return await self._reused(look, caller=caller)
            case Dead(reason=reason):
                return Ended(reason)

    async def _remembered_late(self, look: Look, *, caller: Caller) -> bool:
        live = look.live
        async with self.uow() as tx:
            spent = await self.sessions.spend_late_retry(tx, live.id, counter=live.counter)
            if spent:
                event = RefreshRetriedLate(user_id=live.user_id, session_id=live.id)
                await self.audit.record(tx, event, caller=caller)
        return spent

    async def _reused(self, look: Look, *, caller: Caller) -> Ended:
        live = look.live
        async with self.uow() as tx:
            user_id = await self.sessions.end_reused(tx, live.id)
            if user_id is not None:
                event = SessionReuseDetected(user_id=user_id, session_id=live.id)
                await self.audit.record(tx, event, caller=caller)
        return Ended(Ending.REVOKED, reused=True)


def _counted(outcome: Refreshed | Ended) -> Resume:
    match outcome:
        case Refreshed(rotated=rotated):
            return Resume.ROTATED if rotated else Resume.REPLAYED
        case Ended(reused=True):
            return Resume.REUSE_DETECTED
        case Ended():
            return Resume.EXPIRED


def _purpose(*, native: bool) -> Purpose:
    return Purpose.NATIVE if native else Purpose.SESSION


def _turn(look: Look) -> Turn:
    live = look.live
    ended = Ending(look.revoked_reason or Ending.REVOKED) if look.revoked else None
    return Turn(
        counter=live.counter,
        grace_counter=look.grace_counter,
        rotated_at=live.rotated_at,
        idle_expires_at=live.idle_expires_at,
        expires_at=live.expires_at,
        ended=ended,
        subject_alive=look.subject_alive,
        shown=look.shown,
        late_retries=look.late_retries,
        browser=look.browser,
        network=look.network,
    )
