"""How a route says who may call it and what it may answer."""

from enum import StrEnum
from typing import Any

from authsvc.kernel.errors import KINDS, Code
from authsvc.platform.http.problems import MEDIA_TYPE, STATUS


class Level(StrEnum):
    """Who may call a route. Spec: api.md §13."""

    PUBLIC = "public"  # metadata, static files, pages: anybody, reads only
    ANON = "anon"  # the browser checks of security.md B7, or a native call
    COOKIE = "cookie"  # the same, and a session
    FLOW = "flow"  # the same, and a pending attempt
    MAIL = "mail"  # the same, and a one-time token of a mail in the body
    ACCESS = "access"  # bearer
    FRESH = "fresh"  # bearer with a recent proof
    ADMIN = "admin"  # bearer of an administrator
    M2M = "m2m"  # a service's own secret
    DEV = "dev"  # dev mode on localhost
    MGMT = "mgmt"  # the private port


_ALWAYS = (
    Code.BAD_REQUEST,
    Code.VALIDATION_FAILED,
    Code.NOT_FOUND,
    Code.METHOD_NOT_ALLOWED,
    Code.PAYLOAD_TOO_LARGE,
    Code.UNSUPPORTED_MEDIA_TYPE,
    Code.RATE_LIMITED,
    Code.TEMPORARILY_BLOCKED,
    Code.STORE_UNAVAILABLE,
    Code.BUSY,
    Code.MAINTENANCE,
    Code.INTERNAL_ERROR,
)
_PAGE = (Code.CSRF_REJECTED, Code.ORIGIN_NOT_ALLOWED)
_BEARER = (
    Code.TOKEN_MISSING,
    Code.TOKEN_INVALID,
    Code.TOKEN_EXPIRED,
    Code.SESSION_REVOKED,
    Code.KEYS_UNAVAILABLE,
)
_FRESH = (*_BEARER, Code.INSUFFICIENT_USER_AUTHENTICATION)
_BRINGS: dict[Level, tuple[Code, ...]] = {
    Level.PUBLIC: (),
    Level.ANON: _PAGE,
    Level.COOKIE: _PAGE,
    Level.FLOW: (*_PAGE, Code.FLOW_EXPIRED, Code.FLOW_STEP_MISMATCH),
    Level.MAIL: (*_PAGE, Code.LINK_EXPIRED, Code.LINK_ALREADY_USED),
    Level.ACCESS: _BEARER,
    Level.FRESH: _FRESH,
    Level.ADMIN: (*_FRESH, Code.FORBIDDEN),
    Level.M2M: (Code.TOKEN_MISSING, Code.TOKEN_INVALID),
    Level.DEV: (Code.CSRF_REJECTED,),
    Level.MGMT: (),
}


def _refusals(names: list[str]) -> dict[str, Any]:
    only = {"properties": {"code": {"enum": names}}}
    reference = {"$ref": "#/components/schemas/Problem"}
    return {
        "description": ", ".join(f"`{name}`" for name in names),
        "content": {MEDIA_TYPE: {"schema": {"allOf": [reference, only]}}},
    }


def door(level: Level, *codes: Code) -> dict[str, Any]:
    """Keyword arguments for a route decorator: its level, and each code by status.

    The codes of the level come by themselves; ``codes`` are those beyond it.
    """
    declared = sorted({code.value for code in (*_ALWAYS, *_BRINGS[level], *codes)})
    by_status: dict[int, list[str]] = {}
    for name in declared:
        by_status.setdefault(STATUS[KINDS[Code(name)]], []).append(name)
    responses = {status: _refusals(names) for status, names in sorted(by_status.items())}
    extra = {"x-authsvc-level": level.value, "x-authsvc-codes": declared}
    return {"responses": responses, "openapi_extra": extra}
