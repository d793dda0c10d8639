"""Our cookies: read without guessing, set with every flag."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import Response

from authsvc.platform.http.cookies import Cookies, Jar

SECURE, LOCAL = Cookies(secure=True), Cookies(secure=False)


def read(*lines: bytes, cookies: Cookies = SECURE) -> Jar:
    return cookies.read([(b"accept", b"*/*"), *((b"cookie", line) for line in lines)])


@pytest.mark.parametrize(
    ("lines", "session"),
    [
        ([], None),
        ([b"__Host-authsvc_rt=s1.abc-_.x"], "s1.abc-_.x"),
        ([b"a=b; __Host-authsvc_rt=v; c=d"], "v"),
        ([b"a=b;__Host-authsvc_rt=v;c=d"], "v"),
        ([b"a=b", b"__Host-authsvc_rt=v"], "v"),
        ([b"__Host-authsvc_rt=v; __Host-authsvc_rt=v"], None),
        ([b"__Host-authsvc_rt=v", b"__Host-authsvc_rt=w"], None),
        ([b"__Host-authsvc_rt=v; __Host-authsvc_rt=w; __Host-authsvc_rt=x"], None),
        ([b"__Host-authsvc_rt=; __Host-authsvc_rt=v"], None),
        ([b"__Host-authsvc_rt"], None),
        ([b"__Host-authsvc_rt="], None),
        ([b'__Host-authsvc_rt="v"'], None),
        ([b"__Host-authsvc_rt=v v"], None),
        ([b"__Host-authsvc_rt=v=w"], None),
        ([b"__Host-authsvc_rt=\xff\x80"], None),
        ([b"__Host-authsvc_rt=" + b"x" * 1024], "x" * 1024),
        ([b"__Host-authsvc_rt=" + b"x" * 1025], None),
        ([b"authsvc_rt=v"], None),
        ([b"__host-authsvc_rt=v"], None),
        ([b"__Secure-authsvc_rt=v"], None),
        ([b"\xff=1; __Host-authsvc_rt=v; =;;; "], "v"),
    ],
)
def test_reads_the_session(lines: list[bytes], session: str | None) -> None:
    assert read(*lines).session == session


def test_each_cookie_has_its_place() -> None:
    line = b"__Host-authsvc_rt=r; __Host-authsvc_flow=f; __Host-authsvc_hint=h"
    assert read(line) == Jar(session="r", flow="f", hint="h")


def test_on_localhost_without_tls_names_are_plain() -> None:
    assert read(b"authsvc_rt=v; __Host-authsvc_rt=w", cookies=LOCAL).session == "v"


@given(st.lists(st.binary(max_size=60), max_size=3))
def test_no_bytes_break_the_reader(lines: list[bytes]) -> None:
    jar = read(*lines, b"__Host-authsvc_flow=mine")
    assert jar.flow in ("mine", None)


def lines(cookies: Cookies, *, age: int | None = 60) -> list[str]:
    response = Response()
    cookies.set_session(response, "v", max_age=age)
    cookies.set_flow(response, "v", max_age=900)
    cookies.set_hint(response, "v")
    cookies.clear_session(response)
    cookies.clear_hint(response)
    return response.headers.getlist("set-cookie")


def test_flags_of_each_cookie() -> None:
    assert lines(SECURE) == [
        "__Host-authsvc_rt=v; Path=/; HttpOnly; SameSite=Strict; Secure; Max-Age=60",
        "__Host-authsvc_flow=v; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=900",
        "__Host-authsvc_hint=v; Path=/; HttpOnly; SameSite=Strict; Secure; Max-Age=15552000",
        "__Host-authsvc_rt=; Path=/; HttpOnly; SameSite=Strict; Secure; Max-Age=0",
        "__Host-authsvc_hint=; Path=/; HttpOnly; SameSite=Strict; Secure; Max-Age=0",
    ]


def test_no_age_means_until_the_browser_closes() -> None:
    assert "Max-Age" not in lines(SECURE, age=None)[0]


def test_local_cookies_are_not_secure() -> None:
    assert lines(LOCAL)[0] == "authsvc_rt=v; Path=/; HttpOnly; SameSite=Strict; Max-Age=60"


def test_a_raw_header_for_thin_endpoints() -> None:
    response = Response()
    SECURE.set_session(response, "v.1", max_age=7)
    assert SECURE.session_header("v.1", max_age=7) in response.raw_headers


@pytest.mark.parametrize("value", ["a;b", "a b", "a\r\nX: y", "é", '"', "x" * 1025])
def test_a_value_that_is_no_cookie_value_is_a_bug(value: str) -> None:
    with pytest.raises(ValueError, match="cookie"):
        SECURE.set_session(Response(), value, max_age=1)
