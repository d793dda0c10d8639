"""Ed25519 in JOSE. Spec: RFC 8037 appendix A; RFC 9864 for the new name."""

from typing import Any

import pytest

from authsvc.verify.jose import KNOWN, SUPPORTED, Malformed, read_key, split
from tests.spec.vectors import for_each, load
from tests.verify.forge import eddsa

VECTOR: dict[str, Any] = load("rfc8037_ed25519_jws.json")
VECTORS = [VECTOR] if VECTOR else []
NEGATIVE: list[dict[str, str]] = VECTOR.get("negative", [])


def key_of(vector: dict[str, Any]) -> Any:
    jwk = {name: value for name, value in vector["private_jwk"].items() if name != "d"}
    return read_key(jwk, algorithms=SUPPORTED)


@for_each("vector", VECTORS, ids=["A.4"])
def test_the_example_verifies(vector: dict[str, Any]) -> None:
    jws = split(vector["jws"])
    assert jws.payload == vector["payload_utf8"].encode()
    assert key_of(vector).check(jws)


@for_each("row", NEGATIVE, ids=[row["expect"] for row in NEGATIVE])
def test_bad_ones_do_not(row: dict[str, str]) -> None:
    assert not key_of(VECTOR).check(split(row["jws"]))


@for_each("vector", VECTORS, ids=["A.1"])
def test_the_private_key_is_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        read_key(vector["private_jwk"], algorithms=SUPPORTED)


def test_the_new_name_only_where_configured() -> None:
    key = eddsa()
    with pytest.raises(Malformed):
        read_key(key.jwk(alg="Ed25519"), algorithms=SUPPORTED)
    known = read_key(key.jwk(alg="Ed25519"), algorithms=KNOWN)
    assert known.check(split(key.sign(b"x", header={"alg": "EdDSA"})))
    assert known.check(split(key.sign(b"x", header={"alg": "Ed25519"})))
    assert not known.check(split(key.sign(b"x", header={"alg": "Ed448"})))
