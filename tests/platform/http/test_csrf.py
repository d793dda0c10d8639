"""The checks of a page's request, each alone."""

import pytest

from authsvc.kernel.errors import Code
from authsvc.platform.http.csrf import MAX_CLIENT_NAME, Question, is_checked, judge

SPA = "https://app.example.com"
GOOD = {"origin": SPA, "sec-fetch-site": "same-site", "x-authsvc-client": "web/1"}
WRITES = ["POST", "PATCH", "DELETE", "PUT", "QUERY", "post"]


def allows(origin: str) -> bool:
    return origin == SPA


def verdict(method: str, path: str, **changes: str | None) -> tuple[Code, str | None] | None:
    changed = {name.replace("_", "-"): value for name, value in changes.items()}
    merged = {**GOOD, **changed}
    headers = {name: value for name, value in merged.items() if value is not None}
    refusal = judge(Question(method, path, headers), allows=allows)
    if refusal is None:
        return None
    check = refusal.extras.get("check")
    return refusal.code, check if isinstance(check, str) else None


@pytest.mark.parametrize("method", WRITES)
@pytest.mark.parametrize(
    "path", ["/v1/session/resume", "/v1/logout", "/v1/sign-in/email", "/v1/flow", "/v1/x"]
)
def test_a_good_page_passes(method: str, path: str) -> None:
    assert verdict(method, path) is None


@pytest.mark.parametrize("method", WRITES)
@pytest.mark.parametrize("path", ["/v1/session/resume", "/v1/logout", "/v1/accounts", "/v1/x"])
@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"origin": "https://evil.example.com"}, "origin"),
        ({"origin": "null"}, "origin"),
        ({"origin": ""}, "origin"),
        ({"origin": SPA + "/"}, "origin"),
        ({"origin": SPA.upper()}, "origin"),
        ({"origin": SPA + ":443"}, "origin"),
        ({"origin": SPA + "\xff"}, "origin"),
        ({"sec_fetch_site": "cross-site"}, "sec_fetch_site"),
        ({"sec_fetch_site": "none"}, "sec_fetch_site"),
        ({"sec_fetch_site": ""}, "sec_fetch_site"),
        ({"sec_fetch_site": "Same-Site"}, "sec_fetch_site"),
        ({"x_authsvc_client": None}, "client_header"),
        ({"x_authsvc_client": ""}, "client_header"),
        ({"x_authsvc_client": "x" * (MAX_CLIENT_NAME + 1)}, "client_header"),
    ],
)
def test_each_missing_check_alone_refuses(
    method: str, path: str, changes: dict[str, str | None], check: str
) -> None:
    assert verdict(method, path, **changes) == (Code.CSRF_REJECTED, check)


def test_an_unlisted_origin_learns_the_setting() -> None:
    refusal = judge(
        Question("POST", "/v1/x", {**GOOD, "origin": "https://other.example"}), allows=allows
    )
    assert refusal is not None
    assert refusal.extras == {"check": "origin", "setting": "clients.<id>.origins"}


@pytest.mark.parametrize("site", ["same-origin", "same-site", None])
def test_old_browsers_send_no_fetch_metadata(site: str | None) -> None:
    assert verdict("POST", "/v1/x", sec_fetch_site=site) is None


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_reads_pass_from_anywhere(method: str) -> None:
    assert verdict(method, "/v1/flow", origin="https://evil.example.com") is None


@pytest.mark.parametrize(
    ("path", "checked"),
    [
        ("/v1/account", False),
        ("/v1/account/sessions", False),
        ("/v1/admin/users", False),
        ("/v1/accountant", True),
        ("/v1/administer", True),
        ("/v1/security/report", True),
        ("/dev/token", False),
        ("/v1", False),
    ],
)
def test_bearer_paths_have_nothing_to_forge(path: str, checked: bool) -> None:
    assert is_checked("POST", path) is checked
    evil = verdict("POST", path, origin="https://evil.example.com")
    assert (evil is not None) is checked


@pytest.mark.parametrize(
    ("path", "changes", "outcome"),
    [
        ("/v1/sign-in/email", {"cookie": "a=b"}, None),
        ("/v1/token", {}, None),
        ("/v1/session/resume", {}, (Code.CSRF_REJECTED, "origin")),
        ("/v1/session/resume", {"authorization": "Bearer x"}, (Code.CSRF_REJECTED, "origin")),
        ("/v1/logout", {}, None),
        ("/v1/logout", {"cookie": "a=b"}, (Code.CSRF_REJECTED, "origin")),
        ("/v1/logout", {"cookie": "a=b", "authorization": "Bearer x"}, None),
    ],
)
def test_native_calls(
    path: str, changes: dict[str, str | None], outcome: tuple[Code, str | None] | None
) -> None:
    native: dict[str, str | None] = dict.fromkeys(GOOD)
    assert verdict("POST", path, **{**native, **changes}) == outcome


def test_a_page_cannot_ask_for_a_native_token() -> None:
    assert verdict("POST", "/v1/token") == (Code.ORIGIN_NOT_ALLOWED, None)
