"""Boot, refresh, exchange and sign-out of sessions, apart from HTTP."""

from contextlib import suppress
from dataclasses import dataclass

from authsvc.accounts.service import Account, Accounts
from authsvc.audit.service import Audit
from authsvc.clients.service import Client
from authsvc.kernel.caller import Caller
from authsvc.kernel.errors import Code, Refusal
from authsvc.kernel.events import SessionsRevoked, SignedOut
from authsvc.platform.db.uow import Tx, UnitOfWork
from authsvc.sessions.facts import Look
from authsvc.sessions.service import Sessions
from authsvc.signin.attempts import Asker, Attempts
from authsvc.signin.envelopes import Envelopes, done
from authsvc.signin.flow import Flow
from authsvc.signin.hint import Hint
from authsvc.signin.pending import Pending
from authsvc.signin.schemas import CheckEmail, Done, SignIn
from authsvc.tokens.minting import Minter
from authsvc.tokens.rotation import Ending
from authsvc.tokens.service import Ended, Refreshed, Tokens


@dataclass(frozen=True, slots=True)
class Boot:
    """What a page or app shows when it starts or refreshes."""

    client: Client
    credential: str | None
    asker: Asker | None
    hint: Hint | None
    audience: str | None
    profile: bool
    native: bool = False


@dataclass(frozen=True, slots=True)
class Resumed:
    """The envelope, and the current credential when somebody is signed in."""

    body: Done | SignIn | CheckEmail
    refreshed: Refreshed | None


@dataclass(frozen=True, slots=True)
class SessionDoor:
    """The session's journey: one statement when all is well."""

    uow: UnitOfWork
    tokens: Tokens
    minter: Minter
    sessions: Sessions
    accounts: Accounts
    attempts: Attempts
    pending: Pending
    envelopes: Envelopes
    audit: Audit

    async def resume(self, boot: Boot, *, caller: Caller) -> Resumed:
        """The signed-in envelope with a new access token, else how to sign in.

        Raises validation_failed for an audience the client may not ask for, before the
        credential is touched.
        """
        audience = boot.client.audience(boot.audience)
        outcome = await self.tokens.refresh(boot.credential, caller=caller, native=boot.native)
        if isinstance(outcome, Ended):
            return Resumed(await self._signed_out(outcome.reason, boot), refreshed=None)
        minted = self.minter.mint(outcome.live, audience=audience, client_id=boot.client.id)
        account = await self._account(outcome.live.user_id) if boot.profile else None
        return Resumed(done(outcome.live, minted, account=account), refreshed=outcome)

    async def _account(self, user_id: str) -> Account | None:
        async with self.uow.reading() as tx:
            return await self.accounts.get(tx, user_id)

    async def _signed_out(self, reason: Ending, boot: Boot) -> SignIn | CheckEmail:
        if boot.asker is not None:
            try:
                flow = await self.attempts.pending(boot.asker)
            except Refusal:
                flow = None  # the store is away: signing in waits, telling so does not
            if flow is not None:
                return await self.pending.check_email(flow, asker=boot.asker)
        return self.envelopes.sign_in(reason, client=boot.client, hint=boot.hint)

    async def exchange(
        self, asker: Asker | None, *, client: Client, audience: str | None, caller: Caller
    ) -> Resumed:
        """A native app's first tokens for its finished flow, once. Raises flow_expired.

        The session's first turn decides who is first; a database that is away costs nothing.
        """
        names = client.audience(audience)
        flow = (await self.attempts.find(asker, None)).flow
        if flow.client_id != client.id:
            raise Refusal(Code.FLOW_EXPIRED, log="flow of another client")
        session_id = flow.session_id or await self._opened_by(flow)
        refreshed = await self.tokens.exchange(session_id, caller=caller)
        with suppress(Refusal):
            await self.attempts.take(flow)
        if refreshed is None:
            raise Refusal(Code.FLOW_EXPIRED, log="session exchanged or ended before")
        minted = self.minter.mint(refreshed.live, audience=names, client_id=client.id)
        return Resumed(done(refreshed.live, minted), refreshed=refreshed)

    async def _opened_by(self, flow: Flow) -> str:
        """The session of a flow whose record missed its end: the store was away just then."""
        async with self.uow.reading() as tx:
            found = await self.sessions.of_flow(tx, flow.id, client_id=flow.client_id)
        if found is None:
            raise Refusal(Code.FLOW_STEP_MISMATCH, log=f"{flow.id} is not finished")
        return found

    async def refresh_native(
        self, credential: str, *, client: Client, audience: str | None, caller: Caller
    ) -> Resumed:
        """Refresh by body. Another client's credential is no session and ends none (RF-04)."""
        look = await self._look(credential)
        if look is not None and look.live.client_id != client.id:
            body = self.envelopes.sign_in(Ending.NONE, client=client, hint=None)
            return Resumed(body, refreshed=None)
        boot = Boot(client, credential, None, None, audience, profile=False, native=True)
        return await self.resume(boot, caller=caller)

    async def _look(self, credential: str) -> Look | None:
        known = self.tokens.check(credential, native=True)
        return None if known is None else await self.sessions.look(known.id)

    async def sign_out(self, credential: str | None, *, scope: str, caller: Caller) -> None:
        """End the session behind a credential; a replaced credential ends its own session only.

        Nothing to end is no error.
        """
        known = None if credential is None else self.tokens.check(credential)
        if known is None:
            return
        look = await self.sessions.look(known.id)
        if look is None or look.revoked:
            return
        fresh = known.counter >= look.live.counter - 1
        await self.end(
            look.live.user_id,
            session_id=look.live.id,
            scope=scope if fresh else "this",
            caller=caller,
        )

    async def end(self, user_id: str, *, session_id: str, scope: str, caller: Caller) -> int:
        """End this session, the others or all of them; how many were open."""
        async with self.uow() as tx:
            if not await self.sessions.is_live(tx, session_id):
                return 0  # a session that is over ends no others
            if scope == "this":
                return await self._end_one(tx, user_id, session_id=session_id, caller=caller)
            await self.accounts.line_up(tx, user_id)
            sparing = session_id if scope == "others" else None
            if scope == "all":
                await self._end_one(tx, user_id, session_id=session_id, caller=caller)
            count = await self.sessions.revoke_all(
                tx, user_id=user_id, reason=Ending.SIGNED_OUT_ELSEWHERE, sparing=sparing
            )
            if count or scope == "all":
                event = SessionsRevoked(
                    user_id=user_id, scope=scope, count=count, reason=Ending.SIGNED_OUT_ELSEWHERE
                )
                await self.audit.record(tx, event, caller=caller)
            return count

    async def _end_one(self, tx: Tx, user_id: str, *, session_id: str, caller: Caller) -> int:
        ended = await self.sessions.revoke(
            tx, session_id, user_id=user_id, reason=Ending.SIGNED_OUT
        )
        if ended:
            event = SignedOut(user_id=user_id, session_id=session_id)
            await self.audit.record(tx, event, caller=caller)
        return int(ended)
