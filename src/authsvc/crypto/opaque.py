"""Rotating credentials that are never stored: version · id · counter · key id · MAC.

The row behind a credential holds the counter; the MAC proves that we made the value, so junk
never reaches the database. Spec: security.md B4.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from uuid import UUID

from authsvc.crypto.hashing import mac, same
from authsvc.crypto.keyring import Keyring, Purpose

MAX_COUNTER = 2**53
_SHAPE = re.compile(
    r"(?P<head>rt1\.(?P<id>[A-Za-z0-9_-]{22})\.(?P<counter>0|[1-9][0-9]{0,15})"
    r"\.(?P<key>[0-9a-f]{8}))\.(?P<mac>[A-Za-z0-9_-]{43})",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Credential:
    """A checked credential: which row, which turn, which key signed it."""

    id: UUID
    counter: int
    key_id: str


def issue(
    ring: Keyring, *, purpose: Purpose, id: UUID, counter: int, key_id: str | None = None
) -> str:
    """The credential of this row at this counter, the same text each time it is asked.

    ``key_id`` names the key of an earlier issue (so that a repeated answer is the same);
    a key that has left the list gives way to the current one.
    """
    derived = ring.find(purpose, key_id=key_id) if key_id else None
    derived = derived or ring.current(purpose)
    body = urlsafe_b64encode(id.bytes).rstrip(b"=").decode()
    head = f"rt1.{body}.{counter}.{derived.id}"
    proof = urlsafe_b64encode(mac(derived.key, head)).rstrip(b"=").decode()
    return f"{head}.{proof}"


def check(ring: Keyring, text: str, *, purpose: Purpose) -> Credential | None:
    """The credential inside the text, or None for anything that we did not make."""
    match = _SHAPE.fullmatch(text)
    if match is None:
        return None
    derived = ring.find(purpose, key_id=match["key"])
    if derived is None:
        return None
    expected = urlsafe_b64encode(mac(derived.key, match["head"])).rstrip(b"=")
    if not same(expected, match["mac"].encode()):
        return None
    counter = int(match["counter"])
    raw = urlsafe_b64decode(match["id"] + "==")
    if counter > MAX_COUNTER:
        return None
    return Credential(id=UUID(bytes=raw), counter=counter, key_id=match["key"])
