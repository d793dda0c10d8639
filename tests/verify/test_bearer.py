"""How a token comes in. Spec: RFC 6750 §2 (AT-07), security.md C22, C56."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.verify import AuthRefused, BadRequest, TokenInvalid
from authsvc.verify.bearer import token_from

A = b"authorization"
Headers = list[tuple[bytes, bytes]]


@pytest.mark.parametrize(
    ("value", "token"),
    [
        (b"Bearer a.b.c", "a.b.c"),
        (b"bearer a.b.c", "a.b.c"),
        (b"BEARER a.b.c", "a.b.c"),
        (b"Bearer   a.b.c", "a.b.c"),
        (b" Bearer a.b.c ", "a.b.c"),
        (b"Bearer a-._~+/b=", "a-._~+/b="),
        (b"Basic dTpw", None),
        (b"DPoP a.b.c", None),
        (b"a.b.c", None),
    ],
)
def test_the_header(value: bytes, token: str | None) -> None:
    assert token_from([(b"host", b"x"), (A, value)], query=b"") == token


def test_no_header_no_token() -> None:
    assert token_from([(b"cookie", b"access_token=a.b.c")], query=b"") is None


@pytest.mark.parametrize(
    "value",
    [b"", b" ", b"Bearer", b"Bearer ", b"Bearer a.b.c d.e.f", b"Bearer a.b.c, Bearer d.e.f",
     b"Bearer a.b.c,d.e.f", b'Bearer "a.b.c"', b"Bearer a\tb", b"Bearer \xc3\xa9",
     b"Bearer token=a.b.c;x"],
)  # fmt: skip
def test_a_broken_header(value: bytes) -> None:
    with pytest.raises(TokenInvalid):
        token_from([(A, value)], query=b"")


@pytest.mark.parametrize(
    "headers",
    [[(A, b"Bearer a"), (A, b"Bearer a")], [(A, b"Bearer a"), (A, b"Basic x")],
     [(A, b"Bearer a"), (A, b"")]],
)  # fmt: skip
def test_two_headers(headers: Headers) -> None:
    with pytest.raises(BadRequest):
        token_from(headers, query=b"")


@pytest.mark.parametrize(
    "query",
    [b"access_token=a.b.c", b"x=1&access_token=a.b.c", b"access_token", b"access%5Ftoken=a",
     b"%61ccess_token=a", b"x&access_token=&y"],
)  # fmt: skip
@pytest.mark.parametrize("headers", [[], [(A, b"Bearer a.b.c")]], ids=["alone", "and header"])
def test_a_token_in_the_query(query: bytes, headers: Headers) -> None:
    with pytest.raises(BadRequest):
        token_from(headers, query=query)


@pytest.mark.parametrize(
    "query", [b"", b"token=x", b"my_access_token=x", b"x=access_token", b"%", b"access_token2=x"]
)
def test_other_parameters_are_none_of_our_business(query: bytes) -> None:
    assert token_from([(A, b"Bearer a.b.c")], query=query) == "a.b.c"


@given(st.lists(st.tuples(st.sampled_from([A, b"host"]), st.binary(max_size=40)), max_size=3),
       st.binary(max_size=60))  # fmt: skip
def test_no_bytes_break_it(headers: Headers, query: bytes) -> None:
    try:
        token = token_from(headers, query=query)
    except AuthRefused:
        return
    assert token is None or (token.isascii() and " " not in token)
