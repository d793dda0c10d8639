"""Another library agrees: on our good tokens, on its own, and never accepts less strictly."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwt as joserfc_jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

from authsvc.crypto.jose import Algorithm, generate
from authsvc.verify import AuthRefused, Verifier
from authsvc.verify.local_keys import LocalKeys
from tests.verify.forge import AUDIENCE, ISSUER, NOW, b64, claims, compact, eddsa, es256, rs256

# It warns of the name that common verifiers still need (JW-15).
pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated via RFC 9864")

KEYS = {key.alg: key for key in (es256(), eddsa(), rs256())}
PUBLISHED = {"keys": [key.jwk() for key in KEYS.values()]}
ALGORITHMS = list(KEYS)


def guard(published: object) -> Verifier:
    keys = LocalKeys.of(compact(published))
    return Verifier(issuer=ISSUER, audience=AUDIENCE, keys=keys, now=lambda: NOW)


def other(token: str, published: Any) -> dict[str, Any]:
    """What joserfc reads: signature, issuer, audience, end."""
    found = joserfc_jwt.decode(token, KeySet.import_key_set(published), algorithms=ALGORITHMS)
    registry = joserfc_jwt.JWTClaimsRegistry(
        now=lambda: int(NOW),
        leeway=30,
        iss={"essential": True, "value": ISSUER},
        aud={"essential": True, "value": AUDIENCE},
        exp={"essential": True},
    )
    registry.validate(found.claims)
    return dict(found.claims)


@pytest.mark.parametrize("alg", ALGORITHMS)
async def test_both_read_the_same(alg: str) -> None:
    token = KEYS[alg].sign(claims())
    principal = await guard(PUBLISHED).verify(token)
    read = other(token, PUBLISHED)
    assert read == claims()
    assert (principal.sub, list(principal.roles), principal.expires_at) == (
        read["sub"], read["roles"], read["exp"],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("alg", "key"),
    [
        ("ES256", ECKey.generate_key("P-256", auto_kid=True)),
        ("EdDSA", OKPKey.generate_key("Ed25519", auto_kid=True)),
        ("RS256", RSAKey.generate_key(2048, auto_kid=True)),
    ],
    ids=["ES256", "EdDSA", "RS256"],
)
async def test_we_read_what_it_signs(alg: str, key: Any) -> None:
    header = {"alg": alg, "typ": "at+jwt", "kid": key.kid}
    token = joserfc_jwt.encode(header, claims(), key, algorithms=[alg])
    published = {"keys": [key.as_dict(private=False) | {"alg": alg, "use": "sig"}]}
    assert (await guard(published).verify(token)).sub == "usr_4K9D"


@pytest.mark.parametrize("alg", list(Algorithm))
async def test_both_read_what_the_service_signs(alg: Algorithm) -> None:
    signer = generate(alg)
    token = signer.sign(claims())
    published = {"keys": [signer.public_jwk()]}
    assert (await guard(published).verify(token)).sub == "usr_4K9D"
    assert other(token, published)["sub"] == "usr_4K9D"


@settings(max_examples=200, deadline=None)
@given(data=st.data())
async def test_what_we_accept_it_accepts(data: st.DataObject) -> None:
    """Tokens with bent headers, claims and signatures: ours is the stricter reader."""
    key = KEYS[data.draw(st.sampled_from(ALGORITHMS))]
    header = key.header() | data.draw(
        st.dictionaries(
            st.sampled_from(["alg", "typ", "kid", "crit", "b64"]),
            st.sampled_from(
                ["none", "ES256", "RS256", "at+jwt", "JWT", "key-1", [], ["exp"], None]
            ),
            max_size=2,
        )
    )
    said = claims() | data.draw(
        st.dictionaries(
            st.sampled_from(["iss", "aud", "exp", "nbf", "sub"]),
            st.sampled_from([ISSUER, AUDIENCE, [AUDIENCE], int(NOW), int(NOW) + 60, 0, "", None]),
            max_size=2,
        )
    )
    token = key.sign(said, header=header)
    if data.draw(st.booleans()):
        token = token.rsplit(".", 1)[0] + "." + b64(data.draw(st.binary(max_size=70)))
    try:
        principal = await guard(PUBLISHED).verify(token)
    except AuthRefused:
        return
    try:
        read = other(token, PUBLISHED)
    except JoseError as refused:
        raise AssertionError(json.dumps([header, said])) from refused
    assert read["sub"] == principal.sub
