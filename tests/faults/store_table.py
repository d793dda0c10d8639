"""What every public route answers while the store is in trouble: one table. Spec: security.md C58.

``away`` is dead or frozen, ``full`` refuses writes, ``flushed`` has forgotten everything,
``stale`` was put back from a snapshot that knew of what is asked.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx2

from tests.architecture.test_routes import LEVELS, PUBLIC
from tests.faults.processes import Town, Visitor, insistently, patiently

Answers = tuple[tuple[int, str | None], ...]
Call = Callable[[Visitor], Awaitable[httpx2.Response]]


def ok(status: int) -> Answers:
    """It goes on."""
    return ((status, None),)


def refused(status: int, code: str) -> Answers:
    """It says no, and why."""
    return ((status, code),)


DOWN = refused(503, "store_unavailable")
FLOW_GONE, LINK_GONE = refused(410, "flow_expired"), refused(410, "link_expired")


def reads(status: int) -> Answers:
    """A full store is read; while a refused write keeps the breaker open it is as good as away."""
    return ok(status) + DOWN


@dataclass(frozen=True, slots=True)
class Row:
    """A route, who calls it how, and what comes of it in each state."""

    door: tuple[str, str]
    who: Callable[[Town], Awaitable[Visitor]]
    call: Call
    away: Answers
    full: Answers
    flushed: Answers
    stale: Answers

    def expected(self, state: str) -> Answers:
        """The column of a state."""
        column: Answers = getattr(self, "away" if state in ("dead", "frozen") else state)
        return column


async def stranger(town: Town) -> Visitor:
    """Somebody who was never here."""
    return await town.person("stranger")


async def waiting(town: Town) -> Visitor:
    """Somebody whose mail has come and lies there."""
    person = await town.person("waiting")
    await person.asks_for_mail()
    return person


async def signed_in(town: Town) -> Visitor:
    """Somebody with a session in a browser."""
    person = await town.person("settled")
    await person.signs_in_by_code()
    await person.browser.bearer()
    return person


async def app_at_the_end(town: Town) -> Visitor:
    """An app whose code was right and that has no tokens yet."""
    person = await town.person("app", native=True)
    mail = await person.asks_for_mail()
    answer = await insistently(lambda: person.types(mail.code))
    assert answer.status_code == 200, answer.text
    return person


async def app_with_tokens(town: Town) -> Visitor:
    """An app that is signed in."""
    person = await app_at_the_end(town)
    answer = await person.exchanges()
    assert answer.status_code == 200, answer.text
    person.browser.token = answer.json()["refresh_token"]
    return person


def post(path: str, body: dict[str, Any] | None = None) -> Call:
    """A call that needs nothing but its cookies."""
    return lambda person: person.browser.post(path, body)


async def resends(person: Visitor) -> httpx2.Response:
    return await patiently(lambda: person.browser.post("/v1/sign-in/email/resend"))


async def types(person: Visitor) -> httpx2.Response:
    return await person.types(person.inbox.last_link(person.address).code)


async def presses(person: Visitor) -> httpx2.Response:
    return await person.presses(person.inbox.last_link(person.address).token)


async def looks_at_link(person: Visitor) -> httpx2.Response:
    token = person.inbox.last_link(person.address).token
    return await person.browser.post("/v1/sign-in/link/inspect", {"token": token})


async def refreshes_app(person: Visitor) -> httpx2.Response:
    asked = {"grant": "refresh_token", "client_id": "cli", "refresh_token": person.browser.token}
    return await person.browser.post("/v1/token", asked)


def own(method: str, path: str = "", **body: Any) -> Call:
    """A call about one's own account; {session} in the path is another browser's session."""

    async def call(person: Visitor) -> httpx2.Response:
        browser = person.browser
        bearer = await browser.bearer()
        listed = await browser.get("/v1/account/sessions", **bearer)
        where = path.format(session=listed.json()["items"][-1]["id"])
        headers = browser.headers(bearer | {"Idempotency-Key": person.address[-60:]})
        return await browser.http.request(
            method, f"/v1/account{where}", headers=headers, json=body or None
        )

    return call


def goes_on(door: tuple[str, str], call: Call, *, status: int = 200, who: Any = signed_in) -> Row:
    """A route that no trouble of the store can stop."""
    return Row(door, who, call, *[ok(status)] * 4)


def _door(name: str) -> tuple[str, str]:
    method, _, path = name.partition(" ")
    return method, path


_EMAIL = "/v1/sign-in/email"
# fmt: off
_SIGN_IN = [  # route, who, call, away, full, flushed, stale
    (f"POST {_EMAIL}", stranger, Visitor.starts, DOWN, DOWN, ok(202), ok(202)),
    (f"POST {_EMAIL}/resend", waiting, resends, DOWN, DOWN, FLOW_GONE, ok(202)),
    (f"POST {_EMAIL}/code", waiting, types, DOWN, DOWN, FLOW_GONE, ok(200)),
    ("POST /v1/sign-in/link/inspect", waiting, looks_at_link, DOWN, DOWN, LINK_GONE, ok(200)),
    ("POST /v1/sign-in/link/confirm", waiting, presses, DOWN, DOWN, LINK_GONE, ok(200)),
    ("GET /v1/flow", waiting, lambda person: person.browser.get("/v1/flow"),
     DOWN, reads(200), FLOW_GONE, ok(200)),
    ("DELETE /v1/flow", waiting, lambda person: person.browser.delete("/v1/flow"),
     DOWN, reads(204), FLOW_GONE, ok(204)),
    ("POST /v1/token", app_at_the_end, Visitor.exchanges, DOWN, reads(200), FLOW_GONE, ok(200)),
]
# fmt: on
_GOES_ON = [
    goes_on(("POST", "/v1/token"), refreshes_app, who=app_with_tokens),
    goes_on(("POST", "/v1/session/resume"), post("/v1/session/resume")),
    goes_on(("POST", "/v1/session/resume"), post("/v1/session/resume"), who=waiting),
    goes_on(("POST", "/v1/session/resume"), post("/v1/session/resume"), who=stranger),
    goes_on(("POST", "/v1/logout"), post("/v1/logout"), status=204),
    goes_on(("POST", "/v1/logout"), post("/v1/logout", {"scope": "all"}), status=204),
    goes_on(("GET", "/v1/account"), own("GET")),
    goes_on(("PATCH", "/v1/account"), own("PATCH", name="Ann")),
    goes_on(("GET", "/v1/account/sessions"), own("GET", "/sessions")),
    goes_on(
        ("POST", "/v1/account/sessions/revoke"), own("POST", "/sessions/revoke", scope="others")
    ),
    goes_on(
        ("DELETE", "/v1/account/sessions/{session_id}"),
        own("DELETE", "/sessions/{session}"),
        status=204,
    ),
]


_CONCRETE = {
    "/ui/{page:path}": "/ui/account",
    "/ui/static/{name:path}": "/ui/static/app.js",
    "/errors/{code}": "/errors/store_unavailable",
    "/v1/i18n/{locale}": "/v1/i18n/en",
}
_STATUS = {"/": 302, "/ui": 302, "/ui/": 302, "/.well-known/change-password": 302}


def _published(path: str) -> Row:
    concrete = _CONCRETE.get(path, path)
    status = _STATUS.get(path, 200)
    return goes_on(
        ("GET", path), lambda person: person.browser.get(concrete), status=status, who=stranger
    )


TABLE = [
    *(Row(_door(name), *rest) for name, *rest in _SIGN_IN),
    *_GOES_ON,
    *(_published(path) for (_, path), level in LEVELS.items() if level == PUBLIC),
]
