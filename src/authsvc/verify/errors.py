"""How a token check says no: typed, with stable codes, public words and a private reason.

``title`` and ``detail`` may be shown to anybody. ``log`` is for the operator only and never
leaves the process. Neither ever holds a token.
"""

from enum import StrEnum
from typing import ClassVar

from authsvc.verify.claims import Acr, Principal


class Code(StrEnum):
    """The error codes a resource server can answer with: the contract, never renamed."""

    BAD_REQUEST = "bad_request"
    TOKEN_MISSING = "token_missing"
    TOKEN_INVALID = "token_invalid"
    TOKEN_EXPIRED = "token_expired"
    SESSION_REVOKED = "session_revoked"
    INSUFFICIENT_USER_AUTHENTICATION = "insufficient_user_authentication"
    FORBIDDEN = "forbidden"
    KEYS_UNAVAILABLE = "keys_unavailable"


class AuthRefused(Exception):
    """Any refusal of this library: catch this one to catch them all."""

    code: ClassVar[Code]
    status: ClassVar[int]
    title: ClassVar[str]
    detail: ClassVar[str]

    def __init__(self, *, log: str = "") -> None:
        super().__init__(f"{self.code}: {log}" if log else str(self.code))
        self.log = log


class BadRequest(AuthRefused):
    """The token came by a way that is not allowed, or by two ways. Spec: RFC 6750 §3.1."""

    code = Code.BAD_REQUEST
    status = 400
    title = "Bad request"
    detail = "Send the access token once, in the Authorization header."


class TokenMissing(AuthRefused):
    """No bearer token was sent. Spec: RFC 6750 §3."""

    code = Code.TOKEN_MISSING
    status = 401
    title = "Please sign in"
    detail = "This needs an access token in the Authorization header."


class TokenInvalid(AuthRefused):
    """The token is malformed, forged, or meant for somebody else."""

    code = Code.TOKEN_INVALID
    status = 401
    title = "Please sign in again"
    detail = "The access token is not valid here."


class TokenExpired(AuthRefused):
    """The token was good and its time is over."""

    code = Code.TOKEN_EXPIRED
    status = 401
    title = "Please refresh your session"
    detail = "The access token has expired."


class Forbidden(AuthRefused):
    """The person lacks the role. Proving more does not help."""

    code = Code.FORBIDDEN
    status = 403
    title = "You do not have access to this"
    detail = "Your account lacks a role that is needed here."


class KeysUnavailable(AuthRefused):
    """The issuer's keys cannot be had, so the token can be neither trusted nor refused.

    ``retry_after`` is in seconds, at least one.
    """

    code = Code.KEYS_UNAVAILABLE
    status = 503
    title = "Sign-in cannot be checked right now"
    detail = "Please try again in a moment."

    def __init__(self, *, retry_after: int, log: str = "") -> None:
        super().__init__(log=log)
        self.retry_after = max(1, retry_after)


class InsufficientUserAuthentication(AuthRefused):
    """The proof is too weak or too old; says what would do. Spec: RFC 9470 §3 (SU-01).

    ``acr_values`` and ``max_age`` (seconds) are what is asked, None where it does not matter.
    ``auth_age`` is the age in seconds of the last proof of any kind.
    """

    code = Code.INSUFFICIENT_USER_AUTHENTICATION
    status = 401
    title = "Please confirm it’s you"
    detail = "This needs a stronger or more recent sign-in."

    def __init__(
        self,
        *,
        principal: Principal,
        auth_age: int,
        acr_values: Acr | None,
        max_age: int | None,
    ) -> None:
        asked = f"asked acr={acr_values} max_age={max_age}"
        super().__init__(log=f"{asked}, has acr={principal.acr} mfa={principal.mfa}")
        self.principal = principal
        self.auth_age = auth_age
        self.acr_values = acr_values
        self.max_age = max_age
