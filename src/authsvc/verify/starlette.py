"""The verifier for Starlette: guard an endpoint, answer refusals as problem+json."""

import functools
import json
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.websockets import WebSocket

from authsvc.verify import bearer, challenge
from authsvc.verify.asgi import AuthMiddleware
from authsvc.verify.assurance import Requirement, requirement
from authsvc.verify.claims import Principal
from authsvc.verify.errors import AuthRefused, KeysUnavailable
from authsvc.verify.verifier import Verifier as Core

__all__ = ["AuthMiddleware", "Principal", "Verifier", "WebVerifier"]

_POLICY_VIOLATION = 1008

_log = logging.getLogger("authsvc.verify")
_Answer = TypeVar("_Answer")


class WebVerifier(Core):
    """A verifier that lives in a Starlette or FastAPI application."""

    @asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncGenerator[None]:
        """Warms the keys at the start, closes at the end.

        An issuer that is not up yet is no reason not to start: requests are answered 503
        until it is.
        """
        try:
            await self.warm()
        except KeysUnavailable as error:
            _log.warning("starting without keys: %s", error.log)
        yield
        await self.aclose()

    def install(self, app: Starlette) -> None:
        """Answers refusals as problem+json with their challenge."""
        app.add_exception_handler(AuthRefused, self._answer)

    async def authenticate(
        self, connection: HTTPConnection, *, required: Requirement, optional: bool = False
    ) -> Principal | None:
        """The principal who meets the requirement; None only if ``optional`` and without token.

        Raises AuthRefused, or where nobody called ``install`` the HTTPException that comes
        closest.
        """
        scope = connection.scope
        try:
            return await bearer.authenticate(
                self,
                scope["headers"],
                query=scope.get("query_string", b""),
                required=required,
                optional=optional,
            )
        except AuthRefused as error:
            _log.info("refused: %s", error)
            if _is_installed(connection, error=error):
                raise
            answer = challenge.problem(error, issuer=self.expected.issuer)
            raise HTTPException(answer.status, error.title, dict(answer.headers)) from error

    async def _answer(self, connection: HTTPConnection, error: Exception) -> Any:
        if not isinstance(error, AuthRefused):
            raise error
        answer = challenge.problem(error, issuer=self.expected.issuer)
        body = json.dumps(answer.body, ensure_ascii=False).encode()
        response = Response(
            body, answer.status, dict(answer.headers), media_type=challenge.MEDIA_TYPE
        )
        if not isinstance(connection, WebSocket):
            return response
        if "websocket.http.response" in connection.scope.get("extensions", {}):
            await connection.send_denial_response(response)
        else:
            await connection.close(_POLICY_VIOLATION)
        return None


def _is_installed(connection: HTTPConnection, *, error: AuthRefused) -> bool:
    app = connection.scope.get("app")
    handlers = getattr(app, "exception_handlers", {})
    return any(kind in handlers for kind in type(error).__mro__ if kind is not Exception)


class Verifier(WebVerifier):
    """Verifies tokens and guards Starlette endpoints."""

    def require_auth(
        self,
        *,
        mfa: bool = False,
        max_age: int | None = None,
        roles: Collection[str] | None = None,
        all_roles: Collection[str] | None = None,
        phishing_resistant: bool = False,
        optional: bool = False,
    ) -> Callable[
        [Callable[[Request], Awaitable[_Answer]]], Callable[[Request], Awaitable[_Answer]]
    ]:
        """A decorator; the endpoint finds the Principal in ``request.state.principal``.

        Write it below the routing decorator, if there is one. The parameters mean what they
        mean in ``authsvc.verify.fastapi``.
        """
        required = requirement(
            mfa=mfa,
            max_age=max_age,
            roles=roles,
            all_roles=all_roles,
            phishing_resistant=phishing_resistant,
        )

        def guard(
            endpoint: Callable[[Request], Awaitable[_Answer]],
        ) -> Callable[[Request], Awaitable[_Answer]]:
            @functools.wraps(endpoint)
            async def guarded(request: Request) -> _Answer:
                request.state.principal = await self.authenticate(
                    request, required=required, optional=optional
                )
                return await endpoint(request)

            return guarded

        return guard
