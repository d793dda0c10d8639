"""Compact JWS and JWKs, read strictly. Pure: bytes in, values out. Spec: RFC 7515, 7517, 8725."""

import re
from base64 import urlsafe_b64decode
from binascii import Error as Base64Error
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, cast

import jwt
from jwt.algorithms import Algorithm

from authsvc.verify.strict_json import read_object

MAX_TOKEN = 8 * 1024
MAX_HEADER = 1024
MAX_KEYS = 20
SUPPORTED = ("ES256", "EdDSA", "RS256")

_SEGMENT = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_KID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_TYPES = frozenset({"at+jwt", "application/at+jwt"})
_SIGNATURE_BYTES = {"ES256": 64, "EdDSA": 64}
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_KTY = {"ES256": ("EC", "P-256"), "EdDSA": ("OKP", "Ed25519"), "RS256": ("RSA", None)}


class Malformed(ValueError):
    """The token or key is not one we accept; says why, never what it held."""


@dataclass(frozen=True, slots=True)
class Parts:
    """A token taken apart and not yet believed."""

    alg: str
    kid: str
    signing_input: bytes
    payload: bytes
    signature: bytes


def split(token: str, *, algorithms: Collection[str]) -> Parts:
    """The parts of a compact token whose header is one of ours; raises Malformed.

    ``jku``, ``x5u``, ``jwk`` and ``x5c`` are ignored: a header never picks a key's source.
    """
    if len(token) > MAX_TOKEN:
        raise Malformed("token too long")
    segments = token.split(".")
    if len(segments) != 3:
        raise Malformed("not three segments")
    head, body, proof = segments
    if len(head) > MAX_HEADER:
        raise Malformed("header too long")
    try:
        header = read_object(_decode(head))
    except ValueError as fault:
        raise Malformed(f"header: {fault}") from None
    alg, kid, typ = header.get("alg"), header.get("kid"), header.get("typ")
    if not isinstance(alg, str) or alg not in algorithms:
        raise Malformed("alg is not allowed")
    if not isinstance(kid, str) or not _KID.fullmatch(kid):
        raise Malformed("kid is missing or odd")
    if not isinstance(typ, str) or typ.lower() not in _TYPES:
        raise Malformed("typ is not at+jwt")
    if "crit" in header or "b64" in header:
        raise Malformed("crit and b64 are not understood")
    signature = _decode(proof)
    if len(signature) != _SIGNATURE_BYTES.get(alg, len(signature)):
        raise Malformed("signature length")
    return Parts(alg, kid, f"{head}.{body}".encode(), _decode(body), signature)


def _decode(segment: str) -> bytes:
    """Base64url without padding, and only in its one canonical spelling."""
    if not _SEGMENT.fullmatch(segment) or len(segment) % 4 == 1:
        raise Malformed("not base64url")
    try:
        raw = urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except Base64Error as fault:
        raise Malformed("not base64url") from fault
    return raw


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key as an object, bound to its one algorithm."""

    kid: str
    alg: str
    key: Any
    algorithm: Algorithm

    def check(self, parts: Parts) -> bool:
        """Whether this key made the signature; a key never serves another algorithm."""
        if parts.alg != self.alg:
            return False
        return bool(self.algorithm.verify(parts.signing_input, self.key, parts.signature))


def read_keys(body: bytes, *, algorithms: Collection[str]) -> dict[str, VerifyingKey]:
    """The usable keys of a key set by ``kid``; raises Malformed when the set is no key set.

    Keys we cannot use are passed over, so that a new kind of key breaks nobody.
    """
    try:
        entries = read_object(body).get("keys")
    except ValueError as fault:
        raise Malformed(f"key set: {fault}") from None
    if not isinstance(entries, list):
        raise Malformed("key set without keys")
    found: dict[str, VerifyingKey] = {}
    listed = cast("list[object]", entries)
    if len(listed) > MAX_KEYS:
        raise Malformed("too many keys")
    for entry in listed:
        if not isinstance(entry, dict):
            raise Malformed("key set with something that is no key")
        try:
            key = read_key(cast("dict[str, object]", entry), algorithms=algorithms)
        except Malformed:
            continue
        if key.kid in found:
            raise Malformed("two keys with one kid")
        found[key.kid] = key
    return found


def read_key(jwk: Mapping[str, object], *, algorithms: Collection[str]) -> VerifyingKey:
    """One public key for verifying; raises Malformed."""
    alg, kid = jwk.get("alg"), jwk.get("kid")
    if not isinstance(alg, str) or alg not in algorithms or alg not in _KTY:
        raise Malformed("alg is not allowed")
    if not isinstance(kid, str) or not _KID.fullmatch(kid):
        raise Malformed("kid is missing or odd")
    if _PRIVATE & set(jwk):
        raise Malformed("private members")
    operations = jwk.get("key_ops")
    if jwk.get("use", "sig") != "sig":
        raise Malformed("use is not sig")
    if operations is not None and (
        not isinstance(operations, list | tuple) or "verify" not in operations
    ):
        raise Malformed("key_ops lacks verify")
    kty, crv = _KTY[alg]
    if jwk.get("kty") != kty or (crv is not None and jwk.get("crv") != crv):
        raise Malformed("kty or crv does not fit alg")
    try:
        loaded = jwt.PyJWK(dict(jwk), algorithm=alg)
    except (jwt.PyJWTError, ValueError, TypeError) as fault:
        raise Malformed("unreadable key") from fault
    if kty == "RSA":
        _require_sound_rsa(loaded.key)
    return VerifyingKey(kid, alg, loaded.key, loaded.Algorithm)


def _require_sound_rsa(key: Any) -> None:
    exponent: int = key.public_numbers().e
    if not 2048 <= key.key_size <= 4096 or exponent < 3 or exponent > 2**32 or exponent % 2 == 0:
        raise Malformed("RSA size or exponent")
