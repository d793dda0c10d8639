"""Compact JWS and JWKs, read strictly. Pure: bytes in, values out. Spec: RFC 7515, 7517, 8725."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from jwt.algorithms import Algorithm, get_default_algorithms

from authsvc.verify.roca import is_weak
from authsvc.verify.strict_json import frozen_object, read_object

MAX_TOKEN = 8 * 1024
MAX_HEADER = 1024
MAX_KEY_SET = 64 * 1024
MAX_KEYS = 20
SUPPORTED = ("ES256", "EdDSA", "RS256")
# RFC 9864's name for EdDSA over Ed25519: only where somebody asks for it (JW-15).
KNOWN = (*SUPPORTED, "Ed25519")

_KID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_TYPES = frozenset({"at+jwt", "application/at+jwt"})
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_SAME = {"Ed25519": "EdDSA"}
_SIGNATURE_BYTES = {"ES256": 64, "EdDSA": 64}
_RSA_BITS = range(2048, 4096 + 1)
_RSA_EXPONENT = range(3, 2**32 + 1, 2)
_MECHANISMS = get_default_algorithms()


class Malformed(ValueError):
    """The token or key is not one we accept; says why, never what it held."""


@dataclass(frozen=True, slots=True)
class Jws:
    """A compact JWS taken apart and not yet believed."""

    header: Mapping[str, object]
    signing_input: bytes
    payload: bytes
    signature: bytes


def split(token: str) -> Jws:
    """The parts of a compact JWS; raises Malformed.

    Lengths are looked at before anything is cut. JWE and the JSON form are refused, any
    ``crit`` and ``b64`` too, because none is understood here.

    Spec: RFC 7515 §2, §3, §4.1.11, §5.2 (JW-05, JW-06, JW-14, C39).
    """
    if len(token) > MAX_TOKEN:
        raise Malformed("the token is longer than 8 KiB")
    segments = token.split(".", 3)
    if len(segments) != 3:
        raise Malformed("there are not exactly two dots")
    head, body, proof = segments
    return Jws(
        header=_header(head),
        signing_input=f"{head}.{body}".encode(),
        payload=_base64url(body),
        signature=_base64url(proof),
    )


# An issuer's tokens differ in everything but their header.
@lru_cache(maxsize=64)
def _header(segment: str) -> Mapping[str, object]:
    raw = _base64url(segment)
    if len(raw) > MAX_HEADER:
        raise Malformed("the header is longer than 1 KiB")
    try:
        header = read_object(raw)
    except ValueError as fault:
        raise Malformed(f"header: {fault}") from None
    if "crit" in header or "b64" in header:
        raise Malformed("header: crit and b64 are not understood")
    return frozen_object(header)


def _base64url(segment: str) -> bytes:
    """Without padding, and only in the one canonical spelling. Spec: RFC 7515 §2."""
    try:
        raw = urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except (Base64Error, ValueError):
        raise Malformed("not base64url") from None
    if urlsafe_b64encode(raw).rstrip(b"=") != segment.encode():
        raise Malformed("not canonical base64url")
    return raw


def access_token_kid(header: Mapping[str, object], *, algorithms: Collection[str]) -> str:
    """The ``kid`` of an access token's header; raises Malformed.

    ``jku``, ``x5u``, ``x5c`` and ``jwk`` are never looked at: a token does not choose who
    vouches for it. ``kid`` is a name in our own table and nothing else.

    Spec: RFC 9068 §2.1 and §4, RFC 8725 §3.1 and §3.10 (AT-01, AT-04, JW-01, JW-03, JW-04).
    """
    alg, kid, typ = header.get("alg"), header.get("kid"), header.get("typ")
    if not isinstance(alg, str) or alg not in algorithms:
        raise Malformed("alg is not allowed")
    if not isinstance(typ, str) or typ.lower() not in _TYPES:
        raise Malformed("typ is not at+jwt")
    if not isinstance(kid, str) or not _KID.fullmatch(kid):
        raise Malformed("kid is missing or odd")
    return kid


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key as an object, bound to its one algorithm.

    ``material`` is what the key consists of: two keys are the same if it is equal.
    """

    kid: str
    alg: str
    key: Any
    material: tuple[str, ...]

    def check(self, jws: Jws) -> bool:
        """Whether this key made the signature; a key never serves another algorithm.

        Spec: RFC 7515 §5.2, RFC 7518 §3.4 (JW-01, JW-07).
        """
        alg = jws.header.get("alg")
        if not isinstance(alg, str) or _SAME.get(alg, alg) != self.alg:
            return False
        if len(jws.signature) != _SIGNATURE_BYTES.get(self.alg, len(jws.signature)):
            return False
        mechanism = _MECHANISMS[self.alg]
        return bool(mechanism.verify(jws.signing_input, self.key, jws.signature))


@dataclass(frozen=True, slots=True)
class KeySet:
    """The usable keys by ``kid``, and in words why others were passed over."""

    keys: Mapping[str, VerifyingKey]
    passed_over: tuple[str, ...]


def read_keys(body: bytes, *, algorithms: Collection[str]) -> dict[str, VerifyingKey]:
    """The usable keys of a key set by ``kid``; raises Malformed when the set is no key set."""
    return dict(read_key_set(body, algorithms=algorithms).keys)


def read_key_set(body: bytes, *, algorithms: Collection[str]) -> KeySet:
    """A JWK Set; raises Malformed when the whole cannot be trusted.

    A single key that does not fit is passed over, so that a new kind of key breaks nobody;
    two keys of one name, too many or too long break the set.

    Spec: RFC 7517 §5, security C35, C36, C39 (OD-05).
    """
    if len(body) > MAX_KEY_SET:
        raise Malformed("the key set is longer than 64 KiB")
    try:
        entries = read_object(body).get("keys")
    except ValueError as fault:
        raise Malformed(f"key set: {fault}") from None
    if not isinstance(entries, list):
        raise Malformed("the key set has no keys member")
    listed = cast("list[object]", entries)
    if len(listed) > MAX_KEYS:
        raise Malformed(f"the key set has more than {MAX_KEYS} keys")
    _refuse_shared_names(listed)
    found: dict[str, VerifyingKey] = {}
    passed_over: list[str] = []
    for entry in listed:
        try:
            key = _entry(entry, algorithms=algorithms)
        except Malformed as fault:
            passed_over.append(str(fault))
        else:
            found[key.kid] = key
    return KeySet(keys=found, passed_over=tuple(passed_over))


def _refuse_shared_names(entries: list[object]) -> None:
    """Also among keys that cannot be used: which of two is meant would be a guess."""
    names = [
        cast("dict[str, object]", entry).get("kid") for entry in entries if isinstance(entry, dict)
    ]
    named = [name for name in names if isinstance(name, str)]
    if len(set(named)) != len(named):
        raise Malformed("two keys have one kid")


def _entry(entry: object, *, algorithms: Collection[str]) -> VerifyingKey:
    if not isinstance(entry, dict):
        raise Malformed("an entry is no key")
    jwk = cast("dict[str, object]", entry)
    kid = jwk.get("kid")
    if not isinstance(kid, str) or not _KID.fullmatch(kid):
        raise Malformed("a key whose kid is missing or odd")
    try:
        return read_key(jwk, algorithms=algorithms)
    except Malformed as fault:
        raise Malformed(f"{kid}: {fault}") from None


def read_key(jwk: Mapping[str, object], *, algorithms: Collection[str]) -> VerifyingKey:
    """One public key for verifying; raises Malformed.

    Without ``alg`` it is bound to the one algorithm of its type. A key that carries private
    members has been published: it proves nothing any more.

    Spec: RFC 7517 §4, RFC 7518 §6, RFC 8037 §2 (JW-01, JW-02, JW-08).
    """
    if _PRIVATE & jwk.keys():
        raise Malformed("it has private members")
    if jwk.get("use", "sig") != "sig":
        raise Malformed("use is not sig")
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list | tuple) or "verify" not in operations:
        raise Malformed("key_ops lacks verify")
    alg = _algorithm(jwk)
    named = jwk.get("alg", alg)
    if not isinstance(named, str) or named not in algorithms or _SAME.get(named, named) != alg:
        raise Malformed("alg is not allowed or does not fit the key")
    material = _material(jwk)
    key = _load(material, mechanism=_MECHANISMS[alg])
    return VerifyingKey(kid=str(jwk.get("kid", "")), alg=alg, key=key, material=material)


def _algorithm(jwk: Mapping[str, object]) -> str:
    match jwk.get("kty"), jwk.get("crv"):
        case "EC", "P-256":
            return "ES256"
        case "OKP", "Ed25519":
            return "EdDSA"
        case "RSA", None:
            return "RS256"
        case _:
            raise Malformed("kty or crv is not supported")


_MEMBERS = {"EC": ("x", "y"), "OKP": ("x",), "RSA": ("n", "e")}


def _material(jwk: Mapping[str, object]) -> tuple[str, ...]:
    """Type, curve (empty for RSA) and the numbers, each in its one spelling."""
    kty = str(jwk["kty"])
    found = [kty, str(jwk.get("crv", ""))]
    for name in _MEMBERS[kty]:
        value = jwk.get(name)
        if not isinstance(value, str) or not value:
            raise Malformed(f"{name} is missing")
        raw = _base64url(value)
        if kty == "RSA":
            _check_rsa(name, int.from_bytes(raw))
        elif len(raw) != 32:
            raise Malformed(f"{name} is not 32 bytes")
        found.append(value)
    return tuple(found)


def _check_rsa(name: str, value: int) -> None:
    if name == "e" and value not in _RSA_EXPONENT:
        raise Malformed("the exponent is even, 1 or beyond 2^32")
    if name == "n" and value.bit_length() not in _RSA_BITS:
        raise Malformed("the modulus has not 2048 to 4096 bits")
    if name == "n" and (value % 2 == 0 or is_weak(value)):
        raise Malformed("the modulus is weak")


def _load(material: tuple[str, ...], *, mechanism: Algorithm) -> Any:
    kty, crv, *numbers = material
    jwk = {"kty": kty, "crv": crv, **dict(zip(_MEMBERS[kty], numbers, strict=True))}
    try:
        return mechanism.from_jwk(jwk)
    except (jwt.PyJWTError, UnsupportedAlgorithm, ValueError, TypeError):
        raise Malformed("its numbers are no key") from None
