"""Signing, cross-checked by two other libraries."""

import warnings
from typing import Any, cast

import jwt
import pytest
from joserfc import jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import JWKRegistry

from authsvc.crypto.jose import Algorithm, generate, load


@pytest.mark.parametrize("alg", list(Algorithm))
def test_pyjwt_and_joserfc_accept_what_we_sign(alg: Algorithm) -> None:
    signer = generate(alg)
    token = signer.sign({"sub": "usr_ä", "exp": 4_000_000_000})
    public = signer.public_jwk()
    claims = jwt.decode(token, jwt.PyJWK(public).key, algorithms=[alg.value])
    assert claims["sub"] == "usr_ä"
    assert jwt.get_unverified_header(token) == {
        "alg": alg.value, "typ": "at+jwt", "kid": signer.kid,
    }  # fmt: skip
    key = JWKRegistry.import_key(cast(Any, public))
    with warnings.catch_warnings():
        # RFC 9864 renames EdDSA; verifiers in the field know only the old name so far.
        warnings.simplefilter("ignore", SecurityWarning)
        assert jws.deserialize_compact(token, key, algorithms=[alg.value]).payload


@pytest.mark.parametrize("alg", list(Algorithm))
def test_stored_and_loaded_keys_are_the_same(alg: Algorithm) -> None:
    signer = generate(alg)
    again = load(signer.private_bytes(), alg=alg)
    assert again.kid == signer.kid
    assert again.public_jwk() == signer.public_jwk()


def test_a_key_of_another_kind_is_refused() -> None:
    der = generate(Algorithm.ES256).private_bytes()
    with pytest.raises(ValueError, match="does not fit"):
        load(der, alg=Algorithm.EDDSA)


@pytest.mark.parametrize("alg", list(Algorithm))
def test_no_private_member_is_published(alg: Algorithm) -> None:
    public = generate(alg).public_jwk()
    assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & set(public)
    assert public["use"] == "sig"
    assert public["alg"] == alg.value
