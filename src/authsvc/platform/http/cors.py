"""Cross-origin answers: exact origins with credentials, public metadata for everybody.

Spec: Fetch §3.2; api.md §4.
"""

from collections.abc import Callable

from authsvc.platform.http.csrf import NATIVE_ONLY
from authsvc.platform.http.headers import Header

_METADATA = "/.well-known/"
_CLIENT_SCRIPT = "/ui/lib/authsvc.js"
_VARY: Header = (b"vary", b"Origin")
_ANY: Header = (b"access-control-allow-origin", b"*")
_ALLOWED_HEADERS = (
    b"Content-Type, Authorization, Accept-Language, Idempotency-Key, X-Authsvc-Client,"
    b" X-Authsvc-Challenge"
)
_PREFLIGHT: tuple[Header, ...] = (
    (b"access-control-allow-methods", b"GET, POST, PATCH, DELETE"),
    (b"access-control-allow-headers", _ALLOWED_HEADERS),
    (b"access-control-max-age", b"7200"),
)
_EXPOSE: Header = (
    b"access-control-expose-headers",
    b"WWW-Authenticate, Retry-After, X-Request-Id, Content-Language",
)


def headers_for(path: str, origin: str | None, *, allows: Callable[[str], bool]) -> list[Header]:
    """The CORS headers of an answer; none for an origin that is not listed."""
    if path.startswith(_METADATA) or path == _CLIENT_SCRIPT:
        return [_ANY]
    if not path.startswith("/v1/") or path in NATIVE_ONLY:
        return []
    if origin is None or not allows(origin):
        return [_VARY]
    return [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-allow-credentials", b"true"),
        _EXPOSE,
        _VARY,
    ]


def preflight_for(
    path: str, origin: str | None, *, allows: Callable[[str], bool]
) -> tuple[list[Header], bool]:
    """The headers that answer a preflight, and whether they allow anything.

    Without an allowance the browser stops by itself.
    """
    granted = headers_for(path, origin, allows=allows)
    allowed = any(name == b"access-control-allow-origin" for name, _ in granted)
    return ([*granted, *_PREFLIGHT] if allowed else granted), allowed
