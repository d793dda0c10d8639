"""The journey of one's own account: profile and sessions. Every query is by owner."""

from dataclasses import dataclass

from authsvc.account.idempotency import Idempotency
from authsvc.accounts.service import Account, Accounts
from authsvc.audit.service import Audit
from authsvc.kernel.caller import Caller
from authsvc.kernel.errors import Code, Refusal
from authsvc.kernel.events import ProfileChanged, SessionRevoked, SessionsRevoked
from authsvc.platform.db.uow import Tx, UnitOfWork
from authsvc.sessions.facts import Listed
from authsvc.sessions.service import Sessions


@dataclass(frozen=True, slots=True)
class Me:
    """Who is asking: the subject and session of a verified access token."""

    user_id: str
    session_id: str


@dataclass(frozen=True, slots=True)
class OwnAccount:
    """What people do with their own account. A session that has ended opens nothing."""

    uow: UnitOfWork
    accounts: Accounts
    sessions: Sessions
    audit: Audit
    idempotency: Idempotency
    locales: frozenset[str]

    async def _require_live(self, tx: Tx, me: Me) -> None:
        if not await self.sessions.is_live(tx, me.session_id):
            raise Refusal(Code.SESSION_REVOKED, log=f"{me.session_id} is over")

    async def profile(self, me: Me) -> Account:
        """The account; raises session_revoked."""
        async with self.uow.reading() as tx:
            await self._require_live(tx, me)
            return await self.accounts.profile(tx, me.user_id, changes={})

    async def change(self, me: Me, changes: dict[str, str | None], *, caller: Caller) -> Account:
        """The account after changing name or locale; an unknown locale is refused."""
        locale = changes.get("locale")
        if locale is not None and locale not in self.locales:
            raise Refusal(Code.VALIDATION_FAILED, pointer="#/locale", log="unknown locale")
        async with self.uow() as tx:
            await self._require_live(tx, me)
            account = await self.accounts.profile(tx, me.user_id, changes=changes)
            if changes:
                event = ProfileChanged(user_id=me.user_id, fields=tuple(sorted(changes)))
                await self.audit.record(tx, event, caller=caller)
        return account

    async def list_sessions(self, me: Me) -> list[Listed]:
        """The living sessions, the asking one first."""
        async with self.uow.reading() as tx:
            await self._require_live(tx, me)
            found = await self.sessions.living(tx, user_id=me.user_id)
        return sorted(found, key=lambda session: session.id != me.session_id)

    async def revoke(self, me: Me, session_id: str, *, caller: Caller) -> None:
        """End one session; somebody else's is not_found, one that is over is fine."""
        async with self.uow() as tx:
            await self._require_live(tx, me)
            if await self.sessions.owner(tx, session_id) != me.user_id:
                raise Refusal(Code.NOT_FOUND, log="not a session of this person")
            reason = "signed_out" if session_id == me.session_id else "signed_out_elsewhere"
            if await self.sessions.revoke(tx, session_id, user_id=me.user_id, reason=reason):
                event = SessionRevoked(user_id=me.user_id, session_id=session_id, reason=reason)
                await self.audit.record(tx, event, caller=caller)

    async def revoke_many(self, me: Me, *, scope: str, key: str | None, caller: Caller) -> int:
        """End the other sessions or all of them; how many were open.

        ``key`` is the call's Idempotency-Key: a repeat gives the first answer.
        """
        return await self.idempotency.once(
            key,
            owner=me.user_id,
            asked=f"revoke {scope}",
            work=lambda: self._revoke_many(me, scope=scope, caller=caller),
        )

    async def _revoke_many(self, me: Me, *, scope: str, caller: Caller) -> int:
        reason = "signed_out_elsewhere"
        sparing = me.session_id if scope == "others" else None
        async with self.uow() as tx:
            await self.accounts.line_up(tx, me.user_id)
            await self._require_live(tx, me)
            count = await self.sessions.revoke_all(
                tx, user_id=me.user_id, reason=reason, sparing=sparing
            )
            if count:
                event = SessionsRevoked(user_id=me.user_id, scope=scope, count=count, reason=reason)
                await self.audit.record(tx, event, caller=caller)
        return count
