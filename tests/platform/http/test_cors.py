"""Who may read our answers from a page of another origin."""

from typing import Any

import pytest

from authsvc.platform.http.cors import headers_for
from tests.platform.http.small_app import AUTH, SPA
from tests.platform.http.wire import Raw, Wire

ORIGIN = b"access-control-allow-origin"
CREDENTIALS = b"access-control-allow-credentials"
NEAR_MISSES = [
    "https://app.example.com.evil.example",
    "https://evil-app.example.com",
    "https://APP.example.com",
    "http://app.example.com",
    "https://app.example.com:444",
    "https://app.example.com/",
    "https://app.example.com ",
    "https://app.example.co",
    "null",
    "*",
    "",
    "\xff",
]


async def call(wire: Wire, path: str, origin: str, *, method: str = "GET") -> Raw:
    headers = [(b"origin", origin.encode("latin-1"))]
    if method == "OPTIONS":
        headers.append((b"access-control-request-method", b"POST"))
        headers.append((b"access-control-request-headers", b"x-authsvc-client"))
    answer = await wire.call(method, path, headers=headers)
    assert answer is not None
    return answer


@pytest.mark.parametrize("origin", [SPA, AUTH])
@pytest.mark.parametrize("path", ["/v1/things/1", "/v1/nothing", "/v1/odd/bug"])
async def test_a_listed_origin_reads_answers_and_refusals(
    wire: Wire, path: str, origin: str
) -> None:
    answer = await call(wire, path, origin)
    assert answer.values(ORIGIN) == [origin.encode()]
    assert answer.values(CREDENTIALS) == [b"true"]
    assert answer.values(b"vary") == [b"Origin"]
    assert answer.values(b"access-control-expose-headers") == [
        b"WWW-Authenticate, Retry-After, X-Request-Id, Content-Language"
    ]


@pytest.mark.parametrize("origin", NEAR_MISSES)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
async def test_near_misses_get_no_header(wire: Wire, origin: str, method: str) -> None:
    answer = await call(wire, "/v1/notes", origin, method=method)
    assert [name for name, _ in answer.headers if name.startswith(b"access-control")] == []
    assert answer.values(b"vary") == [b"Origin"]


async def test_a_preflight_is_answered_before_every_check(wire: Wire) -> None:
    answer = await call(wire, "/v1/session/resume", SPA, method="OPTIONS")
    assert (answer.status, answer.body) == (204, b"")
    assert answer.values(b"access-control-allow-methods") == [b"GET, POST, PATCH, DELETE"]
    (names,) = answer.values(b"access-control-allow-headers")
    assert names.decode().split(", ") == [
        "Content-Type",
        "Authorization",
        "Accept-Language",
        "Idempotency-Key",
        "X-Authsvc-Client",
        "X-Authsvc-Challenge",
    ]
    assert answer.values(b"access-control-max-age") == [b"7200"]
    assert answer.values(CREDENTIALS) == [b"true"]


@pytest.mark.parametrize("path", ["/.well-known/jwks.json", "/ui/lib/authsvc.js"])
async def test_public_files_are_for_everybody_without_credentials(wire: Wire, path: str) -> None:
    answer = await call(wire, path, "https://anybody.example")
    assert answer.status == 200
    assert answer.values(ORIGIN) == [b"*"]
    assert answer.values(CREDENTIALS) == []


async def test_the_routes_own_vary_stays(wire: Wire) -> None:
    answer = await call(wire, "/.well-known/jwks.json", SPA)
    assert answer.values(b"vary") == [b"Accept"]


@pytest.mark.parametrize("path", ["/v1/token", "/ui/account", "/dev/token", "/livez"])
def test_other_paths_are_for_no_other_origin(path: str) -> None:
    assert headers_for(path, SPA, allows=lambda _: True) == []


async def test_a_refused_preflight_is_logged_with_the_setting(wire: Wire, logged: Any) -> None:
    await call(wire, "/v1/notes", "https://shop.example.com", method="OPTIONS")
    refused, request = logged()
    assert (refused["event"], refused["fix"]) == ("cors_refused", "clients.<id>.origins")
    assert refused["origin"] == "https://shop.example.com"
    assert (request["event"], request["status"]) == ("request", 204)


async def test_a_hostile_origin_does_not_reach_the_log(wire: Wire, logged: Any) -> None:
    await call(wire, "/v1/notes", "https://x/\x1b[31m?token=canary", method="OPTIONS")
    assert logged()[0]["origin"] == "odd"
