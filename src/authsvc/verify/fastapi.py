"""The verifier for FastAPI: ``require_auth`` as a dependency, refusals as problem+json."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager, suppress
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer
from starlette.types import ASGIApp, Receive, Scope, Send

from authsvc.verify import bearer
from authsvc.verify.assurance import Requirement, requirement
from authsvc.verify.claims import Principal
from authsvc.verify.errors import AuthRefused
from authsvc.verify.verifier import Verifier as Core

__all__ = ["AuthMiddleware", "Principal", "Verifier"]


class _Required(HTTPBearer):
    """The dependency behind ``require_auth``; shows up as bearer security in OpenAPI."""

    def __init__(self, verifier: Core, required: Requirement, *, optional: bool) -> None:
        super().__init__(bearerFormat="JWT", scheme_name="bearer", auto_error=False)
        self.verifier = verifier
        self.required = required
        self.optional = optional

    async def __call__(self, request: Request) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        scope = request.scope
        return await bearer.authenticate(
            self.verifier,
            scope["headers"],
            query=scope["query_string"],
            required=self.required,
            optional=self.optional,
        )


class Verifier(Core):
    """Verifies tokens and guards FastAPI routes."""

    def require_auth(
        self,
        *,
        mfa: bool = False,
        max_age: int | None = None,
        roles: Collection[str] | None = None,
        all_roles: Collection[str] | None = None,
        phishing_resistant: bool = False,
        optional: bool = False,
    ) -> Callable[[Request], Awaitable[Any]]:
        """A dependency that gives the Principal, or None if ``optional`` and without token.

        ``roles``: any of them; ``all_roles``: every one. ``max_age`` (seconds) counts from the
        second step if ``mfa`` or ``phishing_resistant`` is asked, else from any proof. Roles
        are checked before anything a person could confirm. Spec: RFC 9470 (SU-01, SU-06).
        """
        required = requirement(
            mfa=mfa,
            max_age=max_age,
            roles=roles,
            all_roles=all_roles,
            phishing_resistant=phishing_resistant,
        )
        return _Required(self, required, optional=optional)

    @asynccontextmanager
    async def lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        """Warms the keys at the start and lets go of connections at the end."""
        with suppress(AuthRefused):  # an issuer that starts later is no reason not to start
            await self.warm()
        yield
        await self.aclose()

    def install(self, app: FastAPI) -> None:
        """Answer refusals as problem+json with their challenge."""
        app.add_exception_handler(AuthRefused, _answer)


async def _answer(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, AuthRefused)
    body, headers = bearer.problem(error)
    return JSONResponse(body, error.status, headers, media_type=bearer.MEDIA_TYPE)


class AuthMiddleware:
    """Fills ``request.state.principal`` (None without a good token); never refuses."""

    def __init__(self, app: ASGIApp, verifier: Core) -> None:
        self.app = app
        self.verifier = verifier

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            principal: Principal | None = None
            with suppress(AuthRefused):
                principal = await bearer.authenticate(
                    self.verifier,
                    scope["headers"],
                    query=scope.get("query_string", b""),
                    required=Requirement(),
                    optional=True,
                )
            scope.setdefault("state", {})["principal"] = principal
        await self.app(scope, receive, send)
