"""Envelopes: every sign-in step answers one shape, told apart by ``next``."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, urlencode

from authsvc.accounts.service import Account
from authsvc.accounts.settings import SignUpMode
from authsvc.clients.service import Client
from authsvc.kernel.email import mask
from authsvc.kernel.wire import seconds_until, timestamp
from authsvc.onetime.service import CODE_DIGITS
from authsvc.sessions.facts import Live
from authsvc.signin.attempts import Asker
from authsvc.signin.flow import Flow
from authsvc.signin.hint import Hint
from authsvc.signin.schemas import (
    CheckEmail,
    CodeInfo,
    Delivery,
    Done,
    FlowInfo,
    LastUsed,
    Method,
    SessionInfo,
    SignIn,
    UserInfo,
)
from authsvc.tokens.minting import Minted
from authsvc.tokens.rotation import Ending


def session_info(live: Live) -> SessionInfo:
    """The session as its owner sees it."""
    # Our own values, in the shape the model declares: checking them again costs each refresh.
    return SessionInfo.model_construct(
        id=live.id,
        acr=live.acr,
        amr=list(live.amr),
        auth_time=timestamp(live.auth_time),
        mfa=live.mfa_time is not None,
        mfa_time=None if live.mfa_time is None else timestamp(live.mfa_time),
        profile=live.profile.value,
        idle_expires_at=timestamp(live.idle_expires_at),
        expires_at=timestamp(live.expires_at),
    )


def user_info(account: Account) -> UserInfo:
    """The person as they see themselves."""
    return UserInfo(
        id=account.id,
        email=account.email,
        email_verified=account.email_verified,
        name=account.name,
        locale=account.locale,
        roles=list(account.roles),
    )


def done(
    live: Live, minted: Minted, *, account: Account | None = None, return_to: str | None = None
) -> Done:
    """Signed in, with an access token."""
    return Done.model_construct(
        next="done",
        access_token=minted.token,
        token_type="Bearer",
        expires_in=minted.expires_in,
        session=session_info(live),
        user=None if account is None else user_info(account),
        nudges=None if account is None else [],
        return_to=return_to,
    )


@dataclass(frozen=True, slots=True)
class Envelopes:
    """Builds the envelopes of people who are not signed in yet."""

    public_url: str
    sign_up: SignUpMode

    def check_email(
        self, flow: Flow, *, asker: Asker, tries_left: int, now: datetime
    ) -> CheckEmail:
        """A message is on its way, if the address can sign in here."""
        return CheckEmail(
            next="check_email",
            flow=self.flow_info(flow, asker=asker),
            resend_after=seconds_until(flow.resend_at, now=now),
            code=CodeInfo(digits=CODE_DIGITS, attempts_left=tries_left),
            delivery=Delivery(
                channel="email", to=mask(flow.address), expires_at=timestamp(flow.mail_expires_at)
            ),
            continue_url=f"{self.public_url}/ui/check-email?flow={flow.id}",
        )

    def flow_done(self, flow: Flow, *, asker: Asker) -> Done:
        """The attempt is finished: a browser resumes, a native app exchanges its flow token."""
        return Done(next="done", flow=self.flow_info(flow, asker=asker), return_to=flow.return_to)

    def flow_info(self, flow: Flow, *, asker: Asker) -> FlowInfo:
        """The attempt's name and end; its token only for the native app that holds it."""
        token = asker.secret.reveal() if asker.native else None
        return FlowInfo(id=flow.id, expires_at=timestamp(flow.expires_at), token=token)

    def sign_in(self, reason: Ending, *, client: Client | None, hint: Hint | None) -> SignIn:
        """Nobody is signed in here."""
        query = urlencode({"client_id": client.id}, quote_via=quote) if client else ""
        last = LastUsed(type="email", account_hint=hint.account_hint) if hint else None
        return SignIn(
            next="sign_in",
            reason=reason.value,
            sign_up=self.sign_up.value,
            continue_url=f"{self.public_url}/ui/sign-in" + (f"?{query}" if query else ""),
            methods=[Method(type="email")],
            last_used=last,
        )
