"""Whether a state-changing request comes from a page that may send it. Pure.

Spec: security.md B7, api.md §3; docs/adr/0003 for calls without an Origin.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from authsvc.kernel.errors import Code, Extra, Refusal

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
ORIGINS_SETTING = "clients.<id>.origins"
NATIVE_ONLY = frozenset({"/v1/token"})
MAX_CLIENT_NAME = 64

_BEARER_ONLY = frozenset({"/v1/account", "/v1/admin"})
_BELOW_BEARER_ONLY = tuple(f"{path}/" for path in sorted(_BEARER_ONLY))
_BROWSER_ONLY = frozenset({"/v1/session/resume"})
_BY_COOKIE_OR_BEARER = frozenset({"/v1/logout"})
_SAME_SITE = frozenset({"same-origin", "same-site"})


@dataclass(frozen=True, slots=True)
class Question:
    """What the checks look at; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]


def is_checked(method: str, path: str) -> bool:
    """Whether a request of a page must pass the checks: it may change something by cookie."""
    if method in SAFE_METHODS or not path.startswith("/v1/"):
        return False
    return path not in _BEARER_ONLY and not path.startswith(_BELOW_BEARER_ONLY)


def judge(question: Question, *, allows: Callable[[str], bool]) -> Refusal | None:
    """The refusal of a request that a foreign page could have sent, else None.

    A call without Origin is native: its cookies are ignored, so there is nothing to forge.
    ``allows`` tells whether an origin is listed or our own. The content type, which belongs to
    the same checks, is judged with the body.
    """
    path, headers = question.path, question.headers
    if not is_checked(question.method, path):
        return None
    origin = headers.get("origin")
    if origin is None:
        return _without_origin(path, headers)
    if path in NATIVE_ONLY:
        return Refusal(Code.ORIGIN_NOT_ALLOWED, log="a page called; pages resume by cookie")
    if not allows(origin):
        return _rejected("origin", f"add the origin to {ORIGINS_SETTING}", ORIGINS_SETTING)
    if headers.get("sec-fetch-site", "same-origin") not in _SAME_SITE:
        return _rejected("sec_fetch_site", "the page is on another site")
    if not 0 < len(headers.get("x-authsvc-client", "")) <= MAX_CLIENT_NAME:
        return _rejected("client_header", "X-Authsvc-Client is missing")
    return None


def _without_origin(path: str, headers: Mapping[str, str]) -> Refusal | None:
    if path in _BROWSER_ONLY:
        return _rejected("origin", "no Origin on an endpoint for browsers")
    if path in _BY_COOKIE_OR_BEARER and "cookie" in headers and "authorization" not in headers:
        return _rejected("origin", "a cookie without an Origin")
    return None


def _rejected(check: str, log: str, setting: str | None = None) -> Refusal:
    extras: dict[str, Extra] = {"check": check}
    if setting is not None:
        extras["setting"] = setting
    return Refusal(Code.CSRF_REJECTED, extras=extras, log=log)
