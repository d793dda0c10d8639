"""Doors of sessions: sign-out, a native app's tokens, and what a screen needs to start."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from authsvc.accounts.settings import SignUpMode
from authsvc.clients.service import Client, Clients
from authsvc.kernel.errors import Code, Refusal
from authsvc.platform.http.cookies import Cookies
from authsvc.platform.http.door import Level, door
from authsvc.platform.http.provide import caller, service
from authsvc.platform.i18n.catalogue import Catalogue
from authsvc.signin.attempts import known_asker
from authsvc.signin.resume import ResumeEndpoint
from authsvc.signin.schemas import (
    Config,
    Done,
    Envelope,
    Links,
    LogoutRequest,
    Messages,
    Method,
    ResumeRequest,
    SignIn,
    TokenAnswer,
    TokenRequest,
)
from authsvc.signin.session import Resumed, SessionDoor
from authsvc.verify.fastapi import Principal, Verifier


@dataclass(frozen=True, slots=True)
class SessionDesk:
    """What the doors of sessions lean on."""

    door: SessionDoor
    clients: Clients
    cookies: Cookies
    catalogue: Catalogue
    resume: ResumeEndpoint
    sign_up: SignUpMode
    app_name: str
    links: Links
    dev: bool

    def native_client(self, client_id: str) -> Client:
        """The registered native client; raises validation_failed."""
        client = self.clients.by_id(client_id)
        if client is None or not client.native:
            raise Refusal(Code.VALIDATION_FAILED, pointer="#/client_id", log="not a native client")
        return client


def router(auth: Verifier) -> APIRouter:
    """The session routes. ``auth`` recognises a native app by its bearer token."""
    routes = APIRouter(prefix="/v1")
    routes.include_router(_resuming())
    routes.include_router(_ending(auth))
    routes.include_router(_native())
    routes.include_router(_starting())
    return routes


def _resuming() -> APIRouter:
    routes = APIRouter(tags=["session"])

    @routes.post("/session/resume", response_model=Envelope, **door(Level.ANON))
    async def resume_session(request: Request, body: ResumeRequest | None = None) -> Response:
        """Boot or refresh: the signed-in envelope, a pending attempt, or how to sign in.

        The edge calls the endpoint before the router is asked; here it is described.
        """
        raise RuntimeError("no request comes here: see straight in app.py")

    return routes


def _ending(auth: Verifier) -> APIRouter:
    routes = APIRouter(tags=["session"])
    bearer = Depends(auth.require_auth(optional=True))

    bearer_codes = (Code.TOKEN_MISSING, Code.TOKEN_INVALID, Code.TOKEN_EXPIRED)

    @routes.post("/logout", status_code=204, **door(Level.COOKIE, *bearer_codes))
    async def sign_out(
        request: Request,
        principal: Annotated[Principal | None, bearer],
        body: LogoutRequest | None = None,
    ) -> Response:
        """End this session, the others or all. Browsers by cookie, native apps by bearer."""
        desk, who = service(request, SessionDesk), caller(request)
        asked = body or LogoutRequest()
        scope = asked.scope
        response = Response(status_code=204)
        if who.origin is None:
            if principal is None:
                raise Refusal(Code.TOKEN_MISSING, log="native sign-out without bearer")
            await desk.door.end(principal.sub, session_id=principal.sid, scope=scope, caller=who)
            return response
        jar = desk.cookies.read(request.scope["headers"])
        await desk.door.sign_out(jar.session, scope=scope, caller=who)
        if scope != "others":
            desk.cookies.clear_session(response)
        if asked.forget_device:
            desk.cookies.clear_hint(response)
        return response

    return routes


def _native() -> APIRouter:
    routes = APIRouter(tags=["session"])

    @routes.post(
        "/token",
        response_model=TokenAnswer | SignIn,
        response_model_exclude_none=True,
        **door(Level.ANON, Code.FLOW_EXPIRED, Code.FLOW_STEP_MISMATCH),
    )
    async def native_token(request: Request, body: TokenRequest) -> TokenAnswer | SignIn:
        """Exchange a finished flow, or refresh, with the values in the body.

        Refuses every request with an Origin: a browser has its cookie.
        """
        desk, who = service(request, SessionDesk), caller(request)
        if who.origin is not None:
            raise Refusal(
                Code.ORIGIN_NOT_ALLOWED, log="a browser called /v1/token; it resumes by cookie"
            )
        client = desk.native_client(body.client_id)
        if body.grant == "flow":
            asker = known_asker(body.flow_token, native=True)
            resumed = await desk.door.exchange(
                asker, client=client, audience=body.audience, caller=who
            )
        else:
            if body.refresh_token is None:
                raise Refusal(Code.VALIDATION_FAILED, pointer="#/refresh_token", log="missing")
            resumed = await desk.door.refresh_native(
                body.refresh_token, client=client, audience=body.audience, caller=who
            )
        return _tokens(resumed)

    return routes


def _tokens(resumed: Resumed) -> TokenAnswer | SignIn:
    match resumed.body:
        case SignIn() as body:
            return body
        case Done(access_token=str() as token, expires_in=int() as life) if resumed.refreshed:
            return TokenAnswer(
                access_token=token,
                token_type="Bearer",
                expires_in=life,
                refresh_token=resumed.refreshed.credential,
            )
        case _:
            raise RuntimeError("a native refresh ended without tokens")


def _starting() -> APIRouter:
    routes = APIRouter(tags=["screens"])

    @routes.get("/config", **door(Level.PUBLIC))
    async def read_config(request: Request) -> Config:
        """What a sign-in screen needs to know before anything else."""
        desk = service(request, SessionDesk)
        return Config(
            app=desk.app_name,
            methods=[Method(type="email")],
            sign_up=desk.sign_up.value,
            locales=list(desk.catalogue.locales),
            challenge_provider=None,
            links=desk.links,
            dev=desk.dev,
        )

    @routes.get("/i18n/{locale}", **door(Level.PUBLIC, Code.NOT_FOUND))
    async def read_messages(request: Request, locale: str) -> Messages:
        """One language of the catalogue, for hosted screens and SPAs alike."""
        desk = service(request, SessionDesk)
        if locale not in desk.catalogue.locales:
            raise Refusal(Code.NOT_FOUND, log="no such locale")
        return Messages(locale=locale, messages=dict(desk.catalogue.messages(locale)))

    return routes
