"""Which request heads get past the edge: hosts, doubled headers, sizes, paths, queries."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.platform.http.small_app import SPA, Seen, make_app
from tests.platform.http.wire import Pairs, Wire, refused


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"host", b"auth.example.com"),
        (b"origin", SPA.encode()),
        (b"authorization", b"Bearer x"),
        (b"content-type", b"application/json"),
        (b"content-length", b"0"),
        (b"x-authsvc-client", b"a/1"),
        (b"sec-fetch-site", b"same-origin"),
    ],
)
async def test_a_security_header_comes_once(wire: Wire, name: bytes, value: bytes) -> None:
    count = 1 if name == b"host" else 2  # the wire sends one host anyway
    answer = await wire.call(headers=[(name, value)] * count)
    assert refused(answer) == (400, "bad_request")


@pytest.mark.parametrize(
    "name",
    [
        b"content_type",
        b"content_length",
        b"x_authsvc_client",
        b"x-authsvc_client",
        b"x_authsvc-client",
        b"sec_fetch_site",
    ],
)
async def test_and_in_one_spelling(wire: Wire, name: bytes) -> None:
    assert refused(await wire.call(headers=[(name, b"x")])) == (400, "bad_request")


async def test_other_headers_may_repeat(wire: Wire) -> None:
    again = [(b"cookie", b"a=b"), (b"accept", b"*/*"), (b"x_own", b"1")] * 2
    answer = await wire.call(headers=again)
    assert answer is not None
    assert answer.status == 200


@pytest.mark.parametrize(
    ("size", "status"), [(16 * 1024 - 200, 200), (16 * 1024, 400), (200_000, 400)]
)
async def test_the_head_has_a_size(wire: Wire, size: int, status: int) -> None:
    answer = await wire.call(headers=[(b"x-long", b"x" * size)])
    assert answer is not None
    assert answer.status == status


@pytest.mark.parametrize(
    ("host", "known"),
    [
        (b"auth.example.com", True),
        (b"AUTH.example.com", True),
        (b"auth.example.com:443", True),
        (b"auth.example.com:80", False),
        (b"auth.example.com.", False),
        (b"auth.example.com.evil.example", False),
        (b"evil.example", False),
        (b"user@auth.example.com", False),
        (b"auth.example.com:443:443", False),
        (b"localhost", False),
        (b"127.0.0.1:8000", False),
        (b"", False),
        (b"\xff\xfe", False),
    ],
)
async def test_only_our_own_host(wire: Wire, host: bytes, known: bool) -> None:
    answer = await wire.call(host=host)
    assert answer is not None
    assert answer.status == (200 if known else 400)
    if not known:
        assert refused(answer) == (400, "bad_request")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        (b"localhost:8000", 200),
        (b"localhost:5173", 200),
        (b"127.0.0.1:1", 200),
        (b"[::1]:8000", 200),
        (b"localhost.evil.example", 400),
        (b"evil.example", 400),
    ],
)
async def test_on_localhost_any_port(seen: Seen, host: bytes, status: int) -> None:
    wire = Wire(make_app(seen, url="http://localhost:8000", local=True))
    answer = await wire.call(host=host)
    assert answer is not None
    assert answer.status == status
    assert answer.values(b"x-authsvc-dev") == [b"1"]
    assert answer.values(b"strict-transport-security") == []


@pytest.mark.parametrize(
    "path",
    [
        "/v1/things/%00".replace("%00", "\x00"),
        "/v1/../v1/things/1",
        "/v1/things/..",
        "/v1/things/.",
        "//v1/things/1",
        "/v1//things/1",
        "/v1\\things\\1",
        "/v1/things/1/",
        "/v1/things/\ud800",
        "/v1/things/1\n",
        "/V1/things/1",
        "/nothing",
        "",
    ],
)
async def test_odd_and_unknown_paths_are_not_found(wire: Wire, path: str) -> None:
    assert refused(await wire.call(path=path)) == (404, "not_found")


@pytest.mark.parametrize(
    ("query", "status"),
    [
        (b"access_token=x", 400),
        (b"a=1&token=x", 400),
        (b"flow_token=", 400),
        (b"refresh_token=x&b=2", 400),
        (b"flow=flw_1&next_token=1", 200),
        (b"\xff\xfe=\x00", 200),
    ],
)
async def test_tokens_stay_out_of_queries(wire: Wire, query: bytes, status: int) -> None:
    answer = await wire.call(query=query)
    assert answer is not None
    assert answer.status == status


@settings(max_examples=60, deadline=None)
@given(
    method=st.sampled_from(["GET", "POST", "HEAD", "OPTIONS", "DELETE", "PURGE"]),
    path=st.sampled_from(["/v1/things/1", "/v1/notes", "/v1/x", "/ui/a"])
    | st.text(max_size=12).map("/".__add__),
    headers=st.lists(
        st.tuples(
            st.sampled_from(
                [b"accept-language", b"origin", b"user-agent", b"cookie", b"content-type",
                 b"authorization", b"content-length", b"x-forwarded-for", b"x-odd",
                 b"access-control-request-method", b"sec-fetch-site"]
            ),
            st.binary(max_size=30),
        ),
        max_size=6,
    ),
    query=st.binary(max_size=20),
    body=st.binary(max_size=40),
)  # fmt: skip
async def test_no_bytes_break_it(
    method: str, path: str, headers: Pairs, query: bytes, body: bytes
) -> None:
    wire = Wire(make_app(Seen()))
    answer = await wire.call(method, path, headers=headers, query=query, body=[body])
    assert answer is not None
    assert answer.status < 500
    if answer.status >= 400 and method != "HEAD":
        refused(answer)
