"""Hashes and random tokens."""

import hashlib
import hmac
import re
import secrets

TOKEN_LENGTH = 43
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


def new_token() -> str:
    """256 random bits as 43 URL-safe characters. Spec: security.md C25."""
    return secrets.token_urlsafe(32)


def new_code(digits: int) -> str:
    """A uniformly random decimal code with leading zeros."""
    return f"{secrets.randbelow(10**digits):0{digits}d}"


def is_token(text: str) -> bool:
    """Whether the text has exactly the shape of a token; looks nothing up."""
    return _TOKEN.fullmatch(text) is not None


def digest(text: str) -> bytes:
    """SHA-256 of the text: for values that carry 256 bits of their own."""
    return hashlib.sha256(text.encode()).digest()


def mac(key: bytes, *fields: str | bytes) -> bytes:
    """HMAC-SHA-256 over length-prefixed fields, so that no border can be shifted.

    Spec: RFC 2104; security.md C67.
    """
    raws = [field.encode() if isinstance(field, str) else field for field in fields]
    whole = b"".join([len(raw).to_bytes(8, "big") + raw for raw in raws])
    return hmac.digest(key, whole, "sha256")


def same(left: bytes, right: bytes) -> bool:
    """Equality in constant time."""
    return hmac.compare_digest(left, right)
