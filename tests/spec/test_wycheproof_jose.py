"""Project Wycheproof's JWS and JWK cases, with the verdicts that NOTES.json corrects."""

import json
from typing import Any

from authsvc.verify.jose import SUPPORTED, Malformed, read_key, read_keys, split
from tests.spec.vectors import for_each, load, wycheproof
from tests.verify.forge import b64

JWS = wycheproof("json_web_signature_test.json")
JWK = wycheproof("json_web_key_test.json")
NOTES: dict[str, str] = load("wycheproof/NOTES.json").get("known_label_problems", {})
# Where the label is wrong a strict reader refuses: NOTES.json names the ids and says why.
MISLABELLED = {int(tc) for ids in NOTES for tc in ids.split(",")}
ES256_RAW = wycheproof("ecdsa_secp256r1_sha256_p1363_test.json")
ED25519 = wycheproof("ed25519_test.json")
RS256_RAW = wycheproof("rsa_signature_2048_sha256_test.json")


def ids(cases: list[tuple[dict[str, Any], dict[str, Any]]]) -> list[str]:
    return [f"{test['tcId']} {test['comment']}" for _, test in cases]


def accepts(token: str, jwk: dict[str, Any]) -> bool:
    """The verdict of our reader on a compact JWS and one public key pinned to its alg."""
    try:
        key = read_key(jwk, algorithms=[jwk.get("alg", _header_alg(token))])
        return key.check(split(token))
    except Malformed:
        return False


def _header_alg(token: str) -> str:
    try:
        return str(split(token).header.get("alg"))
    except Malformed:
        return ""


@for_each(("group", "test"), JWS, ids=ids(JWS))
def test_jws(group: dict[str, Any], test: dict[str, Any]) -> None:
    jwk = group.get("public") or group["private"]
    ours = jwk.get("alg", "ES256") in SUPPORTED and "public" in group
    good = test["result"] == "valid" and test["tcId"] not in MISLABELLED
    assert accepts(test["jws"], jwk) == (good and ours)


@for_each(("group", "test"), JWK, ids=ids(JWK))
def test_jwk(group: dict[str, Any], test: dict[str, Any]) -> None:
    """A whole set, and the key that the token names; symmetric keys are never keys here."""
    given = group.get("public") or group["private"]
    key_set = given if "keys" in given else {"keys": [given]}
    symmetric = any(jwk["kty"] == "oct" for jwk in key_set["keys"])
    try:
        jws = split(test["jws"])
        keys = read_keys(json.dumps(key_set).encode(), algorithms=SUPPORTED)
    except Malformed:
        accepted = False
    else:
        key = keys.get(str(jws.header.get("kid")))
        accepted = key is not None and key.check(jws)
    assert accepted == (test["result"] == "valid" and not symmetric)


def raw(header: str, jwk: dict[str, Any], test: dict[str, Any]) -> bool:
    """The same through a raw signature: message and signature as a JWS would have them."""
    key = read_key(jwk, algorithms=SUPPORTED)
    jws = split(f"{header}.e30.AA")
    message, signature = bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"])
    return key.check(type(jws)(jws.header, message, b"", signature))


ES256_HEAD, EDDSA_HEAD, RS256_HEAD = (
    "eyJhbGciOiJFUzI1NiJ9", "eyJhbGciOiJFZERTQSJ9", "eyJhbGciOiJSUzI1NiJ9",
)  # fmt: skip


def strict(test: dict[str, Any]) -> bool | None:
    return {"valid": True, "invalid": False}.get(test["result"])


@for_each(("group", "test"), ES256_RAW, ids=ids(ES256_RAW))
def test_es256_signatures(group: dict[str, Any], test: dict[str, Any]) -> None:
    verdict = raw(ES256_HEAD, _public(group), test)
    assert strict(test) in (None, verdict)


@for_each(("group", "test"), ED25519, ids=ids(ED25519))
def test_ed25519_signatures(group: dict[str, Any], test: dict[str, Any]) -> None:
    verdict = raw(EDDSA_HEAD, _public(group), test)
    assert strict(test) in (None, verdict)


@for_each(("group", "test"), RS256_RAW, ids=ids(RS256_RAW))
def test_rs256_signatures(group: dict[str, Any], test: dict[str, Any]) -> None:
    verdict = raw(RS256_HEAD, _public(group), test)
    assert strict(test) in (None, verdict)


def _public(group: dict[str, Any]) -> dict[str, Any]:
    jwk = group.get("publicKeyJwk") or group.get("keyJwk") or _point(group["publicKey"])
    return {name: jwk[name] for name in ("kty", "crv", "x", "y", "n", "e") if name in jwk}


def _point(key: dict[str, Any]) -> dict[str, Any]:
    x, y = (b64(int(key[name], 16).to_bytes(32)) for name in ("wx", "wy"))
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y}


def test_the_heads_are_what_they_should_be() -> None:
    heads = [split(f"{head}.e30.AA").header for head in (ES256_HEAD, EDDSA_HEAD, RS256_HEAD)]
    assert heads == [{"alg": "ES256"}, {"alg": "EdDSA"}, {"alg": "RS256"}]
