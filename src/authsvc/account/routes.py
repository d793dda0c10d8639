"""Doors of one's own account: bearer only, audience ``authsvc``."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request, Response

from authsvc.account.schemas import (
    Profile,
    ProfileChange,
    Revoked,
    RevokeRequest,
    SessionItem,
    SessionList,
)
from authsvc.account.service import Me, OwnAccount
from authsvc.accounts.service import Account
from authsvc.kernel.errors import Code
from authsvc.kernel.wire import timestamp
from authsvc.platform.http.door import Level, door
from authsvc.platform.http.provide import caller, service
from authsvc.sessions.facts import Listed
from authsvc.verify.fastapi import Principal, Verifier

PREFIX = "/v1/account"


def router(auth: Verifier) -> APIRouter:
    """The routes under ``/v1/account``."""
    routes = APIRouter(tags=["account"])
    routes.include_router(_profile(auth))
    routes.include_router(_sessions(auth))
    return routes


def _me(principal: Principal) -> Me:
    return Me(user_id=principal.sub, session_id=principal.sid)


def _wire(account: Account) -> Profile:
    return Profile(
        id=account.id,
        email=account.email,
        email_verified=account.email_verified,
        name=account.name,
        locale=account.locale,
        roles=list(account.roles),
    )


def _item(listed: Listed, *, current: str) -> SessionItem:
    return SessionItem(
        id=listed.id,
        current=listed.id == current,
        browser=listed.browser,
        os=listed.os,
        kind=listed.kind,
        place=None,
        ip=listed.masked_address,
        method=listed.method,
        created_at=timestamp(listed.created_at),
        last_seen_at=timestamp(listed.last_seen_at),
    )


def _profile(auth: Verifier) -> APIRouter:
    routes = APIRouter(prefix=PREFIX)
    bearer = Depends(auth.require_auth())

    @routes.get("", **door(Level.ACCESS))
    async def read_account(request: Request, principal: Annotated[Principal, bearer]) -> Profile:
        """The signed-in person's profile."""
        own = service(request, OwnAccount)
        return _wire(await own.profile(_me(principal)))

    @routes.patch("", **door(Level.ACCESS))
    async def change_account(
        request: Request, principal: Annotated[Principal, bearer], change: ProfileChange
    ) -> Profile:
        """Merge changes of name and locale; null clears a member. Spec: RFC 7396."""
        own = service(request, OwnAccount)
        changes = change.model_dump(exclude_unset=True)
        return _wire(await own.change(_me(principal), changes, caller=caller(request)))

    return routes


def _sessions(auth: Verifier) -> APIRouter:
    routes = APIRouter(prefix=f"{PREFIX}/sessions")
    bearer = Depends(auth.require_auth())

    @routes.get("", **door(Level.ACCESS))
    async def list_sessions(
        request: Request, principal: Annotated[Principal, bearer]
    ) -> SessionList:
        """Every browser and app that is signed in, this one first."""
        own = service(request, OwnAccount)
        found = await own.list_sessions(_me(principal))
        items = [_item(listed, current=principal.sid) for listed in found]
        return SessionList(items=items, next_cursor=None)

    @routes.delete("/{session_id}", status_code=204, **door(Level.ACCESS))
    async def end_session(
        request: Request, principal: Annotated[Principal, bearer], session_id: str
    ) -> Response:
        """Sign out one browser or app; may be repeated."""
        own = service(request, OwnAccount)
        await own.revoke(_me(principal), session_id, caller=caller(request))
        return Response(status_code=204)

    @routes.post("/revoke", **door(Level.ACCESS, Code.IDEMPOTENCY_KEY_REUSED))
    async def end_sessions(
        request: Request,
        principal: Annotated[Principal, bearer],
        asked: RevokeRequest,
        idempotency_key: Annotated[str | None, Header(max_length=64)] = None,
    ) -> Revoked:
        """Sign out everywhere else, or everywhere; a repeat with the same key changes nothing."""
        own = service(request, OwnAccount)
        count = await own.revoke_many(
            _me(principal), scope=asked.scope, key=idempotency_key, caller=caller(request)
        )
        return Revoked(revoked=count)

    return routes
