"""What machines read: key set, metadata and the well-known addresses. From memory, no I/O."""

import json
from datetime import UTC, timedelta

from fastapi import APIRouter, Request, Response

from authsvc.kernel.clock import Clock
from authsvc.kernel.errors import Code, Refusal
from authsvc.keys.ring import SigningRing
from authsvc.platform.http.door import Level, door

PUBLIC_CACHE = "public, max-age=300, stale-while-revalidate=3600, stale-if-error=86400"
JWKS_PATH = "/.well-known/jwks.json"


def router(
    ring: SigningRing, *, issuer: str, alg: str, security_contact: str | None, clock: Clock
) -> APIRouter:
    """Everything under ``/.well-known``."""
    routes = APIRouter(tags=["machines"])
    metadata = json.dumps(_metadata(issuer, alg=alg), separators=(",", ":")).encode()

    @routes.api_route(JWKS_PATH, methods=["GET", "HEAD"], **door(Level.PUBLIC))
    async def read_jwks(request: Request) -> Response:
        """The public signing keys. Spec: RFC 7517 §5."""
        document = ring.document()
        headers = {"Cache-Control": PUBLIC_CACHE, "ETag": document.etag}
        if request.headers.get("if-none-match") == document.etag:
            return Response(status_code=304, headers=headers)
        return Response(document.body, media_type="application/json", headers=headers)

    @routes.api_route(
        "/.well-known/oauth-authorization-server", methods=["GET", "HEAD"], **door(Level.PUBLIC)
    )
    async def read_metadata() -> Response:
        """What is true of this issuer. Spec: RFC 8414 §3 (OD-02)."""
        headers = {"Cache-Control": PUBLIC_CACHE}
        return Response(metadata, media_type="application/json", headers=headers)

    @routes.get("/.well-known/change-password", status_code=302, **door(Level.PUBLIC))
    async def change_password() -> Response:
        """Where people look after their account. Spec: W3C change-password-url."""
        return Response(status_code=302, headers={"Location": "/ui/account"})

    @routes.get("/.well-known/security.txt", **door(Level.PUBLIC, Code.NOT_FOUND))
    async def security_txt() -> Response:
        """Whom to tell about a hole. Spec: RFC 9116 §2."""
        if security_contact is None:
            raise Refusal(Code.NOT_FOUND, log="security_contact is not set")
        expires = (clock.now() + timedelta(days=180)).astimezone(UTC)
        text = f"Contact: {security_contact}\nExpires: {expires:%Y-%m-%dT00:00:00Z}\n"
        return Response(text, media_type="text/plain; charset=utf-8")

    return routes


def _metadata(issuer: str, *, alg: str) -> dict[str, object]:
    """No authorization or token endpoint is named: authsvc is no OAuth provider yet."""
    return {
        "issuer": issuer,
        "jwks_uri": issuer + JWKS_PATH,
        "response_types_supported": [],
        "access_token_signing_alg_values_supported": [alg],
        "acr_values_supported": ["aal1", "aal2", "phr"],
    }
