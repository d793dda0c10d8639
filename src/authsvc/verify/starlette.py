"""The verifier for Starlette: guard an endpoint, answer refusals as problem+json."""

import functools
from collections.abc import Awaitable, Callable, Collection

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from authsvc.verify import bearer
from authsvc.verify.assurance import requirement
from authsvc.verify.claims import Principal
from authsvc.verify.errors import AuthRefused
from authsvc.verify.verifier import Verifier as Core

__all__ = ["Principal", "Verifier"]

Endpoint = Callable[[Request], Awaitable[Response]]


class Verifier(Core):
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
    ) -> Callable[[Endpoint], Endpoint]:
        """A decorator; the endpoint finds the Principal in ``request.state.principal``."""
        required = requirement(
            mfa=mfa,
            max_age=max_age,
            roles=roles,
            all_roles=all_roles,
            phishing_resistant=phishing_resistant,
        )

        def guard(endpoint: Endpoint) -> Endpoint:
            @functools.wraps(endpoint)
            async def guarded(request: Request) -> Response:
                request.state.principal = await bearer.authenticate(
                    self,
                    request.scope["headers"],
                    query=request.scope["query_string"],
                    required=required,
                    optional=optional,
                )
                return await endpoint(request)

            return guarded

        return guard

    def install(self, app: Starlette) -> None:
        """Answer refusals as problem+json with their challenge."""
        app.add_exception_handler(AuthRefused, _answer)


async def _answer(_request: Request, error: Exception) -> Response:
    assert isinstance(error, AuthRefused)
    body, headers = bearer.problem(error)
    return JSONResponse(body, error.status, headers, media_type=bearer.MEDIA_TYPE)
