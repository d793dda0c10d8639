"""What the edge lets in, byte by byte, and what it puts on every answer."""

import asyncio
import re
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authsvc.kernel.errors import Code, Refusal
from tests.platform.http.conftest import AUTH, SPA, Pairs, Raw, Seen, Wire, make_app

JSON: Pairs = [(b"content-type", b"application/json")]
PAGE: Pairs = [
    *JSON,
    (b"origin", SPA.encode()),
    (b"x-authsvc-client", b"test/1"),
    (b"sec-fetch-site", b"same-site"),
]
NOTE = b'{"text":"hello"}'


def refused(answer: Raw | None) -> tuple[int, str]:
    """Status and code of a problem, after checking that it is a whole one."""
    assert answer is not None
    body = answer.json()
    assert answer.values(b"content-type") == [b"application/problem+json"]
    assert answer.values(b"cache-control") == [b"no-store"]
    assert answer.values(b"x-request-id") == [body["request_id"].encode()]
    assert body["status"] == answer.status
    assert body["type"] == f"{AUTH}/errors/{body['code']}"
    assert body["title"]
    assert body["detail"]
    return answer.status, body["code"]


class TestHead:
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
    async def test_a_security_header_comes_once(
        self, wire: Wire, name: bytes, value: bytes
    ) -> None:
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
    async def test_and_in_one_spelling(self, wire: Wire, name: bytes) -> None:
        assert refused(await wire.call(headers=[(name, b"x")])) == (400, "bad_request")

    async def test_other_headers_may_repeat(self, wire: Wire) -> None:
        again = [(b"cookie", b"a=b"), (b"accept", b"*/*"), (b"x_own", b"1")] * 2
        answer = await wire.call(headers=again)
        assert answer is not None
        assert answer.status == 200

    @pytest.mark.parametrize(
        ("size", "status"), [(16 * 1024 - 200, 200), (16 * 1024, 400), (200_000, 400)]
    )
    async def test_the_head_has_a_size(self, wire: Wire, size: int, status: int) -> None:
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
    async def test_only_our_own_host(self, wire: Wire, host: bytes, known: bool) -> None:
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
    async def test_on_localhost_any_port(self, seen: Seen, host: bytes, status: int) -> None:
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
    async def test_odd_and_unknown_paths_are_not_found(self, wire: Wire, path: str) -> None:
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
    async def test_tokens_stay_out_of_queries(self, wire: Wire, query: bytes, status: int) -> None:
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
        self, method: str, path: str, headers: Pairs, query: bytes, body: bytes
    ) -> None:
        wire = Wire(make_app(Seen()))
        answer = await wire.call(method, path, headers=headers, query=query, body=[body])
        assert answer is not None
        assert answer.status < 500
        if answer.status >= 400 and method != "HEAD":
            refused(answer)


class TestBody:
    @pytest.mark.parametrize(
        ("content_type", "status"),
        [
            (b"application/json", 200),
            (b"Application/JSON; charset=UTF-8", 200),
            (b'application/json;charset="utf-8"', 200),
            (b"application/json; charset=latin-1", 415),
            (b"application/json, text/plain", 415),
            (b"application/problem+json", 415),
            (b"text/plain", 415),
            (b"text/plain; application/json", 415),
            (b"application/x-www-form-urlencoded", 415),
            (b"multipart/form-data; boundary=x", 415),
            (b"", 415),
            (b"\xff", 415),
            (None, 415),
        ],
    )
    async def test_json_only(self, wire: Wire, content_type: bytes | None, status: int) -> None:
        headers = [] if content_type is None else [(b"content-type", content_type)]
        answer = await wire.call("POST", "/v1/notes", headers=headers, body=[NOTE])
        assert answer is not None
        assert answer.status == status
        if status != 200:
            assert refused(answer) == (415, "unsupported_media_type")

    async def test_the_type_is_judged_before_the_content(self, wire: Wire) -> None:
        answer = await wire.call("POST", "/v1/notes", body=[b'{"unknown":'])
        assert refused(answer) == (415, "unsupported_media_type")

    async def test_a_page_names_the_type_even_without_a_body(self, wire: Wire) -> None:
        nameless = [pair for pair in PAGE if pair[0] != b"content-type"]
        answer = await wire.call("POST", "/v1/logout", headers=nameless)
        assert refused(answer) == (415, "unsupported_media_type")
        answer = await wire.call("POST", "/v1/logout", headers=PAGE)
        assert answer is not None
        assert answer.status == 204

    @pytest.mark.parametrize(
        ("body", "outcome"),
        [
            (b"{", (400, "bad_request")),
            (b'{"text":"a","text":"b"}', (400, "bad_request")),
            (b'{"text":NaN}', (400, "bad_request")),
            (b'{"text":"\\u0000"}', (422, "validation_failed")),
            (b'{"text":"a","count":1e99}', (422, "validation_failed")),
            (b"[" * 40 + b"]" * 40, (422, "validation_failed")),
            (b"[]", (422, "validation_failed")),
            (b"null", (422, "validation_failed")),
            (b"", (422, "validation_failed")),
        ],
    )
    async def test_content(self, wire: Wire, body: bytes, outcome: tuple[int, str]) -> None:
        answer = await wire.call("POST", "/v1/notes", headers=JSON, body=[body])
        assert refused(answer) == outcome

    @pytest.mark.parametrize("path", ["/v1/notes", "/v1/nothing", "/dev/nothing"])
    async def test_a_cap_while_streaming(self, wire: Wire, path: str) -> None:
        parts = [b"x" * 4096] * 8
        answer = await wire.call("POST", path, headers=JSON, body=parts)
        assert refused(answer) == (413, "payload_too_large")

    async def test_a_body_of_the_cap_in_parts_arrives_whole(self, wire: Wire) -> None:
        whole = NOTE + b" " * (16 * 1024 - len(NOTE))
        parts = [whole[i : i + 1000] for i in range(0, len(whole), 1000)]
        answer = await wire.call("POST", "/v1/notes", headers=JSON, body=parts)
        assert answer is not None
        assert answer.json() == {"text": "hello"}

    @pytest.mark.parametrize(
        ("declared", "outcome"),
        [
            (b"16385", (413, "payload_too_large")),
            (b"9" * 18, (413, "payload_too_large")),
            (b"9" * 40, (400, "bad_request")),
            (b"-1", (400, "bad_request")),
            (b"1, 1", (400, "bad_request")),
            (b"+5", (400, "bad_request")),
            (b"\xb2", (400, "bad_request")),
        ],
    )
    async def test_a_declared_length_is_believed_only_against_the_client(
        self, wire: Wire, declared: bytes, outcome: tuple[int, str]
    ) -> None:
        headers = [*JSON, (b"content-length", declared)]
        answer = await wire.call("POST", "/v1/notes", headers=headers, body=[None])
        assert refused(answer) == outcome

    async def test_a_client_that_goes_away_is_no_error(self, wire: Wire, logged: Any) -> None:
        answer = await wire.call("POST", "/v1/notes", headers=JSON, body=[b'{"te', None])
        assert answer is None
        (line,) = logged()
        assert (line["event"], line["level"], line["status"]) == ("request", "info", 499)

    async def test_reads_ignore_bodies(self, wire: Wire) -> None:
        answer = await wire.call("GET", body=[b"\xff" * 100])
        assert answer is not None
        assert answer.status == 200


class TestMethods:
    @pytest.mark.parametrize("path", ["/v1/things/1", "/livez", "/ui/lib/authsvc.js"])
    async def test_head_is_get_without_a_body(self, wire: Wire, path: str) -> None:
        get, head = await wire.call("GET", path), await wire.call("HEAD", path)
        assert get is not None
        assert head is not None
        assert get.body
        assert head.body == b""
        assert (head.status, head.values(b"content-length")) == (
            get.status,
            get.values(b"content-length"),
        )

    @pytest.mark.parametrize(
        ("method", "path", "allow"),
        [
            ("DELETE", "/v1/notes", b"GET, HEAD, POST"),
            ("POST", "/v1/things/1", b"GET, HEAD"),
            ("GET", "/v1/session/resume", b"POST"),
            ("HEAD", "/v1/session/resume", b"POST"),
            ("OPTIONS", "/v1/notes", b"GET, HEAD, POST"),
            ("PURGE", "/livez", b"GET, HEAD"),
        ],
    )
    async def test_a_wrong_method_names_the_right_ones(
        self, wire: Wire, method: str, path: str, allow: bytes
    ) -> None:
        answer = await wire.call(method, path)
        assert answer is not None
        assert answer.status == 405
        assert answer.values(b"allow") == [allow]
        if method != "HEAD":
            assert answer.json()["code"] == "method_not_allowed"

    async def test_no_method_override(self, wire: Wire, seen: Seen) -> None:
        override = [(b"x-http-method-override", b"POST")]
        answer = await wire.call("GET", "/v1/session/resume", headers=override)
        assert refused(answer) == (405, "method_not_allowed")
        assert seen.callers == []


class TestPages:
    @pytest.mark.parametrize(
        ("missing", "status", "check"),
        [
            ("origin", 200, None),  # a native call: its cookies are ignored
            ("x-authsvc-client", 403, "client_header"),
            ("content-type", 415, None),
            ("sec-fetch-site", 200, None),
        ],
    )
    async def test_each_check_on_the_wire(
        self, wire: Wire, missing: str, status: int, check: str | None
    ) -> None:
        headers = [pair for pair in PAGE if pair[0] != missing.encode()]
        answer = await wire.call("POST", "/v1/notes", headers=headers, body=[NOTE])
        assert answer is not None
        assert answer.status == status
        if status != 200:
            assert answer.json().get("check") == check

    async def test_a_native_call_has_no_cookies(self, wire: Wire, seen: Seen) -> None:
        cookie = (b"cookie", b"__Host-authsvc_rt=secret")
        await wire.call("POST", "/v1/notes", headers=[*JSON, cookie], body=[NOTE])
        await wire.call("POST", "/v1/notes", headers=[*PAGE, cookie], body=[NOTE])
        assert seen.cookies == [None, "secret"]
        assert [who.origin for who in seen.callers] == [None, SPA]

    async def test_a_page_that_reads_from_its_own_origin_is_no_native_call(
        self, wire: Wire, seen: Seen
    ) -> None:
        for site in (b"same-origin", b"same-site", b"cross-site", b"none"):
            await wire.call(headers=[(b"sec-fetch-site", site)])
        assert [who.origin for who in seen.callers] == [AUTH, None, None, None]

    async def test_the_thin_route_is_guarded_too(self, wire: Wire) -> None:
        path = "/v1/session/resume"
        assert refused(await wire.call("POST", path, headers=JSON)) == (403, "csrf_rejected")
        stale = [*PAGE, (b"authorization", b"Bearer stale")]
        answer = await wire.call("POST", path, headers=stale, body=[b"{}"])
        assert refused(answer) == (401, "token_expired")
        answer = await wire.call("POST", path, headers=PAGE, body=[b"{}"])
        assert answer is not None
        assert answer.values(b"x-request-id") == [answer.body]


class TestCaller:
    async def test_made_from_the_peer_not_from_headers(self, wire: Wire, seen: Seen) -> None:
        forged = [
            (b"x-forwarded-for", b"198.51.100.7"),
            (b"forwarded", b"for=198.51.100.7"),
            (b"x-real-ip", b"198.51.100.7"),
            (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:148.0) Firefox/148.0"),
            (b"accept-language", b"de-CH, en;q=0.5"),
        ]
        await wire.call(headers=forged)
        (who,) = seen.callers
        assert (who.address, who.network, who.masked_address) == (
            "203.0.113.9",
            "203.0.0.0/16",
            "203.0.113.x",
        )
        assert (who.device.browser, who.device.os, who.locale) == ("Firefox", "Linux", "de")
        assert re.fullmatch(r"req_[0-9A-Z]{26}", who.request_id)

    async def test_an_unknown_peer_is_nobody(self, wire: Wire, seen: Seen) -> None:
        await wire.call(peer=None)
        (who,) = seen.callers
        assert (who.address, who.network, who.masked_address) == ("", "", "")


class TestLimitsAndTime:
    async def test_admission_comes_before_the_body(self, wire: Wire, seen: Seen) -> None:
        seen.refuse = Refusal(Code.RATE_LIMITED, retry_after=7)
        answer = await wire.call("POST", "/v1/notes", headers=JSON, body=[None])
        assert refused(answer) == (429, "rate_limited")
        assert answer is not None
        assert answer.values(b"retry-after") == [b"7"]
        assert answer.json()["retry_after"] == 7
        assert seen.admitted == [("POST", "/v1/notes")]

    async def test_the_deadline_cancels_the_handler(self, seen: Seen) -> None:
        wire = Wire(make_app(seen, deadline=0.02))
        answer = await wire.call(path="/v1/odd/slow")
        assert refused(answer) == (503, "busy")
        assert answer is not None
        assert answer.values(b"retry-after") == [b"1"]
        assert seen.cancelled

    async def test_a_slow_body_meets_the_deadline_too(self, seen: Seen) -> None:
        app = make_app(seen, deadline=0.02)
        sent: list[Any] = []

        async def receive() -> Any:
            return await asyncio.get_running_loop().create_future()

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http", "method": "POST", "path": "/v1/notes", "query_string": b"",
            "headers": [(b"host", b"auth.example.com"), *JSON], "client": None,
        }  # fmt: skip
        await app(scope, receive, send)
        assert sent[0]["status"] == 503

    async def test_an_answer_that_had_begun_is_cut(self, seen: Seen, logged: Any) -> None:
        wire = Wire(make_app(seen, deadline=0.02))
        answer = await wire.call(path="/v1/odd/halfway")
        assert answer is not None
        assert (answer.status, answer.body) == (200, b"begun")
        assert logged()[-1]["code"] == "busy"

    @pytest.mark.parametrize("kind", ["bug", "timeout"])
    async def test_a_bug_is_a_bare_500(self, wire: Wire, kind: str, logged: Any) -> None:
        answer = await wire.call(path=f"/v1/odd/{kind}")
        assert refused(answer) == (500, "internal_error")
        assert answer is not None
        lines = logged()
        assert [line["event"] for line in lines] == ["unhandled", "request"]
        assert {line["request_id"] for line in lines} == {answer.json()["request_id"]}
        assert "canary" not in str(lines) + str(answer.body)


async def test_standard_headers(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/v1/things/1")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    assert "x-authsvc-dev" not in answer.headers


async def test_a_route_may_say_otherwise(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/.well-known/jwks.json")
    assert answer.headers.get_list("cache-control") == ["public, max-age=300"]


async def test_request_ids_are_ours_and_new(http: httpx2.AsyncClient) -> None:
    sent = {"X-Request-Id": "req_MINE"}
    ids = {(await http.get("/livez", headers=sent)).headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3
    assert "req_MINE" not in ids


async def test_requests_side_by_side_keep_their_own_answers(
    http: httpx2.AsyncClient, page: dict[str, str]
) -> None:
    async def one() -> None:
        answer = await http.post("/v1/session/resume", headers=page, json={})
        assert answer.text == answer.headers["x-request-id"]

    await asyncio.gather(*(one() for _ in range(30)))
