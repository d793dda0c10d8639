"""Doors for other programs: public documents under /.well-known, all from memory."""

from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse

from authsvc.crypto.jose import Algorithm
from authsvc.kernel.clock import Clock
from authsvc.kernel.errors import Code
from authsvc.keys.ring import SigningRing
from authsvc.machine.documents import JWKS_PATH, SECURITY_TXT_PATH, Documents
from authsvc.machine.schemas import KeySet, ServerMetadata
from authsvc.platform.http.conditional import answer
from authsvc.platform.http.door import Level, door

_KEEP = {"Cache-Control": "public, max-age=300, stale-while-revalidate=3600, stale-if-error=86400"}
_KEEP_A_DAY = {"Cache-Control": "public, max-age=86400"}
_CHANGE_PASSWORD = "/ui/account"  # the security screen takes over when it exists


def router(
    ring: SigningRing,
    *,
    issuer: str,
    alg: Algorithm,
    security_contact: str | None,
    clock: Clock,
) -> APIRouter:
    """Everything under ``/.well-known``; raises ValueError for a contact that is no address."""
    documents = Documents(ring, clock, issuer, alg, security_contact)
    routes = APIRouter(tags=["machines"])
    _documents(routes, documents)
    _pointers(routes, documents)
    return routes


def metadata_path(issuer: str) -> str:
    """Where an issuer's metadata is: between host and path. Spec: RFC 8414 §3.1."""
    return f"/.well-known/oauth-authorization-server{urlsplit(issuer).path.rstrip('/')}"


def _documents(routes: APIRouter, documents: Documents) -> None:
    @routes.get(JWKS_PATH, response_model=KeySet, **door(Level.PUBLIC, Code.KEYS_UNAVAILABLE))
    async def read_jwks(request: Request) -> Response:
        """The public keys of access tokens: the next one and those that still count included."""
        return answer(request, documents.keys(), headers=_KEEP)

    @routes.get(
        metadata_path(documents.issuer), response_model=ServerMetadata, **door(Level.PUBLIC)
    )
    async def read_metadata(request: Request) -> Response:
        """What this issuer is and can do."""
        return answer(request, documents.metadata(), headers=_KEEP)


def _pointers(routes: APIRouter, documents: Documents) -> None:
    @routes.get(
        "/.well-known/change-password",
        status_code=302,
        response_class=RedirectResponse,
        **door(Level.PUBLIC),
    )
    async def change_password() -> Response:
        """To the screen where a person's ways to sign in are. Spec: W3C change-password-url."""
        return RedirectResponse(_CHANGE_PASSWORD, status_code=302)

    @routes.get(SECURITY_TXT_PATH, response_class=Response, **door(Level.PUBLIC))
    async def security_txt(request: Request) -> Response:
        """Whom to tell about a weakness. Spec: RFC 9116."""
        return answer(request, documents.security_txt(), headers=_KEEP_A_DAY)
