"""Whether a state-changing request comes from a page that may send it. Pure. Spec: B7."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from authsvc.kernel.errors import Code, Refusal

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
BEARER_ONLY = ("/v1/account", "/v1/admin")
BROWSER_ONLY = frozenset({"/v1/session/resume"})
NATIVE_ONLY = frozenset({"/v1/token"})
SAME_SITE = frozenset({"same-origin", "same-site"})
MAX_CLIENT_NAME = 64


@dataclass(frozen=True, slots=True)
class Question:
    """What the checks look at; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]


def judge(question: Question, *, allows: Callable[[str], bool]) -> Refusal | None:
    """The refusal of a request that a foreign page could have sent, else None.

    A call without Origin is native: its cookies are ignored, so there is nothing to forge
    (docs/adr/0003). ``allows`` tells whether an origin is listed or our own.
    """
    path, headers = question.path, question.headers
    if question.method in SAFE_METHODS or not path.startswith("/v1/"):
        return None
    if path.startswith(BEARER_ONLY):
        return None
    origin = headers.get("origin")
    if origin is None:
        missing = path in BROWSER_ONLY
        return _refused("origin", "no Origin: not a browser") if missing else None
    if path in NATIVE_ONLY:
        return Refusal(Code.ORIGIN_NOT_ALLOWED, log="browsers resume by cookie")
    if not allows(origin):
        return _refused("origin", "add the origin to clients.<id>.origins")
    if headers.get("sec-fetch-site", "same-origin") not in SAME_SITE:
        return _refused("sec_fetch_site", "the page is on another site")
    if not 0 < len(headers.get("x-authsvc-client", "")) <= MAX_CLIENT_NAME:
        return _refused("client_header", "X-Authsvc-Client is missing")
    return None


def _refused(check: str, log: str) -> Refusal:
    setting = "clients.<id>.origins" if check == "origin" else None
    extras: dict[str, str | None] = {"check": check}
    if setting:
        extras["setting"] = setting
    return Refusal(Code.CSRF_REJECTED, extras=extras, log=log)
