"""From a refusal to the answer on the wire: status, WWW-Authenticate, problem document. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from authsvc.verify.errors import (
    AuthRefused,
    BadRequest,
    Forbidden,
    InsufficientUserAuthentication,
    KeysUnavailable,
    TokenMissing,
)

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Problem:
    """An answer: the JSON body goes out as ``application/problem+json``."""

    status: int
    headers: Mapping[str, str]
    body: Mapping[str, object]


def problem(error: AuthRefused, *, issuer: str) -> Problem:
    """The answer to a refusal; ``type`` is the issuer's page with cause and fix.

    Holds the public words only. Spec: RFC 9457 §3, RFC 6750 §3, RFC 9470 §3 (AT-08, SU-01).
    """
    body: dict[str, object] = {
        "type": f"{issuer}/errors/{error.code}",
        "title": error.title,
        "detail": error.detail,
        "status": error.status,
        "code": error.code.value,
    }
    headers = {"Cache-Control": "no-store"}
    challenge = www_authenticate(error)
    if challenge is not None:
        headers["WWW-Authenticate"] = challenge
    if isinstance(error, KeysUnavailable):
        headers["Retry-After"] = str(error.retry_after)
        body["retry_after"] = error.retry_after
    if isinstance(error, InsufficientUserAuthentication):
        body["required"] = required(error)
        body["current"] = current(error)
    return Problem(status=error.status, headers=headers, body=body)


def www_authenticate(error: AuthRefused) -> str | None:
    """The challenge, None where none belongs. Spec: RFC 6750 §3 and §3.1, RFC 9470 §3."""
    match error:
        case TokenMissing():
            return "Bearer"
        case BadRequest():
            return 'Bearer error="invalid_request"'
        case Forbidden():
            return 'Bearer error="insufficient_scope"'
        case InsufficientUserAuthentication():
            asked = {"acr_values": error.acr_values, "max_age": error.max_age}
            parts = ['Bearer error="insufficient_user_authentication"']
            parts += [f'{name}="{value}"' for name, value in asked.items() if value is not None]
            return ", ".join(parts)
        case _ if error.status == 401:
            return 'Bearer error="invalid_token"'
        case _:
            return None


def required(error: InsufficientUserAuthentication) -> dict[str, str | int]:
    """What is asked, for scripts that cannot read the header."""
    asked: dict[str, str | int] = {}
    if error.acr_values is not None:
        asked["acr"] = error.acr_values.value
    if error.max_age is not None:
        asked["max_age"] = error.max_age
    return asked


def current(error: InsufficientUserAuthentication) -> dict[str, str | int | bool]:
    """What the token proves; ``auth_age`` in seconds since the last proof of any kind."""
    held = error.principal
    return {"acr": held.acr.value, "mfa": held.mfa, "auth_age": error.auth_age}
