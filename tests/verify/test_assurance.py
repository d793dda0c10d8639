"""Roles first, then strength, then age. Spec: RFC 9470, api.md §14.1."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.verify.assurance import (
    Requirement,
    RoleMissing,
    Satisfied,
    StepUp,
    judge,
    requirement,
)
from authsvc.verify.claims import Acr, Expected, Principal, parse
from tests.verify.forge import AUDIENCE, ISSUER, NOW, claims, compact

AT = int(NOW)
EXPECTED = Expected(issuer=ISSUER, audience=AUDIENCE, leeway=30)


def person(**changed: object) -> Principal:
    return parse(compact(claims(**changed)), expected=EXPECTED, now=NOW)


MAIL = person(acr="aal1", mfa=False, mfa_time=None, auth_time=AT - 100)
REMEMBERED = person(acr="aal1", mfa=False, mfa_time=None, auth_time=AT - 100, trusted_device=True)
CODE = person(acr="aal2", auth_time=AT - 100, mfa_time=AT - 100)
OLD_CODE = person(acr="aal2", auth_time=AT - 10, mfa_time=AT - 5000)
PASSKEY = person(acr="phr", auth_time=AT - 100, mfa_time=AT - 100)
LEVEL_WITHOUT_PROOF = person(acr="aal2", mfa=False, mfa_time=None)
PROOF_WITHOUT_TIME = person(acr="aal2", mfa=True, mfa_time=None)
SUPPORT = person(roles=["member", "support"], acr="aal1", mfa=False, mfa_time=None)

OK, NO, MORE = "ok", "forbidden", "step-up"
TABLE: list[tuple[str, Principal, dict[str, Any], str]] = [
    ("nothing is asked", MAIL, {}, OK),
    ("mail is one factor", MAIL, {"mfa": True}, MORE),
    ("a remembered device is no factor", REMEMBERED, {"mfa": True}, MORE),
    ("code is two", CODE, {"mfa": True}, OK),
    ("passkey is more than two", PASSKEY, {"mfa": True}, OK),
    ("code can be phished", CODE, {"phishing_resistant": True}, MORE),
    ("passkey cannot", PASSKEY, {"phishing_resistant": True}, OK),
    ("phr wins over mfa", CODE, {"mfa": True, "phishing_resistant": True}, MORE),
    ("a level without mfa is no second factor", LEVEL_WITHOUT_PROOF, {"mfa": True}, MORE),
    ("young enough", MAIL, {"max_age": 100}, OK),
    ("too old", MAIL, {"max_age": 99}, MORE),
    ("age counts from the second factor", OLD_CODE, {"mfa": True, "max_age": 600}, MORE),
    ("age counts from any proof", OLD_CODE, {"max_age": 600}, OK),
    ("no time of proof is no fresh proof", PROOF_WITHOUT_TIME, {"mfa": True, "max_age": 9}, MORE),
    ("no age asked, no time needed", PROOF_WITHOUT_TIME, {"mfa": True}, OK),
    ("any role", SUPPORT, {"roles": ["admin", "support"]}, OK),
    ("no role of those", SUPPORT, {"roles": ["admin"]}, NO),
    ("all roles", SUPPORT, {"all_roles": ["member", "support"]}, OK),
    ("one of all is missing", SUPPORT, {"all_roles": ["support", "admin"]}, NO),
    ("both ways", SUPPORT, {"roles": ["support"], "all_roles": ["admin"]}, NO),
    ("roles come before step-up", SUPPORT, {"roles": ["admin"], "mfa": True}, NO),
    ("then step-up", SUPPORT, {"roles": ["support"], "mfa": True}, MORE),
]


@pytest.mark.parametrize(
    ("who", "asked", "outcome"),
    [row[1:] for row in TABLE],
    ids=[row[0] for row in TABLE],
)
def test_verdicts(who: Principal, asked: dict[str, Any], outcome: str) -> None:
    verdict = judge(who, required=requirement(**asked), now=NOW)
    kinds = {OK: Satisfied, NO: RoleMissing, MORE: StepUp}
    assert type(verdict) is kinds[outcome]


def test_a_challenge_names_all_that_is_asked() -> None:
    asked = requirement(mfa=True, max_age=600)
    assert judge(MAIL, required=asked, now=NOW) == StepUp(
        acr_values=Acr.AAL2, max_age=600, auth_age=100
    )
    assert judge(OLD_CODE, required=asked, now=NOW) == StepUp(
        acr_values=Acr.AAL2, max_age=600, auth_age=10
    )
    assert judge(MAIL, required=requirement(max_age=1), now=NOW) == StepUp(
        acr_values=None, max_age=1, auth_age=100
    )


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"roles": "admin"}, TypeError),
        ({"all_roles": "admin"}, TypeError),
        ({"roles": []}, ValueError),
        ({"all_roles": ()}, ValueError),
        ({"roles": [""]}, ValueError),
        ({"max_age": 0}, ValueError),
        ({"max_age": -1}, ValueError),
        ({"max_age": True}, ValueError),
    ],
)
def test_demands_that_cannot_be_meant(asked: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        requirement(**asked)


@given(
    age=st.integers(0, 10_000),
    max_age=st.integers(1, 10_000),
    acr=st.sampled_from(list(Acr)),
    asked=st.none() | st.sampled_from([Acr.AAL2, Acr.PHR]),
)
def test_a_proof_only_gets_older_and_weaker(
    age: int, max_age: int, acr: Acr, asked: Acr | None
) -> None:
    """Whoever is refused now is refused later and where more is asked."""
    strong = acr is not Acr.AAL1
    who = person(
        acr=acr.value, mfa=strong, auth_time=AT - age, mfa_time=AT - age if strong else None
    )
    required = Requirement(acr=asked, max_age=max_age)
    verdict = judge(who, required=required, now=NOW)
    fits = age <= max_age and (asked is None or acr.satisfies(asked))
    assert isinstance(verdict, Satisfied) == fits
    if not fits:
        assert isinstance(judge(who, required=required, now=NOW + 1), StepUp)
        stricter = Requirement(acr=Acr.PHR if asked else None, max_age=max_age)
        assert isinstance(judge(who, required=stricter, now=NOW), StepUp)
