"""Sealed columns: AES-256-GCM bound to the place where the value is kept."""

import secrets
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from authsvc.crypto.keyring import Keyring, Purpose

_VERSION = b"\x01"
KEY_ID_AT = len(_VERSION)
KEY_ID_BYTES = 4
_NONCE_AT = KEY_ID_AT + KEY_ID_BYTES
_NONCE_BYTES = 12
_HEAD = _NONCE_AT + _NONCE_BYTES


class Unopenable(ValueError):
    """The sealed value is damaged, moved to another row, or its key is off the list."""


@dataclass(frozen=True, slots=True)
class Sealer:
    """Seals and opens values; the place is ``table:column:row`` and part of the proof.

    Layout: version 1, key id 4, nonce 12, ciphertext and tag. Spec: NIST SP 800-38D.
    """

    ring: Keyring

    def seal(self, plain: bytes, *, place: str) -> bytes:
        """The sealed form of ``plain`` for this place."""
        derived = self.ring.current(Purpose.SEAL)
        nonce = secrets.token_bytes(_NONCE_BYTES)
        head = _VERSION + bytes.fromhex(derived.id) + nonce
        return head + AESGCM(derived.key).encrypt(nonce, plain, head + place.encode())

    def open(self, sealed: bytes, *, place: str) -> bytes:
        """The plain value; raises Unopenable."""
        head, body = sealed[:_HEAD], sealed[_HEAD:]
        derived = self.ring.find(Purpose.SEAL, key_id=self.key_id(sealed))
        if len(head) < _HEAD or head[:1] != _VERSION or derived is None:
            raise Unopenable(place)
        try:
            return AESGCM(derived.key).decrypt(head[_NONCE_AT:], body, head + place.encode())
        except InvalidTag as error:
            raise Unopenable(place) from error

    def key_id(self, sealed: bytes) -> str:
        """Which key sealed the value: tells a re-sealing job what is left to do."""
        return sealed[KEY_ID_AT:_NONCE_AT].hex()

    @property
    def current_id(self) -> str:
        """The id of the key that seals now."""
        return self.ring.current(Purpose.SEAL).id

    def is_current(self, sealed: bytes) -> bool:
        """Whether the first key of the list sealed it."""
        return self.key_id(sealed) == self.current_id
