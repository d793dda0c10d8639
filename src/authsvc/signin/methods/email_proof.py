"""Proving an address: the code in the asking browser, the link there or, with code, elsewhere.

Spec: security.md B2, B5, C02, C23, C24.
"""

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from authsvc.audit.service import Audit
from authsvc.guesses.service import Guesses
from authsvc.kernel.caller import Caller
from authsvc.kernel.email import mask
from authsvc.kernel.errors import Code, Refusal
from authsvc.kernel.events import SignInFailed
from authsvc.kernel.ids import FLOW, new_id
from authsvc.onetime.service import Fate, Glance, OneTimeSecrets, Redeemed
from authsvc.onetime.service import Purpose as LinkPurpose
from authsvc.platform.db.uow import UnitOfWork
from authsvc.signin.attempts import Asker, Attempts, Held
from authsvc.signin.completion import Completion, Finished, ProvenAddress
from authsvc.signin.flow import Flow, Step

METHOD = "email"
INVITED_CLIENT = "ui"


@dataclass(frozen=True, slots=True)
class Inspected:
    """What the link page may show before anything is pressed."""

    purpose: LinkPurpose
    same_browser: bool
    account_hint: str
    requested_at: datetime | None
    requested_browser: str
    requested_os: str


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The pressed button: the link's token and, in another browser, the typed code."""

    token: str
    here: bool
    code: str | None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A finished sign-in and the attempt it came from (None for an invitation)."""

    finished: Finished
    flow: Flow | None


@dataclass(frozen=True, slots=True)
class EmailProof:
    """Redeems links and codes. An attempt is spent before the secret is looked at."""

    uow: UnitOfWork
    attempts: Attempts
    onetime: OneTimeSecrets
    guesses: Guesses
    audit: Audit
    completion: Completion

    async def by_code(self, held: Held, code: str, *, caller: Caller) -> SignedIn:
        """Sign in the asking browser by the mailed code.

        Raises code_incorrect (with attempts_left), challenge_expired, too_many_attempts,
        flow_step_mismatch when somebody was quicker, flow_expired for an attempt that led to
        a session before, and the gate's refusals.
        """
        flow = held.flow
        flow.require(Step.CHECK_EMAIL)
        mail = flow.mail_id or flow.id
        left = await self._spend(mail, first=flow.guess_key, renewable=True)
        async with self.uow() as tx:
            redeemed = await self.onetime.redeem_code(
                tx, code, purpose=LinkPurpose.SIGN_IN, flow_id=flow.id
            )
            if isinstance(redeemed, Redeemed):
                await self.guesses.give_back(tx, "first", flow.guess_key)
                outcome = await self.completion.finish(tx, _proven(flow), caller=caller)
            else:
                outcome = _code_refused(redeemed, left=left)
                failed = SignInFailed(method=METHOD, code=outcome.code, user_id=None)
                await self.audit.record(tx, failed, caller=caller)
        if isinstance(outcome, Refusal) and outcome.code is Code.LINK_ALREADY_USED:
            # An answer was lost between the session and its record: nothing can follow here.
            await self.attempts.take(flow)
            raise Refusal(Code.FLOW_EXPIRED, log=outcome.log)
        return await self._finish(held, outcome)

    async def inspect(self, token: str, *, asker: Asker | None) -> Inspected:
        """Describe a link; changes nothing. Raises link_expired, link_already_used."""
        glance = await self._glance(token)
        if glance.purpose is LinkPurpose.INVITE:
            hint = mask(glance.address or "")
            return Inspected(glance.purpose, False, hint, None, "", "")
        held = await self._held(glance)
        flow = held.flow
        return Inspected(
            purpose=glance.purpose,
            same_browser=asker is not None and asker.hash == flow.browser,
            account_hint=mask(flow.address),
            requested_at=flow.requested_at,
            requested_browser=flow.requested_browser,
            requested_os=flow.requested_os,
        )

    async def by_link(
        self, asked: Confirmation, *, asker: Asker | None, caller: Caller
    ) -> SignedIn:
        """Sign in by link: the asking browser at once, any other with the mail's code.

        Raises link_expired, link_already_used, other_browser, code_incorrect,
        too_many_attempts and the gate's refusals.
        """
        glance = await self._glance(asked.token)
        held = None if glance.purpose is LinkPurpose.INVITE else await self._held(glance)
        same = (
            held is not None
            and not held.flow.native
            and asker is not None
            and asker.hash == held.flow.browser
        )
        left: int | None = None
        code: str | None = None
        first = held.flow.guess_key if held else glance.id
        if not same:
            if not asked.here or asked.code is None:
                raise Refusal(Code.OTHER_BROWSER, log="asked for elsewhere, no code given")
            code = asked.code
            left = await self._spend(glance.id, first=first, renewable=held is not None)
        async with self.uow() as tx:
            redeemed = await self.onetime.redeem_token(
                tx, asked.token, purpose=glance.purpose, code=code
            )
            if isinstance(redeemed, Redeemed):
                if code is not None:
                    await self.guesses.give_back(tx, "first", first)
                proven = _here(held, redeemed, same=same, caller=caller)
                outcome = await self.completion.finish(tx, proven, caller=caller)
            else:
                outcome = _link_refused(redeemed, left=left)
                failed = SignInFailed(method=METHOD, code=outcome.code, user_id=None)
                await self.audit.record(tx, failed, caller=caller)
        if same:
            return await self._finish(held, outcome)
        if held is not None and isinstance(outcome, Finished):
            # Whoever asked elsewhere gets nothing of a sign-in that happened here.
            with suppress(Refusal):
                await self.attempts.take(held.flow)
        return await self._finish(None, outcome)

    async def _spend(self, mail: str, *, first: str, renewable: bool) -> int:
        """Spend one try of the message and one of the account; how many the message has left.

        ``renewable`` = the person can ask for a new message, so nobody waits for this one.
        """
        settings = self.guesses.settings
        used = await self.guesses.spend("flow", mail, maximum=settings.flow, window=settings.window)
        if used is None and renewable:
            raise Refusal(Code.CHALLENGE_EXPIRED, log="the message's tries are spent")
        if used is None:
            wait = await self.guesses.retry_after("flow", mail, window=settings.window)
            raise Refusal(Code.TOO_MANY_ATTEMPTS, retry_after=wait, log="invitation's tries")
        tries = await self.guesses.spend(
            "first", first, maximum=settings.first, window=settings.window
        )
        if tries is None:
            wait = await self.guesses.retry_after("first", first, window=settings.window)
            raise Refusal(Code.TOO_MANY_ATTEMPTS, retry_after=wait, log="first-step budget")
        return settings.flow - used

    async def _glance(self, token: str) -> Glance:
        async with self.uow.reading() as tx:
            glance = await self.onetime.peek(tx, token)
        match glance.fate:
            case Fate.FRESH:
                return glance
            case Fate.USED:
                raise Refusal(Code.LINK_ALREADY_USED, log="used before")
            case Fate.EXPIRED | Fate.UNKNOWN:
                raise Refusal(Code.LINK_EXPIRED, log=str(glance.fate))

    async def _held(self, glance: Glance) -> Held:
        held = await self.attempts.load(glance.flow_id)
        if held is None:
            raise Refusal(Code.LINK_EXPIRED, log="the attempt behind the link is gone")
        return held

    async def _finish(self, held: Held | None, outcome: Finished | Refusal) -> SignedIn:
        if isinstance(outcome, Refusal):
            raise outcome
        flow = None
        if held is not None:
            flow = held.flow.finished(session_id=outcome.live.id)
            # The session is open: a store that fails right now must not turn that into an error.
            # A native app's exchange finds it in SQL when the record has missed it.
            with suppress(Refusal):
                await self.attempts.save(held, flow)
        return SignedIn(outcome, flow=flow)


def _proven(flow: Flow) -> ProvenAddress:
    return ProvenAddress(
        address=flow.address,
        invited=False,
        flow_id=flow.id,
        client_id=flow.client_id,
        stay=flow.stay,
        locale=flow.locale,
    )


def _here(held: Held | None, redeemed: Redeemed, *, same: bool, caller: Caller) -> ProvenAddress:
    """What a link proves: for the asking browser all it asked for, elsewhere the address alone."""
    if held is None:
        return _invited(redeemed, locale=caller.locale)
    proven = _proven(held.flow)
    return proven if same else replace(proven, client_id=INVITED_CLIENT, stay=False)


def _invited(redeemed: Redeemed, *, locale: str) -> ProvenAddress:
    if redeemed.address is None:
        raise RuntimeError("an invitation without an address")
    return ProvenAddress(
        address=redeemed.address,
        invited=True,
        flow_id=new_id(FLOW),
        client_id=INVITED_CLIENT,
        stay=False,
        locale=locale,
    )


def _code_refused(fate: Fate, *, left: int) -> Refusal:
    if fate is Fate.EXPIRED:
        return Refusal(Code.CHALLENGE_EXPIRED, log="the message is too old")
    if fate is Fate.USED:
        return Refusal(Code.FLOW_STEP_MISMATCH, log="this message has signed somebody in")
    return Refusal(
        Code.CODE_INCORRECT,
        pointer="#/code",
        extras={"attempts_left": left},
        params={"n": left},
        log=str(fate),
    )


def _link_refused(fate: Fate, *, left: int | None) -> Refusal:
    match fate:
        case Fate.USED:
            return Refusal(Code.LINK_ALREADY_USED, log="used meanwhile")
        case Fate.EXPIRED:
            return Refusal(Code.LINK_EXPIRED, log="expired meanwhile")
        case _ if left is not None:
            return _code_refused(fate, left=left)
        case _:
            return Refusal(Code.LINK_EXPIRED, log=str(fate))
