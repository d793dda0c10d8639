"""Doors of sign-in: they read the wire, call one journey and set cookies."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Body, Request, Response

from authsvc.clients.service import Client, Clients
from authsvc.crypto.keyring import Keyring
from authsvc.kernel.caller import Caller
from authsvc.kernel.email import InvalidAddress, canon, mask
from authsvc.kernel.errors import Code, Refusal
from authsvc.kernel.wire import timestamp
from authsvc.platform.http.cookies import Cookies, Jar
from authsvc.platform.http.door import Level, door
from authsvc.platform.http.provide import caller, service
from authsvc.platform.i18n.catalogue import Catalogue
from authsvc.signin import hint
from authsvc.signin.attempts import Asker, Attempts, known_asker, new_asker
from authsvc.signin.envelopes import Envelopes, done
from authsvc.signin.floor import at_least
from authsvc.signin.flow import Step
from authsvc.signin.methods.email import METHOD, Asked, EmailStart
from authsvc.signin.methods.email_proof import Confirmation, EmailProof, SignedIn
from authsvc.signin.pending import Pending
from authsvc.signin.resume import cookie_age
from authsvc.signin.schemas import (
    CheckEmail,
    CodeRequest,
    ConfirmRequest,
    Done,
    EmailRequest,
    Envelope,
    FlowRequest,
    LinkInfo,
    LinkRequest,
    Requested,
)
from authsvc.signin.settings import FlowSettings, VerifySettings
from authsvc.tokens.minting import Minter
from authsvc.tokens.service import Tokens

GATE = (Code.ACCOUNT_DISABLED, Code.SIGN_UP_CLOSED, Code.INVITATION_REQUIRED)


@dataclass(frozen=True, slots=True)
class SignInDesk:
    """What the doors of sign-in lean on."""

    clients: Clients
    cookies: Cookies
    attempts: Attempts
    start: EmailStart
    proof: EmailProof
    pending: Pending
    envelopes: Envelopes
    minter: Minter
    tokens: Tokens
    ring: Keyring
    catalogue: Catalogue
    verify: VerifySettings
    flow: FlowSettings

    def jar(self, request: Request) -> Jar:
        """The cookies of a browser; a native call has none."""
        return self.cookies.read(request.scope["headers"])

    def asker(self, request: Request, flow_token: str | None) -> Asker | None:
        """Who asks: by flow cookie from a browser, by flow token from an app."""
        if caller(request).origin is None:
            return known_asker(flow_token, native=True)
        return known_asker(self.jar(request).flow, native=False)

    def client(self, who: Caller, named: str | None) -> Client:
        """The asking client: by origin; native apps, and hosted screens for an app, name it."""
        if who.origin is None:
            client = self.clients.by_id(named) if named else None
            if client is None or not client.native:
                raise Refusal(
                    Code.VALIDATION_FAILED, pointer="#/client_id", log="not a native client"
                )
            return client
        asking = self.clients.by_origin(who.origin)
        if asking is None:
            raise Refusal(Code.ORIGIN_NOT_ALLOWED, log="no client has this origin")
        if named is None or named == asking.id or not asking.hosted:
            return asking
        client = self.clients.by_id(named)
        if client is None or client.native:
            raise Refusal(Code.VALIDATION_FAILED, pointer="#/client_id", log="unknown client")
        return client

    def asked(self, body: EmailRequest, who: Caller) -> Asked:
        """The checked request; raises validation_failed, return_to_not_allowed."""
        try:
            address = canon(body.email)
        except InvalidAddress as error:
            raise Refusal(
                Code.VALIDATION_FAILED, pointer="#/email", log=f"address: {error}"
            ) from error
        client = self.client(who, body.client_id)
        target = body.return_to
        return Asked(
            address=address,
            client=client,
            return_to=None if target is None else self.clients.check_return_to(client, target),
            stay=body.stay_signed_in,
            locale=self.catalogue.negotiate(
                ui_locales=body.ui_locales, saved=None, accept_language=None, default=who.locale
            ),
        )

    def knows(self, request: Request, address: str) -> bool:
        """Whether this browser signed in with the address before."""
        known = hint.read(self.ring, self.jar(request).hint)
        return known is not None and known.address_key == self.start.address_key(address).hex()

    def done(self, response: Response, signed_in: SignedIn, *, asker: Asker | None) -> Done:
        """The last envelope of a sign-in: cookies for a browser, the flow for an app."""
        flow, finished = signed_in.flow, signed_in.finished
        if flow is not None and asker is not None and asker.native:
            return self.envelopes.flow_done(flow, asker=asker)
        live = finished.live
        client = self.clients.by_id(live.client_id)
        audience = client.audience(None) if client else ()
        minted = self.minter.mint(live, audience=audience, client_id=live.client_id)
        credential = self.tokens.credential(live.id, counter=live.counter, key_id=live.mac_key_id)
        self.cookies.set_session(response, credential, max_age=cookie_age(live))
        self.cookies.set_hint(response, self._hint(finished.account.email))
        return done(
            live, minted, account=finished.account, return_to=flow.return_to if flow else None
        )

    def _hint(self, address: str) -> str:
        key = self.start.address_key(address).hex()
        return hint.write(self.ring, hint.Hint(METHOD, mask(address), key))


def router() -> APIRouter:
    """The routes of sign-in by e-mail and of pending attempts."""
    routes = APIRouter(prefix="/v1", tags=["sign-in"])
    routes.include_router(_starting())
    routes.include_router(_proving())
    routes.include_router(_attempts())
    return routes


def _starting() -> APIRouter:
    routes = APIRouter()

    @routes.post(
        "/sign-in/email",
        status_code=202,
        response_model_exclude_none=True,
        **door(
            Level.ANON,
            Code.RETURN_TO_NOT_ALLOWED,
            Code.RESEND_TOO_SOON,
            Code.EMAIL_UNAVAILABLE,
        ),
    )
    async def start_by_email(
        request: Request, response: Response, body: EmailRequest
    ) -> CheckEmail:
        """Send a message with a link and a code; the answer is the same for every address."""
        desk, who = service(request, SignInDesk), caller(request)
        asked = desk.asked(body, who)
        native = who.origin is None
        asker = desk.asker(request, None) or new_asker(native=native)
        own = desk.knows(request, asked.address)
        flow = await desk.start.start(asked, asker=asker, own=own, caller=who)
        if not native:
            desk.cookies.set_flow(response, asker.secret.reveal(), max_age=desk.flow.ttl)
        return await desk.pending.check_email(flow, asker=asker)

    @routes.post(
        "/sign-in/email/resend",
        status_code=202,
        response_model_exclude_none=True,
        **door(Level.FLOW, Code.RESEND_TOO_SOON, Code.EMAIL_UNAVAILABLE),
    )
    async def resend_email(request: Request, body: Annotated[FlowRequest, Body()]) -> CheckEmail:
        """Send another message for the same attempt; the older one is void."""
        desk, who = service(request, SignInDesk), caller(request)
        asker = desk.asker(request, body.flow_token)
        held = await desk.attempts.find(asker, body.flow)
        own = desk.knows(request, held.flow.address)
        flow = await desk.start.resend(held, own=own, caller=who)
        return await desk.pending.check_email(flow, asker=held.asker)

    return routes


def _proving() -> APIRouter:
    routes = APIRouter()
    wrong = (Code.CODE_INCORRECT, Code.CHALLENGE_EXPIRED, Code.TOO_MANY_ATTEMPTS)

    @routes.post(
        "/sign-in/email/code", response_model_exclude_none=True, **door(Level.FLOW, *wrong, *GATE)
    )
    async def sign_in_by_code(request: Request, response: Response, body: CodeRequest) -> Done:
        """Sign in the asking browser or app by the mailed code."""
        desk, who = service(request, SignInDesk), caller(request)
        async with at_least(desk.verify.floor):
            asker = desk.asker(request, body.flow_token)
            held = await desk.attempts.find(asker, body.flow)
            signed_in = await desk.proof.by_code(held, body.code, caller=who)
        return desk.done(response, signed_in, asker=held.asker)

    @routes.post("/sign-in/link/inspect", **door(Level.MAIL))
    async def inspect_link(request: Request, body: LinkRequest) -> LinkInfo:
        """Describe a mailed link; changes nothing."""
        desk = service(request, SignInDesk)
        found = await desk.proof.inspect(body.token, asker=desk.asker(request, None))
        at = found.requested_at
        words = [word for word in (found.requested_browser, found.requested_os) if word]
        requested = (
            None
            if at is None
            else Requested(at=timestamp(at), browser=" on ".join(words), place=None)
        )
        return LinkInfo(
            valid=True,
            purpose=found.purpose.value,
            same_browser=found.same_browser,
            account_hint=found.account_hint,
            requested=requested,
        )

    @routes.post(
        "/sign-in/link/confirm",
        response_model_exclude_none=True,
        **door(Level.MAIL, Code.OTHER_BROWSER, *wrong, *GATE),
    )
    async def confirm_link(request: Request, response: Response, body: ConfirmRequest) -> Done:
        """The pressed button: signs in the asking browser, any other only with the code."""
        desk, who = service(request, SignInDesk), caller(request)
        confirmation = Confirmation(token=body.token, here=body.here, code=body.code)
        async with at_least(desk.verify.floor):
            asker = desk.asker(request, None)
            signed_in = await desk.proof.by_link(confirmation, asker=asker, caller=who)
        return desk.done(response, signed_in, asker=asker)

    return routes


def _attempts() -> APIRouter:
    routes = APIRouter()

    @routes.get("/flow", response_model_exclude_none=True, **door(Level.FLOW))
    async def read_flow(request: Request, flow: str | None = None) -> Envelope:
        """The envelope of an attempt again: after a reload, or for a tab that waits.

        Browsers only: a native app's flow token never goes into a URL.
        """
        desk = service(request, SignInDesk)
        asker = desk.asker(request, None)
        held = await desk.attempts.find(asker, flow)
        if held.flow.step is Step.DONE:
            return desk.envelopes.flow_done(held.flow, asker=held.asker)
        return await desk.pending.check_email(held.flow, asker=held.asker)

    @routes.delete("/flow", status_code=204, **door(Level.FLOW))
    async def drop_flow(request: Request, body: FlowRequest | None = None) -> Response:
        """Give up an attempt; its message is worth nothing any more."""
        desk = service(request, SignInDesk)
        asker = desk.asker(request, body.flow_token if body else None)
        held = await desk.attempts.find(asker, body.flow if body else None)
        await desk.attempts.take(held.flow)
        return Response(status_code=204)

    return routes
