"""Which published keys may vouch for a token. Spec: RFC 7517, RFC 7518 §3.3, security C36, C39."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, x25519

from authsvc.verify.jose import (
    KNOWN,
    SUPPORTED,
    Malformed,
    read_key,
    read_key_set,
    read_keys,
    split,
)
from authsvc.verify.roca import is_weak
from tests.verify.forge import (
    SigningKey,
    b64,
    b64_int,
    claims,
    compact,
    eddsa,
    es256,
    key_set,
    rs256,
)

KEY, RSA, ED = es256(), rs256(), eddsa()
P384 = ec.generate_private_key(ec.SECP384R1()).public_key().public_numbers()
MODULUS = RSA.key.public_key().public_numbers().n  # type: ignore[union-attr]


@pytest.mark.parametrize("key", [KEY, RSA, ED], ids=lambda key: key.alg)
@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"use": None},
        {"use": None, "key_ops": ["verify"]},
        {"alg": None},
        {"x5t": "ignored", "extra": {"also": 1}},
    ],
    ids=str,
)
def test_good_keys(key: SigningKey, changed: dict[str, object]) -> None:
    found = read_key(key.jwk(**changed), algorithms=SUPPORTED)
    assert (found.kid, found.alg) == (key.kid, key.alg)
    assert found.check(split(key.sign(claims())))


def test_the_largest_key_and_exponent_in_use() -> None:
    assert read_key(rs256(bits=4096).jwk(), algorithms=SUPPORTED)
    assert read_key(RSA.jwk(e=b64_int(2**32 - 1)), algorithms=SUPPORTED)


BAD = {
    "for encryption": KEY.jwk(use="enc"),
    "use a list": KEY.jwk(use=["sig"]),
    "key_ops without verify": KEY.jwk(use=None, key_ops=["encrypt"]),
    "key_ops a string": KEY.jwk(use=None, key_ops="verify"),
    "alg of another type": KEY.jwk(alg="RS256"),
    "alg none": KEY.jwk(alg="none"),
    "alg HS256": KEY.jwk(alg="HS256"),
    "alg a list": KEY.jwk(alg=["ES256"]),
    "alg PS256 on RSA": RSA.jwk(alg="PS256"),
    "Ed25519 by its new name": ED.jwk(alg="Ed25519"),
    "symmetric": {"kty": "oct", "k": b64(b"x" * 32), "kid": "k", "alg": "HS256"},
    "private EC": KEY.jwk(d=b64(b"\1" * 32)),
    "private Ed25519": ED.jwk(d=b64(b"\1" * 32)),
    "private RSA": RSA.jwk(d=b64(b"\1" * 256)),
    "RSA with a prime": RSA.jwk(p=b64(b"\1" * 128)),
    "kty missing": KEY.jwk(kty=None),
    "kty a list": KEY.jwk(kty=["EC"]),
    "crv missing": KEY.jwk(crv=None),
    "P-384": KEY.jwk(
        crv="P-384", x=b64(P384.x.to_bytes(48)), y=b64(P384.y.to_bytes(48)), alg="ES384"
    ),
    "P-384 called P-256": KEY.jwk(x=b64(P384.x.to_bytes(48)), y=b64(P384.y.to_bytes(48))),
    "X25519": ED.jwk(
        crv="X25519", x=b64(x25519.X25519PrivateKey.generate().public_key().public_bytes_raw())
    ),
    "off the curve": KEY.jwk(y=b64(b"\1" * 32)),
    "the point zero": KEY.jwk(x=b64(b"\0" * 32), y=b64(b"\0" * 32)),
    "x too short": KEY.jwk(x=b64(b"\1" * 31)),
    "x missing": KEY.jwk(x=None),
    "x a number": KEY.jwk(x=5),
    "x padded": KEY.jwk(x=str(KEY.jwk()["x"]) + "="),
    "Ed25519 of 31 bytes": ED.jwk(x=b64(b"\1" * 31)),
    "RSA with a curve": RSA.jwk(crv="P-256"),
    "RSA of 1024 bits": rs256(bits=1024).jwk(),
    "RSA of 2047 bits": RSA.jwk(n=b64_int(MODULUS >> 1 | 1)),
    "RSA beyond 4096 bits": RSA.jwk(n=b64_int((1 << 4096) | 1)),
    "RSA even": RSA.jwk(n=b64_int(MODULUS - 1)),
    "RSA exponent 1": RSA.jwk(e=b64_int(1)),
    "RSA exponent even": RSA.jwk(e=b64_int(65536)),
    "RSA exponent beyond 2^32": RSA.jwk(e=b64_int(2**32 + 1)),
    "RSA n missing": RSA.jwk(n=None),
    "RSA n empty": RSA.jwk(n=""),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_keys_are_passed_over_and_break_no_other(name: str) -> None:
    with pytest.raises(Malformed):
        read_key(BAD[name], algorithms=SUPPORTED)
    other = es256("other")
    read = read_key_set(
        compact({"keys": [BAD[name] | {"kid": "bad"}, other.jwk()]}), algorithms=SUPPORTED
    )
    assert list(read.keys) == ["other"]
    assert len(read.passed_over) == 1


@pytest.mark.parametrize("kid", [None, "", 1, "a b", "k" * 65, "key\n", "é"], ids=repr)
def test_a_key_without_a_decent_name_is_passed_over(kid: object) -> None:
    body = compact({"keys": [KEY.jwk(kid=kid), ED.jwk()]})
    assert list(read_keys(body, algorithms=SUPPORTED)) == [ED.kid]


def test_a_new_kind_of_key_breaks_nobody() -> None:
    future = {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA", "kid": "pq", "use": "sig"}
    body = compact({"keys": [future, KEY.jwk()], "more": 1})
    assert list(read_keys(body, algorithms=SUPPORTED)) == [KEY.kid]


def test_only_allowed_algorithms() -> None:
    assert list(read_keys(key_set(KEY, RSA, ED), algorithms=["RS256"])) == [RSA.kid]
    assert read_key(ED.jwk(alg="Ed25519"), algorithms=KNOWN).alg == "EdDSA"


SETS = {
    "empty": b"",
    "no JSON": b"<html>",
    "an array": b"[]",
    "no keys": b"{}",
    "keys an object": b'{"keys":{}}',
    "keys null": b'{"keys":null}',
    "keys twice": b'{"keys":[],"keys":[]}',
    "a member twice": compact({"keys": [KEY.jwk()]}).replace(b'"use"', b'"use":"enc","use"'),
    "one kid, two keys": key_set(es256("same"), es256("same")),
    "one kid, one of them unusable": compact({"keys": [es256("s").jwk(), RSA.jwk(kid="s", n="")]}),
    "21 keys": compact({"keys": [KEY.jwk(kid=f"k{n}") for n in range(21)]}),
    "over 64 KiB": compact({"keys": [KEY.jwk()], "junk": "x" * 65536}),
    "NaN": b'{"keys":[NaN]}',
}


@pytest.mark.parametrize("name", SETS)
def test_bad_sets_are_refused_whole(name: str) -> None:
    with pytest.raises(Malformed):
        read_keys(SETS[name], algorithms=SUPPORTED)


def test_twenty_keys_and_odd_entries_are_fine() -> None:
    body = compact({"keys": [KEY.jwk(kid=f"k{n}") for n in range(19)] + [5]})
    assert len(read_keys(body, algorithms=SUPPORTED)) == 19


def test_keys_are_objects_and_never_pem() -> None:
    found = read_keys(key_set(KEY, ED), algorithms=SUPPORTED)
    assert isinstance(found[KEY.kid].key, ec.EllipticCurvePublicKey)
    assert isinstance(found[ED.kid].key, ed25519.Ed25519PublicKey)


def test_moduli_of_the_faulty_generator_are_known() -> None:
    product = 1
    for prime in [n for n in range(3, 168) if all(n % d for d in range(2, n))]:
        product *= prime
    faulty = pow(65537, 12345, product) + product * (1 << 1600)
    assert is_weak(faulty)
    assert not is_weak(MODULUS)
    assert not is_weak(faulty + 2)


def test_a_key_of_one_algorithm_never_serves_another() -> None:
    keys = read_keys(key_set(KEY, RSA, ED), algorithms=SUPPORTED)
    for signer in (KEY, RSA, ED):
        jws = split(signer.sign(claims()))
        assert [kid for kid, key in keys.items() if key.check(jws)] == [signer.kid]
        crossed = split(signer.sign(claims(), header=json.dumps({"alg": "none"}).encode()))
        assert not any(key.check(crossed) for key in keys.values())
