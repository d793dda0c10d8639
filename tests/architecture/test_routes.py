"""Every route of the shipped application is listed here with who may call it."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import iter_route_contexts

from authsvc.abuse.limits import Away, LimitName, LimitSettings
from authsvc.app import openapi_app
from authsvc.kernel.errors import Code
from authsvc.signin.limits import limit_of

PUBLIC, ANON, COOKIE, FLOW, MAIL, ACCESS = "public", "anon", "cookie", "flow", "mail", "access"

LEVELS = {
    ("GET", "/livez"): PUBLIC,
    ("GET", "/"): PUBLIC,
    ("GET", "/ui"): PUBLIC,
    ("GET", "/ui/"): PUBLIC,
    ("GET", "/ui/{page:path}"): PUBLIC,
    ("GET", "/ui/static/{name:path}"): PUBLIC,
    ("GET", "/ui/lib/authsvc.js"): PUBLIC,
    ("GET", "/errors/{code}"): PUBLIC,
    ("GET", "/.well-known/jwks.json"): PUBLIC,
    ("GET", "/.well-known/oauth-authorization-server"): PUBLIC,
    ("GET", "/.well-known/change-password"): PUBLIC,
    ("GET", "/.well-known/security.txt"): PUBLIC,
    ("GET", "/v1/openapi.json"): PUBLIC,
    ("GET", "/v1/config"): PUBLIC,
    ("GET", "/v1/i18n/{locale}"): PUBLIC,
    ("POST", "/v1/session/resume"): ANON,
    ("POST", "/v1/token"): ANON,
    ("POST", "/v1/logout"): COOKIE,
    ("POST", "/v1/sign-in/email"): ANON,
    ("POST", "/v1/sign-in/email/resend"): FLOW,
    ("POST", "/v1/sign-in/email/code"): FLOW,
    ("POST", "/v1/sign-in/link/inspect"): MAIL,
    ("POST", "/v1/sign-in/link/confirm"): MAIL,
    ("GET", "/v1/flow"): FLOW,
    ("DELETE", "/v1/flow"): FLOW,
    ("GET", "/v1/account"): ACCESS,
    ("PATCH", "/v1/account"): ACCESS,
    ("GET", "/v1/account/sessions"): ACCESS,
    ("POST", "/v1/account/sessions/revoke"): ACCESS,
    ("DELETE", "/v1/account/sessions/{session_id}"): ACCESS,
}
# Answered by bare endpoints, which carry no level of their own.
BARE = {("GET", "/v1/openapi.json")}


def served() -> Iterator[tuple[str, str, str | None]]:
    """Method, path and declared level of every route."""
    for route in iter_route_contexts(openapi_app().router.routes):
        described: Any = route.original_route
        extra = getattr(described, "openapi_extra", None) or {}
        for method in sorted(set(route.methods or ()) - {"HEAD"}):
            yield method, str(route.path), extra.get("x-authsvc-level")


def test_every_route_is_listed_and_nothing_else() -> None:
    assert {(method, path) for method, path, _ in served()} == set(LEVELS)


def test_every_route_declares_its_level() -> None:
    declared: dict[tuple[str, str], str] = {}
    for method, path, level in served():
        if level is not None:
            declared[(method, path)] = level
    assert declared == {door: level for door, level in LEVELS.items() if door not in BARE}


def test_every_code_is_declared_on_a_route_or_reserved() -> None:
    document = openapi_app().openapi()
    declared: set[str] = set()
    for operations in document["paths"].values():
        for operation in operations.values():
            declared |= set(operation["x-authsvc-codes"])
    later = {Code.INSUFFICIENT_USER_AUTHENTICATION, Code.FORBIDDEN, Code.MAINTENANCE}
    assert {code.value for code in Code} - declared <= {code.value for code in later}


@pytest.mark.parametrize("door", [door for door in LEVELS if door[0] != "GET"], ids=str)
def test_every_state_changing_route_has_a_stated_limit(door: tuple[str, str]) -> None:
    limit = LimitSettings().of(limit_of(*door))
    assert limit.per_address > 0
    proving = LEVELS[door] in (FLOW, MAIL) and door[0] == "POST"
    assert (limit.away is Away.CLOSED) == (proving or door[1] == "/v1/sign-in/email")


def test_the_limits_are_those_of_the_design() -> None:
    settings = LimitSettings()
    assert settings.of(LimitName.SIGN_IN).per_address == 30
    assert settings.of(LimitName.SIGN_IN).per_site == 300
    assert settings.of(LimitName.VERIFY).per_address == 60
    assert settings.of(LimitName.REFRESH).per_address == 300
