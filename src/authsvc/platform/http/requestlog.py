"""One line per request: the template of its route, never its path, query or body."""

import re
from typing import Any

import structlog

from authsvc.kernel.caller import Caller
from authsvc.kernel.errors import Refusal
from authsvc.platform import telemetry
from authsvc.platform.http.csrf import ORIGINS_SETTING

log: Any = structlog.get_logger("authsvc.http")

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]{0,15}://[A-Za-z0-9.:\[\]_-]{1,200}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def known_method(method: str) -> str:
    """The method, or "odd" for one that HTTP does not know: callers make up what they like."""
    return method if method in _METHODS else "odd"


def request_line(
    *,
    route: str,
    method: str,
    status: int,
    ms: float,
    request_id: str,
    caller: Caller | None,
    refusal: Refusal | None,
) -> None:
    """Log an answered request; ``method`` is a known one, ``ms`` its milliseconds."""
    words: dict[str, str | int | float] = {
        "request_id": request_id,
        "method": method,
        "route": route,
        "status": status,
        "ms": ms,
    }
    if caller is not None:
        words["ip"] = caller.masked_address
        words["ua"] = f"{caller.device.browser}/{caller.device.os}"
    if refusal is not None:
        words["code"] = refusal.code.value
        if refusal.log:
            words["reason"] = refusal.log[: telemetry.MAX_TEXT]
        setting = refusal.extras.get("setting")
        if setting is not None:
            words["fix"] = str(setting)
            words["origin"] = origin_word(caller.origin if caller else None)
    telemetry.tell("warning" if status >= 500 else "info", "request", words)


def cors_refused(origin: str | None, *, request_id: str) -> None:
    """Log a preflight that was not allowed, with the setting that would allow it."""
    words = {"request_id": request_id, "fix": ORIGINS_SETTING}
    log.info("cors_refused", origin=origin_word(origin), **words)


def origin_word(origin: str | None) -> str:
    """An origin as it may stand in the log."""
    if origin is None:
        return "none"
    return origin if _ORIGIN.fullmatch(origin) else "odd"
