"""The verifier for FastAPI: ``require_auth`` as a dependency, refusals as problem+json."""

from collections.abc import Awaitable, Callable, Collection
from typing import Any

from fastapi.security import HTTPBearer
from starlette.requests import HTTPConnection

from authsvc.verify.asgi import AuthMiddleware
from authsvc.verify.assurance import Requirement, requirement
from authsvc.verify.claims import Principal
from authsvc.verify.starlette import WebVerifier

__all__ = ["AuthMiddleware", "Principal", "Verifier"]


class _Required(HTTPBearer):
    """The dependency behind ``require_auth``; shows up as bearer security in OpenAPI."""

    def __init__(self, verifier: WebVerifier, required: Requirement, *, optional: bool) -> None:
        super().__init__(bearerFormat="JWT", scheme_name="bearer", auto_error=False)
        self.verifier = verifier
        self.required = required
        self.optional = optional

    async def __call__(self, request: HTTPConnection) -> Any:
        return await self.verifier.authenticate(
            request, required=self.required, optional=self.optional
        )


class Verifier(WebVerifier):
    """Verifies tokens and guards FastAPI routes."""

    # FastAPI refuses a Collection as parameter: so ``Depends(auth.require_auth)``, where the
    # call was forgotten, breaks at the start instead of leaving the route open.
    def require_auth(
        self,
        *,
        mfa: bool = False,
        max_age: int | None = None,
        roles: Collection[str] | None = None,
        all_roles: Collection[str] | None = None,
        phishing_resistant: bool = False,
        optional: bool = False,
    ) -> Callable[[HTTPConnection], Awaitable[Any]]:
        """A dependency that gives the Principal, or None if ``optional`` and without token.

        ``roles``: any of them; ``all_roles``: every one. ``max_age`` (seconds) counts from the
        second step if ``mfa`` or ``phishing_resistant`` is asked, else from any proof. Roles
        are checked before anything a person could confirm.

        Spec: api.md §14.1, RFC 9470 §3 (SU-01, SU-06).
        """
        required = requirement(
            mfa=mfa,
            max_age=max_age,
            roles=roles,
            all_roles=all_roles,
            phishing_resistant=phishing_resistant,
        )
        return _Required(self, required, optional=optional)
