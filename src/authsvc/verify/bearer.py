"""From headers to a principal, and from a refusal to an answer: what every framework shares."""

from collections.abc import Sequence

from authsvc.verify.assurance import Requirement, RoleMissing, Satisfied, StepUp, judge
from authsvc.verify.claims import Principal
from authsvc.verify.errors import (
    AuthRefused,
    BadRequest,
    Forbidden,
    InsufficientUserAuthentication,
    KeysUnavailable,
    TokenInvalid,
    TokenMissing,
)
from authsvc.verify.verifier import Verifier

MEDIA_TYPE = "application/problem+json"


def token_from(headers: Sequence[tuple[bytes, bytes]], *, query: bytes) -> str | None:
    """The bearer token of a request, None when it has none.

    Raises BadRequest for a token in the query or in two places, TokenInvalid for an
    Authorization header that is no bearer token. Spec: RFC 6750 §2 (AT-07).
    """
    if any(part.partition(b"=")[0] == b"access_token" for part in query.split(b"&")):
        raise BadRequest(log="token in the query")
    found = [value for name, value in headers if name.lower() == b"authorization"]
    if not found:
        return None
    if len(found) > 1:
        raise BadRequest(log="two Authorization headers")
    scheme, _, token = found[0].decode("latin-1").strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or " " in token:
        raise TokenInvalid(log="Authorization is no bearer token")
    return token


async def authenticate(
    verifier: Verifier,
    headers: Sequence[tuple[bytes, bytes]],
    *,
    query: bytes,
    required: Requirement,
    optional: bool,
) -> Principal | None:
    """The principal who meets the requirement; None only if ``optional`` and without token.

    Raises the refusals of ``authsvc.verify.errors``; a bad token is refused also where it
    would be optional.
    """
    token = token_from(headers, query=query)
    if token is None:
        if optional:
            return None
        raise TokenMissing
    principal = await verifier.verify(token)
    match judge(principal, required=required, now=verifier.now()):
        case Satisfied():
            return principal
        case RoleMissing():
            raise Forbidden(log=f"{principal.sub} lacks a role")
        case StepUp() as asked:
            raise InsufficientUserAuthentication(
                principal=principal,
                auth_age=asked.auth_age,
                acr_values=asked.acr_values,
                max_age=asked.max_age,
            )


def challenge(error: AuthRefused) -> str | None:
    """The WWW-Authenticate value. Spec: RFC 6750 §3, RFC 9470 §3."""
    match error:
        case TokenMissing():
            return "Bearer"
        case Forbidden():
            return 'Bearer error="insufficient_scope"'
        case InsufficientUserAuthentication():
            parts = ['Bearer error="insufficient_user_authentication"']
            if error.acr_values is not None:
                parts.append(f'acr_values="{error.acr_values}"')
            if error.max_age is not None:
                parts.append(f'max_age="{error.max_age}"')
            return ", ".join(parts)
        case _ if error.status == 401:
            return 'Bearer error="invalid_token"'
        case _:
            return None


def problem(error: AuthRefused) -> tuple[dict[str, object], dict[str, str]]:
    """The problem document and its headers. Spec: RFC 9457 §3."""
    body: dict[str, object] = {
        "type": "about:blank",
        "title": error.title,
        "detail": error.detail,
        "status": error.status,
        "code": error.code.value,
    }
    headers = {"Cache-Control": "no-store"}
    authenticate_with = challenge(error)
    if authenticate_with is not None:
        headers["WWW-Authenticate"] = authenticate_with
    if isinstance(error, KeysUnavailable):
        body["retry_after"] = error.retry_after
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, InsufficientUserAuthentication):
        asked = {"acr": error.acr_values, "max_age": error.max_age}
        body["required"] = {name: value for name, value in asked.items() if value is not None}
        body["current"] = {
            "acr": error.principal.acr.value,
            "mfa": error.principal.mfa,
            "auth_age": error.auth_age,
        }
    return body, headers
