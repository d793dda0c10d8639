"""A middleware for any ASGI application that wants to know who is calling."""

from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from authsvc.verify import bearer
from authsvc.verify.assurance import Requirement
from authsvc.verify.claims import Principal
from authsvc.verify.errors import AuthRefused
from authsvc.verify.verifier import Verifier

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_NOTHING_ASKED = Requirement()


class AuthMiddleware:
    """Fills ``request.state.principal``: None without a good token, also if keys cannot be had.

    It never refuses; a route that needs somebody still says so with ``require_auth``.
    """

    def __init__(self, app: Application, verifier: Verifier) -> None:
        self.app = app
        self.verifier = verifier

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            scope.setdefault("state", {})["principal"] = await self._principal(scope)
        await self.app(scope, receive, send)

    async def _principal(self, scope: Scope) -> Principal | None:
        with suppress(AuthRefused):
            return await bearer.authenticate(
                self.verifier,
                scope["headers"],
                query=scope.get("query_string", b""),
                required=_NOTHING_ASKED,
                optional=True,
            )
        return None
