"""What an access token must say. Spec: RFC 9068 §2.2, RFC 7519 §4.1."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.verify.claims import Acr, ClaimsError, ClaimsExpired, Expected, Principal, parse
from tests.verify.forge import AUDIENCE, ISSUER, NOW, claims, compact

EXPECTED = Expected(issuer=ISSUER, audience=AUDIENCE, leeway=30)


def read(payload: bytes, *, now: float = NOW) -> Principal:
    return parse(payload, expected=EXPECTED, now=now)


def test_every_claim_becomes_an_attribute() -> None:
    at = int(NOW)
    principal = read(compact(claims(trusted_device=True, extra={"a": [1]})))
    assert principal == Principal(
        sub="usr_4K9D", sid="ses_7QX2", client_id="web", audience=(AUDIENCE,), roles=("member",),
        acr=Acr.AAL2, amr=("email", "otp", "mfa"), auth_time=at - 180, mfa=True,
        mfa_time=at - 180, trusted_device=True, issued_at=at - 100, expires_at=at + 200,
        token_id="tok_01JDC0", claims={},
    )  # fmt: skip
    assert principal.claims["extra"] == {"a": (1,)}


def test_what_may_be_left_out_has_a_harmless_meaning() -> None:
    principal = read(compact(claims(roles=None, amr=None, mfa=None, mfa_time=None)))
    assert (principal.roles, principal.amr) == ((), ())
    assert (principal.mfa, principal.mfa_time, principal.trusted_device) == (False, None, False)


def test_nobody_can_change_what_others_share() -> None:
    principal = read(compact(claims(extra={"deep": ["x"]})))
    for changing in (
        lambda: principal.claims.__setitem__("sub", "usr_evil"),  # type: ignore[attr-defined]
        lambda: principal.claims["extra"].__setitem__("deep", []),  # type: ignore[index]
        lambda: principal.claims["roles"].append("admin"),  # type: ignore[attr-defined]
        lambda: setattr(principal, "roles", ("admin",)),
    ):
        with pytest.raises((AttributeError, TypeError)):
            changing()


def test_a_principal_can_be_a_key_and_tells_little() -> None:
    principal = read(compact(claims(email="ann@example.com")))
    assert len({principal, read(compact(claims()))}) == 1
    assert "ann@example.com" not in repr(principal)


@pytest.mark.parametrize("audience", [AUDIENCE, [AUDIENCE], ["other", AUDIENCE]])
def test_the_audience_is_one_of_those_named(audience: object) -> None:
    assert AUDIENCE in read(compact(claims(aud=audience))).audience


MISSING = ["iss", "aud", "sub", "sid", "client_id", "jti", "iat", "exp", "auth_time", "acr"]


@pytest.mark.parametrize("name", MISSING)
def test_a_required_claim_is_missing(name: str) -> None:
    with pytest.raises(ClaimsError):
        read(compact(claims(**{name: None})))


@pytest.mark.parametrize("name", [*MISSING, "nbf", "roles", "amr", "mfa", "mfa_time"])
@pytest.mark.parametrize("value", [b"null", b'""', b"{}", b"[[]]", b"[1]", b"-1", b'"\\u0000"'])
def test_a_claim_has_another_type(name: str, value: bytes) -> None:
    bent = compact(claims(**{name: "BENT"})).replace(b'"BENT"', value)
    with pytest.raises(ClaimsError):
        read(bent)


NUMBERS = [b'"1795512300"', b"true", b"NaN", b"Infinity", b"-Infinity", b"1e400", b"1e300",
           b"253402300800", b"-5", b"null", b"[1795512300]", b'{"n":1}', b"9" * 5000]  # fmt: skip


@pytest.mark.parametrize("name", ["exp", "iat", "nbf", "auth_time", "mfa_time"])
@pytest.mark.parametrize("value", NUMBERS, ids=lambda raw: raw[:14].decode())
def test_times_are_plain_numbers(name: str, value: bytes) -> None:
    with pytest.raises(ClaimsError):
        read(compact(claims(**{name: "BENT"})).replace(b'"BENT"', value))


@pytest.mark.parametrize(
    ("seconds", "fate"), [(229.9, "good"), (230, "expired"), (231, "expired"), (1e6, "expired")]
)
def test_exp_has_the_leeway_and_no_more(seconds: float, fate: str) -> None:
    now = NOW + seconds  # exp is NOW + 200
    if fate == "good":
        assert read(compact(claims()), now=now).sub == "usr_4K9D"
    else:
        with pytest.raises(ClaimsExpired):
            read(compact(claims()), now=now)


@pytest.mark.parametrize("name", ["nbf", "iat", "auth_time", "mfa_time"])
def test_the_future_is_not_believed(name: str) -> None:
    at = int(NOW)
    late = {"exp": at + 1000}
    assert read(compact(claims(**late, **{name: at + 30})))
    with pytest.raises(ClaimsError):
        read(compact(claims(**late, **{name: at + 31})))


def test_an_end_before_the_beginning_is_refused() -> None:
    with pytest.raises(ClaimsError):
        read(compact(claims(iat=int(NOW) + 10, exp=int(NOW) + 10)))


def test_fractions_of_a_second_count_down() -> None:
    assert read(compact(claims(exp=NOW + 200.9))).expires_at == int(NOW) + 200


def test_expired_is_said_only_of_what_is_otherwise_good() -> None:
    with pytest.raises(ClaimsError) as caught:
        read(compact(claims(aud=["other"])), now=NOW + 1000)
    assert not isinstance(caught.value, ClaimsExpired)


DOCUMENTS = [
    b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"\xef\xbb\xbf{}", b"{}{}", b"[" * 4000,
    b'{"a":' * 1500 + b"1" + b"}" * 1500,
]  # fmt: skip


@pytest.mark.parametrize("document", DOCUMENTS, ids=range(len(DOCUMENTS)))
def test_the_payload_is_one_json_object(document: bytes) -> None:
    with pytest.raises(ClaimsError):
        read(document)


def test_a_member_twice_is_refused_at_any_depth() -> None:
    good = compact(claims(extra={"deep": 1}))
    for before, after in (
        (b'"roles":', b'"roles":["admin"],"roles":'),
        (b'"deep":1', b'"deep":1,"deep":2'),
    ):
        with pytest.raises(ClaimsError):
            read(good.replace(before, after))


@pytest.mark.parametrize("half", [b"\\ud800", b"\\uDFFF", b"\\udc00\\ud800"])
def test_half_a_character_is_refused(half: bytes) -> None:
    with pytest.raises(ClaimsError):
        read(compact(claims(extra="BENT")).replace(b"BENT", half))
    assert read(compact(claims(extra="BENT")).replace(b"BENT", b"\\ud83d\\ude00"))


@given(st.binary(max_size=300))
def test_no_bytes_break_it(payload: bytes) -> None:
    with pytest.raises(ClaimsError):
        read(payload)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(st.sampled_from(list(claims())), JSON)
def test_any_value_is_either_read_or_refused(name: str, value: object) -> None:
    said = claims() | {name: value}
    try:
        principal = read(json.dumps(said).encode())
    except ClaimsError:
        return
    assert principal.sub
    assert isinstance(principal.expires_at, int)
    assert principal.expires_at > principal.issued_at
    assert AUDIENCE in principal.audience


def test_the_order_of_levels() -> None:
    levels = list(Acr)
    for weaker, stronger in pairwise(levels):
        assert stronger.satisfies(weaker)
        assert not weaker.satisfies(stronger)
        assert weaker.satisfies(weaker)
