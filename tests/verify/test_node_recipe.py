"""The Node recipe gives the verdicts of our own verifier."""

import socket
import time
from pathlib import Path
from typing import Any

import pytest

from authsvc.verify import AuthRefused, Verifier
from authsvc.verify.assurance import requirement
from authsvc.verify.challenge import www_authenticate
from authsvc.verify.local_keys import LocalKeys
from tests.verify.forge import AUDIENCE, SigningKey, claims, compact, eddsa, es256, key_set, rs256
from tests.verify.jwks_server import serving
from tests.verify.node_recipe import FILES, SOURCE, verdicts

KEY, RSA, ED = es256(), rs256(), eddsa()
ROOT = Path(__file__).parents[2]


def now_claims(issuer: str, **changed: object) -> dict[str, object]:
    at = int(time.time())
    times = {"iat": at, "exp": at + 300, "auth_time": at - 100, "mfa_time": at - 100}
    return claims(**({"iss": issuer} | times | changed))


def tokens(issuer: str) -> dict[str, str]:
    at = int(time.time())

    def said(key: SigningKey = KEY, **changed: object) -> str:
        return key.sign(now_claims(issuer, **changed))

    good = said()
    head, body, proof = good.split(".")
    return {
        "good": good,
        "RS256": said(RSA),
        "EdDSA": said(ED),
        "application/at+jwt": KEY.sign(
            now_claims(issuer), header=KEY.header(typ="application/at+jwt")
        ),
        "within the leeway": said(iat=at - 310, exp=at - 10),
        "expired": said(iat=at - 400, exp=at - 100),
        "foreign key": es256().sign(now_claims(issuer)),
        "unknown kid": es256("other").sign(now_claims(issuer)),
        "flipped": f"{head}.{body}.{'B' if proof[0] == 'A' else 'A'}{proof[1:]}",
        "unsigned": f"{head}.{body}.",
        "alg none": KEY.sign(now_claims(issuer), header=KEY.header(alg="none")),
        "typ JWT": KEY.sign(now_claims(issuer), header=KEY.header(typ="JWT")),
        "typ missing": KEY.sign(now_claims(issuer), header=KEY.header(typ=None)),
        "crit": KEY.sign(now_claims(issuer), header=KEY.header(crit=["x"], x=1)),
        "other issuer": said(iss=issuer + "/"),
        "other audience": said(aud=["billing"]),
        "not yet": said(nbf=at + 100),
        "exp a string": said(exp="soon"),
        "exp missing": said(exp=None),
        "sid missing": said(sid=None),
        "auth_time missing": said(auth_time=None),
        "acr missing": said(acr=None),
        "junk": "junk",
        "empty parts": "..",
    }


async def ours(token: str, issuer: str, **asked: Any) -> dict[str, Any]:
    """The same verdict, in the recipe's shape, by our verifier."""
    keys = LocalKeys.of(key_set(KEY, RSA, ED))
    guard = Verifier(issuer=issuer, audience=AUDIENCE, keys=keys)
    try:
        principal = await guard.verify(token)
        guard.enforce(principal, required=requirement(**asked))
    except AuthRefused as error:
        answer = {"status": error.status, "code": error.code.value}
        challenge = www_authenticate(error)
        return {"refusal": answer | ({"challenge": challenge} if challenge else {})}
    return {"me": principal.sub}


def shape(verdict: dict[str, Any]) -> dict[str, Any]:
    return {"me": verdict["me"]["sub"]} if "me" in verdict else verdict


async def test_both_agree_on_good_and_forged_tokens() -> None:
    with serving(key_set(KEY, RSA, ED)) as issuer:
        made = tokens(issuer)
        theirs = verdicts(list(made.values()), issuer=issuer, audience=AUDIENCE)
        said = {name: shape(each) for name, each in zip(made, theirs, strict=True)}
        expected = {name: await ours(token, issuer) for name, token in made.items()}
    assert said == expected
    assert said["good"] == {"me": "usr_4K9D"}
    assert said["expired"]["refusal"]["code"] == "token_expired"


WEAK: dict[str, object] = {"acr": "aal1", "mfa": False, "mfa_time": None}
ASKED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"roles": ["support", "member"]}, {"roles": ["support", "member"]}),
    ({"roles": ["admin"]}, {"roles": ["admin"]}),
    ({"acr": "aal2"}, {"mfa": True}),
    ({"acr": "phr"}, {"phishing_resistant": True}),
    ({"max_age": 60}, {"max_age": 60}),
    ({"max_age": 600}, {"max_age": 600}),
    ({"acr": "aal2", "max_age": 60}, {"mfa": True, "max_age": 60}),
    ({"acr": "aal2", "max_age": 600}, {"mfa": True, "max_age": 600}),
    ({"acr": "phr", "max_age": 600, "roles": ["admin"]},
     {"phishing_resistant": True, "max_age": 600, "roles": ["admin"]}),
]  # fmt: skip


@pytest.mark.parametrize(("theirs", "mine"), ASKED, ids=str)
async def test_both_ask_for_the_same_proof(theirs: dict[str, Any], mine: dict[str, Any]) -> None:
    with serving(key_set(KEY)) as issuer:
        people = [
            KEY.sign(now_claims(issuer, **changed))
            for changed in (
                {},
                WEAK,
                {"acr": "phr"},
                {"roles": ["admin"]},
                {"roles": None},
                {"mfa": False},
                {"mfa_time": None},
                {"auth_time": int(time.time())},
            )
        ]
        said = verdicts(people, issuer=issuer, audience=AUDIENCE, **theirs)
        for token, verdict in zip(people, said, strict=True):
            assert shape(verdict) == await ours(token, issuer, **mine)


def unanswered() -> str:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


def test_an_issuer_that_is_away_is_503_and_never_401() -> None:
    away = {"refusal": {"status": 503, "code": "keys_unavailable"}}
    nowhere = unanswered()
    token = KEY.sign(now_claims(nowhere))
    assert verdicts([token], issuer=nowhere, audience=AUDIENCE) == [away]
    with serving(key_set(KEY)) as issuer:  # nothing but 404 below this path
        wrong = issuer + "/nothing"
        assert verdicts([token], issuer=wrong, audience=AUDIENCE) == [away]
    with serving(compact({"no": "keys"})) as issuer:
        assert verdicts([token], issuer=issuer, audience=AUDIENCE) == [away]


def test_the_page_shows_the_code_that_is_tested() -> None:
    page = (ROOT / "docs/recipes/node.md").read_text(encoding="utf-8")
    assert (SOURCE / "recipe.mjs").read_text(encoding="utf-8") in page


def test_the_lock_names_no_registry() -> None:
    for name in FILES:
        text = (SOURCE / name).read_text(encoding="utf-8")
        assert '"resolved"' not in text
        assert "registry." not in text
