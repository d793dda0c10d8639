"""JWK thumbprints: what our ``kid`` is. Spec: RFC 7638 §3.1, RFC 8037 A.3 (JW-15)."""

from typing import Any

import jwt
import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey

from authsvc.crypto.jose import Algorithm, generate
from tests.spec.vectors import for_each, load

CASES: list[dict[str, Any]] = load("rfc7638_thumbprint.json").get("cases", [])
KINDS: dict[str, Any] = {"RSA": RSAKey, "OKP": OKPKey, "EC": ECKey}


def thumbprint(jwk: dict[str, Any]) -> str:
    return KINDS[jwk["kty"]].import_key(jwk).thumbprint()


@for_each("case", CASES, ids=[case["jwk"]["kty"] for case in CASES])
def test_published_values(case: dict[str, Any]) -> None:
    """Members that are optional never enter the hash."""
    for also in ({}, {"kid": "x", "use": "sig", "key_ops": ["verify"]}):
        assert thumbprint(case["jwk"] | also) == case["thumbprint_sha256"]


@pytest.mark.parametrize("alg", list(Algorithm))
def test_a_signer_is_named_by_its_thumbprint(alg: Algorithm) -> None:
    signer = generate(alg)
    published = signer.public_jwk()
    required = {name: published[name] for name in published if name not in ("kid", "use", "alg")}
    assert signer.kid == published["kid"] == thumbprint(dict(required))
    assert jwt.get_unverified_header(signer.sign({}))["kid"] == signer.kid
