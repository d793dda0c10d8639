"""The secret key list and the keys derived from it: one per purpose, the first one signs."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MIN_SECRET_BYTES = 32


class Purpose(StrEnum):
    """What a derived key is for; no key serves two purposes."""

    SESSION = "session credential"
    NATIVE = "native session credential"
    DEVICE = "remembered device"
    HINT = "hint cookie"
    MAIL_CODE = "mail code"
    IDENTIFIER = "unknown identifier"
    SEAL = "sealed column"
    BROWSER = "flow cookie"


@dataclass(frozen=True, slots=True, repr=False)
class DerivedKey:
    """A key for one purpose, with the id of the root it came from."""

    id: str
    key: bytes


def _key_id(root: bytes) -> str:
    return hashlib.sha256(b"authsvc key id\x00" + root).hexdigest()[:8]


@dataclass(frozen=True, slots=True, repr=False)
class Keyring:
    """All root keys, newest first: the first signs and seals, all of them open.

    Derivation: HKDF-SHA-256 with the purpose as info. Spec: RFC 5869.
    """

    _derived: dict[Purpose, dict[str, DerivedKey]] = field(repr=False)

    @classmethod
    def of(cls, roots: Iterable[bytes]) -> Self:
        """A ring over root secrets of at least 32 bytes; raises ValueError otherwise."""
        ordered = list(roots)
        if not ordered or any(len(root) < MIN_SECRET_BYTES for root in ordered):
            raise ValueError(f"secret keys need at least {MIN_SECRET_BYTES} bytes")
        derived: dict[Purpose, dict[str, DerivedKey]] = {}
        for purpose in Purpose:
            derived[purpose] = {
                _key_id(root): DerivedKey(id=_key_id(root), key=_derive(root, purpose=purpose))
                for root in ordered
            }
        return cls(derived)

    def current(self, purpose: Purpose) -> DerivedKey:
        """The key that signs or seals now."""
        return next(iter(self._derived[purpose].values()))

    def find(self, purpose: Purpose, *, key_id: str) -> DerivedKey | None:
        """The key with this id, or None when its root is no longer on the list."""
        return self._derived[purpose].get(key_id)

    def all(self, purpose: Purpose) -> tuple[DerivedKey, ...]:
        """Every key of the purpose, the current one first."""
        return tuple(self._derived[purpose].values())


def _derive(root: bytes, *, purpose: Purpose) -> bytes:
    info = b"authsvc/1/" + purpose.encode()
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info).derive(root)
