"""Public ids: a prefix that names the kind and 26 time-ordered characters. Never a secret."""

import re
from typing import NewType
from uuid import UUID

import uuid_utils
from uuid_utils.compat import uuid7

UserId = NewType("UserId", str)
SessionId = NewType("SessionId", str)
FlowId = NewType("FlowId", str)
EventId = NewType("EventId", str)

USER = "usr"
SESSION = "ses"
FLOW = "flw"
EVENT = "evt"
INVITATION = "inv"
REQUEST = "req"
TOKEN = "tok"
ONETIME = "otl"
MESSAGE = "msg"

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_BODY = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
_DIGITS = str.maketrans(_ALPHABET, "0123456789abcdefghijklmnopqrstuv")


def new_uuid() -> UUID:
    """A fresh UUIDv7. Spec: RFC 9562 §5.7."""
    return uuid7()


def new_id(prefix: str) -> str:
    """A fresh public id such as ``usr_06EG…``."""
    return _spelt(prefix, uuid_utils.uuid7().int)


def from_uuid(prefix: str, value: UUID) -> str:
    """The public spelling of a stored UUID."""
    return _spelt(prefix, value.int)


def _spelt(prefix: str, number: int) -> str:
    # Two letters at a time: every answer spells out several ids.
    pairs = [_PAIRS[(number >> shift) & 1023] for shift in _SHIFTS]
    return f"{prefix}_{''.join(pairs)}"


_SHIFTS = range(120, -1, -10)


def to_uuid(text: str, *, prefix: str) -> UUID:
    """The UUID behind a public id.

    Raises ValueError for any other prefix, length or letter (lower case is another letter).
    """
    head, _, body = text.partition("_")
    if head != prefix or _BODY.fullmatch(body) is None:
        raise ValueError(f"not a {prefix} id")
    return UUID(int=int(body.translate(_DIGITS), 32))


def is_id(text: str, *, prefix: str) -> bool:
    """Whether the text is a well-formed id of this kind; looks nothing up."""
    try:
        to_uuid(text, prefix=prefix)
    except ValueError:
        return False
    return True
