"""JWS examples. Spec: RFC 7515 appendix A; 4.1.11 crit; §2 base64url."""

import base64
import json
from typing import Any

import pytest

from authsvc.verify.jose import SUPPORTED, Malformed, read_key, split
from tests.spec.vectors import for_each, load

EXAMPLES: dict[str, dict[str, Any]] = load("rfc7515_examples.json").get("examples", {})
KNOWN = [name for name in EXAMPLES if name in ("A2", "A3")]
REFUSED = [name for name in EXAMPLES if name not in KNOWN]
PRIVATE_KEYS = [name for name in EXAMPLES if EXAMPLES[name]["key_jwk"]]
PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "k"}


def public(jwk: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in jwk.items() if name not in PRIVATE}


@for_each("name", KNOWN, ids=KNOWN)
def test_examples_of_algorithms_we_know(name: str) -> None:
    example = EXAMPLES[name]
    jws = split(example["jws_compact"])
    assert jws.payload == example["payload_utf8"].encode()
    assert jws.header == json.loads(example["protected_json"])
    key = read_key(public(example["key_jwk"]), algorithms=[example["alg"]])
    assert key.check(jws)
    changed = split(example["jws_compact"].rsplit(".", 1)[0] + "." + "A" * 86)
    assert not key.check(changed)


@for_each("name", REFUSED, ids=REFUSED)
def test_examples_of_algorithms_we_refuse(name: str) -> None:
    """HS256, ES512 and none: no key of ours ever accepts them, and theirs are no keys here."""
    example = EXAMPLES[name]
    jws = split(example["jws_compact"])
    for other in ("A2", "A3"):
        key = read_key(public(EXAMPLES[other]["key_jwk"]), algorithms=SUPPORTED)
        assert not key.check(jws)
    if example["key_jwk"] is not None:
        for jwk in (example["key_jwk"], public(example["key_jwk"])):
            with pytest.raises(Malformed):
                read_key(jwk, algorithms=SUPPORTED)


@for_each("name", PRIVATE_KEYS, ids=PRIVATE_KEYS)
def test_private_keys_are_no_verification_keys(name: str) -> None:
    with pytest.raises(Malformed):
        read_key(EXAMPLES[name]["key_jwk"], algorithms=SUPPORTED)


@pytest.mark.parametrize("crit", [["exp"], [], None, "exp", ["b64"], ["alg"]], ids=repr)
def test_crit_is_never_understood(crit: object) -> None:
    header = json.dumps({"alg": "ES256", "crit": crit}).encode()
    segment = base64.urlsafe_b64encode(header).rstrip(b"=").decode()
    with pytest.raises(Malformed, match="crit"):
        split(f"{segment}.e30.AA")


def test_appendix_c_base64url() -> None:
    """The five bytes of appendix C, as they are written there."""
    jws = split("e30.A-z_4ME.AA")
    assert jws.payload == bytes([3, 236, 255, 224, 193])
    for other in ("A-z_4ME=", "A+z/4ME", "A-z_4MF", "A-z_4ME\n", "A"):
        with pytest.raises(Malformed):
            split(f"e30.{other}.AA")
