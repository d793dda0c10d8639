"""What the edge does around every route: pages, callers, limits, time, standard headers."""

import asyncio
import re
from typing import Any

import httpx2
import pytest

from authsvc.kernel.errors import Code, Refusal
from tests.platform.http.small_app import AUTH, SPA, Seen, make_app
from tests.platform.http.wire import JSON, NOTE, PAGE, Wire, refused


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
