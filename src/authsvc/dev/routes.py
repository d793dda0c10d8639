"""Doors of dev mode. They are mounted in dev mode only; elsewhere their paths are unknown."""

from collections.abc import Awaitable, Callable
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Query, Request, Response

from authsvc.dev.mailbox import Kept, Mailbox
from authsvc.dev.playground import Playground, Wish
from authsvc.dev.schemas import (
    Aged,
    AgeRequest,
    ClockRequest,
    MessageItem,
    MessageLink,
    Messages,
    Now,
    People,
    PersonItem,
    PersonRequest,
    Revoked,
    Token,
    TokenRequest,
)
from authsvc.kernel.errors import Code, Refusal
from authsvc.kernel.wire import timestamp
from authsvc.platform.http.door import Level, door
from authsvc.platform.http.provide import caller, service
from authsvc.verify.fastapi import Principal, Verifier

LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
Text = Annotated[str | None, Query(max_length=254)]
Shell = Callable[[Request], Awaitable[Response]]


def only_local(request: Request) -> None:
    """Refuse a foreign Host and pages of other sites, whatever the layers outside allow.

    Raises not_found for the first and csrf_rejected for the second.
    """
    if urlsplit(f"//{request.headers.get('host', '')}").hostname not in LOCAL_HOSTS:
        raise Refusal(Code.NOT_FOUND, log="dev mode answers on localhost only")
    origin = request.headers.get("origin")
    foreign = origin is not None and urlsplit(origin).hostname not in LOCAL_HOSTS
    if foreign or request.headers.get("sec-fetch-site") == "cross-site":
        raise Refusal(Code.CSRF_REJECTED, log="dev mode answers pages on localhost only")


def router(auth: Verifier, *, shell: Shell) -> APIRouter:
    """Everything under ``/dev``. ``shell`` answers the page that the screens live in."""
    routes = APIRouter(prefix="/dev", tags=["dev"], dependencies=[Depends(only_local)])
    for path in ("", "/mailbox"):
        routes.add_api_route(path, shell, methods=["GET"], include_in_schema=False)
    routes.include_router(_mailbox())
    routes.include_router(_people())
    routes.include_router(_time(auth))
    return routes


def _item(kept: Kept) -> MessageItem:
    return MessageItem(
        id=kept.id,
        channel=kept.channel,
        to=kept.to,
        subject=kept.subject,
        text=kept.text,
        links=[MessageLink(url=link) for link in kept.links],
        code=kept.code,
        at=timestamp(kept.at),
    )


def _mailbox() -> APIRouter:
    routes = APIRouter()

    def chosen(
        request: Request, to: Text = None, channel: Text = None, after: Text = None
    ) -> list[Kept]:
        return service(request, Mailbox).find(to=to, channel=channel, after=after)

    found = Depends(chosen)

    @routes.get("/mailbox.json", **door(Level.DEV))
    async def read_mailbox(messages: Annotated[list[Kept], found]) -> Messages:
        """Messages, newest first: to an address, of a channel, newer than a message's id."""
        return Messages(items=[_item(kept) for kept in messages])

    @routes.delete("/mailbox.json", status_code=204, **door(Level.DEV))
    async def empty_mailbox(request: Request, messages: Annotated[list[Kept], found]) -> Response:
        """Forget those messages."""
        service(request, Mailbox).drop(messages)
        return Response(status_code=204)

    return routes


def _people() -> APIRouter:
    routes = APIRouter()

    @routes.get("/people.json", **door(Level.DEV))
    async def list_people(request: Request) -> People:
        """The demo people."""
        seeded = await service(request, Playground).seeded()
        items = [
            PersonItem(email=who.email, name=who.name, roles=list(who.roles), note=note)
            for who, note in seeded
        ]
        return People(items=items)

    @routes.post("/token", **door(Level.DEV))
    async def make_token(request: Request, asked: TokenRequest) -> Token:
        """A real access token for a person, without signing in."""
        wish = Wish(
            audience=tuple(asked.audience or ()),
            acr=asked.acr,
            roles=None if asked.roles is None else tuple(asked.roles),
            auth_age=asked.auth_age,
            expires_in=asked.expires_in,
        )
        playground = service(request, Playground)
        token, life = await playground.token(asked.who, wish, caller=caller(request))
        return Token(access_token=token, expires_in=life)

    @routes.post("/revoke", **door(Level.DEV))
    async def end_sessions(request: Request, asked: PersonRequest) -> Revoked:
        """End a person's sessions."""
        return Revoked(revoked=await service(request, Playground).revoke(asked.who))

    @routes.post("/reset", status_code=204, **door(Level.DEV))
    async def start_again(request: Request) -> Response:
        """Forget everything but the signing keys and seed again."""
        await service(request, Playground).reset()
        return Response(status_code=204)

    return routes


def _time(auth: Verifier) -> APIRouter:
    routes = APIRouter()
    bearer = Depends(auth.require_auth(optional=True))

    @routes.post("/age", **door(Level.DEV))
    async def make_older(
        request: Request, asked: AgeRequest, principal: Annotated[Principal | None, bearer]
    ) -> Aged:
        """Move a person's proofs back, so that a fresh sign-in is asked for."""
        who = asked.who or (principal.sub if principal else None)
        if who is None:
            raise Refusal(Code.VALIDATION_FAILED, pointer="#/as", log="nobody named")
        playground = service(request, Playground)
        return Aged(aged=await playground.age(who, seconds=asked.seconds))

    @routes.get("/clock", **door(Level.DEV))
    async def read_clock(request: Request) -> Now:
        """The service's time."""
        return Now(now=timestamp(service(request, Playground).clock.now()))

    @routes.post("/clock", **door(Level.DEV))
    async def set_clock(request: Request, asked: ClockRequest) -> Now:
        """Move the service's time, or put it back to the machine's."""
        playground = service(request, Playground)
        now = await playground.move_clock(advance=asked.advance or 0, back=asked.reset)
        return Now(now=timestamp(now))

    return routes
