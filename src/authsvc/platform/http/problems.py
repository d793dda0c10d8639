"""Refusals on the wire: one table kind → status, one body. Spec: RFC 9457."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from secrets import randbelow
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from authsvc.kernel.errors import Code, Kind, Refusal
from authsvc.platform.i18n.catalogue import Catalogue
from authsvc.verify.errors import AuthRefused, InsufficientUserAuthentication, KeysUnavailable

MEDIA_TYPE = "application/problem+json"

STATUS: Mapping[Kind, int] = {
    Kind.BAD: 400,
    Kind.UNAUTHENTICATED: 401,
    Kind.FORBIDDEN: 403,
    Kind.MISSING: 404,
    Kind.METHOD: 405,
    Kind.CONFLICT: 409,
    Kind.GONE: 410,
    Kind.TOO_LARGE: 413,
    Kind.UNSUPPORTED: 415,
    Kind.INVALID: 422,
    Kind.LIMITED: 429,
    Kind.BROKEN: 500,
    Kind.UNAVAILABLE: 503,
}

# Refusals that a framework makes by status alone.
_BY_STATUS = {
    404: Code.NOT_FOUND,
    405: Code.METHOD_NOT_ALLOWED,
    413: Code.PAYLOAD_TOO_LARGE,
    415: Code.UNSUPPORTED_MEDIA_TYPE,
}

MAX_FAULTS = 20
MAX_POINTER = 200
_SOURCES = frozenset({"body", "query", "path", "header", "cookie"})

# pydantic's error types in the words of the catalogue, for the detail of one field
_FIELD_WORDS = {
    "missing": "field.missing",
    "extra_forbidden": "field.unknown",
    "string_too_long": "field.too_long",
    "string_too_short": "field.too_short",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One bad member of a body: a JSON pointer and why, in the catalogue's words."""

    pointer: str
    code: str
    words: str


class Invalid(Refusal):
    """validation_failed with an entry for each bad member; echoes no input."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(Code.VALIDATION_FAILED, log=", ".join(fault.code for fault in faults))
        self.faults = tuple(faults)


def faults_of(errors: Sequence[Any]) -> list[Fault]:
    """The faults behind pydantic's error list."""
    found: list[Fault] = []
    for error in errors[:MAX_FAULTS]:
        first, *rest = error["loc"] or ("",)
        loc = [str(part) for part in (rest if first in _SOURCES else error["loc"])]
        kind = str(error["type"])
        words = _FIELD_WORDS.get(kind) or (
            "field.type" if kind.endswith("_type") else "field.invalid"
        )
        code = words.removeprefix("field.")
        pointer = "#/" + "/".join(part.replace("~", "~0").replace("/", "~1") for part in loc)
        found.append(Fault(pointer[:MAX_POINTER], code, words))
    return found


def challenge(refusal: Refusal) -> str | None:
    """The WWW-Authenticate value of a refusal. Spec: RFC 6750 §3, RFC 9470 §3."""
    match refusal.code:
        case Code.TOKEN_MISSING:
            return "Bearer"
        case Code.TOKEN_INVALID | Code.TOKEN_EXPIRED | Code.SESSION_REVOKED:
            return 'Bearer error="invalid_token"'
        case Code.INSUFFICIENT_USER_AUTHENTICATION:
            required = refusal.extras.get("required")
            return _step_up(required if isinstance(required, Mapping) else {})
        case _:
            return None


def _step_up(required: Mapping[str, object]) -> str:
    parts = ['Bearer error="insufficient_user_authentication"']
    if "acr" in required:
        parts.append(f'acr_values="{required["acr"]}"')
    if "max_age" in required:
        parts.append(f'max_age="{required["max_age"]}"')
    return ", ".join(parts)


def from_verifier(error: AuthRefused) -> Refusal:
    """The library's refusal as one of ours; codes are the same."""
    code = Code(error.code)
    if isinstance(error, KeysUnavailable):
        return Refusal(code, retry_after=error.retry_after, log=error.log)
    if isinstance(error, InsufficientUserAuthentication):
        required = {"acr": error.acr_values, "max_age": error.max_age}
        current = {
            "acr": error.principal.acr,
            "mfa": error.principal.mfa,
            "auth_age": error.auth_age,
        }
        present = {name: value for name, value in required.items() if value is not None}
        return Refusal(code, extras={"required": present, "current": current}, log=error.log)
    return Refusal(code, log=error.log)


def from_http(error: HTTPException) -> Refusal:
    """The framework's own refusals: unknown route, wrong method and the like."""
    other = Code.BAD_REQUEST if error.status_code < 500 else Code.INTERNAL_ERROR
    return Refusal(_BY_STATUS.get(error.status_code, other), log=f"HTTP {error.status_code}")


def from_validation(error: RequestValidationError) -> Refusal:
    """A body, query or path that does not fit its model."""
    errors = error.errors()
    if any(entry["type"] == "json_invalid" for entry in errors):
        return Refusal(Code.BAD_REQUEST, log="malformed JSON")
    return Invalid(faults_of(errors))


def _up_to_two_seconds() -> int:
    return randbelow(3)


@dataclass(frozen=True, slots=True)
class Problems:
    """Writes problems in the caller's language.

    ``spread`` adds seconds to what an overloaded service asks clients to wait, so that they do
    not come back all at once (security.md C61).
    """

    catalogue: Catalogue
    public_url: str
    spread: Callable[[], int] = _up_to_two_seconds

    def body(self, refusal: Refusal, *, locale: str, request_id: str) -> dict[str, Any]:
        """The members of the problem."""
        say = self.catalogue.text
        code = refusal.code.value
        body: dict[str, Any] = {
            "type": f"{self.public_url}/errors/{code}",
            "title": say(f"error.{code}.title", locale, **refusal.params),
            "detail": say(f"error.{code}.detail", locale, **refusal.params),
            "status": STATUS[refusal.kind],
            "code": code,
            "request_id": request_id,
        }
        if refusal.params:
            body["params"] = dict(refusal.params)
        if isinstance(refusal, Invalid):
            body["errors"] = [
                {"pointer": f.pointer, "code": f.code, "detail": say(f.words, locale)}
                for f in refusal.faults
            ]
        elif refusal.pointer is not None:
            entry = {"pointer": refusal.pointer, "code": code, "detail": body["title"]}
            body["errors"] = [entry]
        if refusal.retry_after is not None:
            spread = self.spread() if refusal.kind is Kind.UNAVAILABLE else 0
            body["retry_after"] = refusal.retry_after + spread
        return body | dict(refusal.extras)

    def response(self, refusal: Refusal, scope: Scope) -> Response:
        """The answer to this request. Leaves the refusal in the scope for the log line."""
        state: dict[str, Any] = scope.setdefault("state", {})
        state["refusal"] = refusal
        caller = state.get("caller")
        locale = caller.locale if caller else self.catalogue.default
        body = self.body(refusal, locale=locale, request_id=state.get("request_id", ""))
        headers = {"Cache-Control": "no-store", "Content-Language": locale}
        if "retry_after" in body:
            headers["Retry-After"] = str(body["retry_after"])
        authenticate = challenge(refusal)
        if authenticate is not None:
            headers["WWW-Authenticate"] = authenticate
        return Response(
            json.dumps(body, ensure_ascii=False).encode(),
            status_code=body["status"],
            headers=headers,
            media_type=MEDIA_TYPE,
        )
