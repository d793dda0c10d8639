"""Where people may be sent after sign-in: judged on the text itself, parsed exactly once.

Nothing is repaired. A spelling that two programs could read differently is refused, and an
origin counts only in the one spelling in which browsers write it. Spec: security.md C26.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote_to_bytes

MAX_RETURN_TO = 2048

_VISIBLE = re.compile(r"[\x21-\x7e]+", re.ASCII)
_AMBIGUOUS = re.compile(r"[\\;\"<>^`{|}]", re.ASCII)
_PARTS = re.compile(
    r"(?P<origin>https?://(?P<authority>[^/?#]+))(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?"
    r"(?P<fragment>#.*)?",
    re.ASCII,
)
_AUTHORITY = re.compile(r"(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?", re.ASCII)
_ESCAPES = re.compile(r"(?:[^%]|%[0-9A-Fa-f]{2})*", re.ASCII)
_STRUCTURE = frozenset("/\\;?#%")
_DOTS = frozenset({".", ".."})
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_IN_APP = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*", re.ASCII)


class Fault(StrEnum):
    """Why an address is no place to go to. Private: for the log."""

    LENGTH = "empty or longer than 2048"
    CHARACTER = "white space, a control, a character beyond ASCII or an ambiguous one"
    SHAPE = "not an absolute http or https URL"
    USERINFO = "a user name before the host"
    HOST = "a host that browsers spell differently"
    FRAGMENT = "a fragment"
    ESCAPE = "a broken or hiding percent escape"
    SEGMENT = "an empty or dot segment"
    ORIGIN = "an origin that is not registered"
    PREFIX = "a path outside the registered prefixes"


@dataclass(frozen=True, slots=True)
class Accepted:
    """A place where the person may be sent: the address to use."""

    url: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """Not a place to go to."""

    fault: Fault


@dataclass(frozen=True, slots=True)
class Target:
    """An address in its parts. ``path`` begins with a slash, ``query`` with a question mark."""

    origin: str
    path: str
    query: str

    @property
    def url(self) -> str:
        """The whole address."""
        return self.origin + self.path + self.query


def check_return_to(text: str, allowed: Sequence[str]) -> Accepted | Rejected:
    """Whether ``text`` lies under one of the registered prefixes.

    A prefix ends at a segment border: ``/app`` allows ``/app`` and ``/app/x``, not ``/apple``;
    ``/app/`` allows only what is below. Spec: security.md C26.
    """
    target = parse(text)
    if isinstance(target, Fault):
        return Rejected(target)
    same_origin = [
        prefix
        for prefix in (parse(entry) for entry in allowed)
        if isinstance(prefix, Target) and prefix.origin == target.origin
    ]
    if not same_origin:
        return Rejected(Fault.ORIGIN)
    if not any(_is_below(target.path, prefix.path) for prefix in same_origin):
        return Rejected(Fault.PREFIX)
    return Accepted(target.url)


def in_app_path(text: str) -> bool:
    """Whether the text is a path of this very origin and nothing else. Spec: security.md C26."""
    return len(text) <= MAX_RETURN_TO and _IN_APP.fullmatch(text) is not None


def parse(text: str) -> Target | Fault:
    """The parts of an address that has only one reading, or what is wrong with it."""
    if not 0 < len(text) <= MAX_RETURN_TO:
        return Fault.LENGTH
    if _VISIBLE.fullmatch(text) is None or _AMBIGUOUS.search(text) is not None:
        return Fault.CHARACTER
    parts = _PARTS.fullmatch(text)
    if parts is None:
        return Fault.SHAPE
    fault = _authority_fault(parts["authority"])
    if fault is None and parts["fragment"] is not None:
        fault = Fault.FRAGMENT
    path, query = parts["path"] or "/", parts["query"]
    fault = fault or _path_fault(path) or _escape_fault(query or "")
    if fault is not None:
        return fault
    return Target(parts["origin"], path, "" if query is None else f"?{query}")


def _is_below(path: str, prefix: str) -> bool:
    if path == prefix:
        return True
    return path.startswith(prefix if prefix.endswith("/") else f"{prefix}/")


def _authority_fault(authority: str) -> Fault | None:
    if "@" in authority:
        return Fault.USERINFO
    return None if _AUTHORITY.fullmatch(authority) else Fault.HOST


def _escape_fault(text: str) -> Fault | None:
    return None if _ESCAPES.fullmatch(text) else Fault.ESCAPE


def _path_fault(path: str) -> Fault | None:
    if _escape_fault(path) is not None:
        return Fault.ESCAPE
    *inner, last = path[1:].split("/")
    if "" in inner:
        return Fault.SEGMENT
    for segment in (*inner, last):
        fault = _segment_fault(segment)
        if fault is not None:
            return fault
    return None


def _segment_fault(segment: str) -> Fault | None:
    """Judged as the next program may read it: unescaped, and with look-alikes folded."""
    try:
        plain = unquote_to_bytes(segment).decode()
    except UnicodeDecodeError:
        return Fault.ESCAPE  # overlong forms hide slashes and dots
    folded = unicodedata.normalize("NFKC", plain)
    if any(letter in _STRUCTURE for letter in plain + folded):
        return Fault.ESCAPE
    if any(unicodedata.category(letter) in _HIDDEN for letter in plain + folded):
        return Fault.ESCAPE
    if plain in _DOTS or folded in _DOTS:
        return Fault.SEGMENT
    return None
