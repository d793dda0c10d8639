"""The hint cookie: how this browser signed in last, for "Welcome back". No proof of anything."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass

from authsvc.crypto.hashing import mac, same
from authsvc.crypto.keyring import Keyring, Purpose

MAX_LENGTH = 512


@dataclass(frozen=True, slots=True)
class Hint:
    """Last method, masked account, and the key of the address (never the address)."""

    method: str
    account_hint: str
    address_key: str


def write(ring: Keyring, hint: Hint) -> str:
    """The cookie value."""
    body = json.dumps([hint.method, hint.account_hint, hint.address_key], ensure_ascii=False)
    text = urlsafe_b64encode(body.encode()).rstrip(b"=").decode()
    derived = ring.current(Purpose.HINT)
    return f"h1.{derived.id}.{text}.{mac(derived.key, text).hex()}"


def read(ring: Keyring, value: str | None) -> Hint | None:
    """The hint inside a cookie that we made, else None."""
    parts = (value or "")[: MAX_LENGTH + 1].split(".")
    if len(parts) != 4 or parts[0] != "h1":
        return None
    _, key_id, text, proof = parts
    derived = ring.find(Purpose.HINT, key_id=key_id)
    if derived is None or not same(mac(derived.key, text).hex().encode(), proof.encode()):
        return None
    try:
        method, account_hint, address_key = json.loads(urlsafe_b64decode(text + "=="))
    except (ValueError, Base64Error):
        return None
    return Hint(method=method, account_hint=account_hint, address_key=address_key)
