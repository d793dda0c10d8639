"""Public ids: a prefix that names the kind and 26 time-ordered characters. Never a secret."""

from typing import NewType
from uuid import UUID

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
_VALUES = {letter: value for value, letter in enumerate(_ALPHABET)}
_LENGTH = 26


def new_uuid() -> UUID:
    """A fresh UUIDv7. Spec: RFC 9562 §5.7."""
    return uuid7()


def new_id(prefix: str) -> str:
    """A fresh public id such as ``usr_06EG…``."""
    return from_uuid(prefix, uuid7())


def from_uuid(prefix: str, value: UUID) -> str:
    """The public spelling of a stored UUID."""
    number = value.int
    letters = [_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5)]
    return f"{prefix}_{''.join(letters)}"


def to_uuid(text: str, *, prefix: str) -> UUID:
    """The UUID behind a public id.

    Raises ValueError for any other prefix, length or letter (lower case is another letter).
    """
    head, _, body = text.partition("_")
    if head != prefix or len(body) != _LENGTH or body[0] > "7":
        raise ValueError(f"not a {prefix} id")
    number = 0
    for letter in body:
        value = _VALUES.get(letter)
        if value is None:
            raise ValueError(f"not a {prefix} id")
        number = number << 5 | value
    return UUID(int=number)


def is_id(text: str, *, prefix: str) -> bool:
    """Whether the text is a well-formed id of this kind; looks nothing up."""
    try:
        to_uuid(text, prefix=prefix)
    except ValueError:
        return False
    return True
