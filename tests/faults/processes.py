"""The service as processes of its own on real ports, and the people who use it there."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from authsvc.machine.documents import JWKS_PATH
from authsvc.verify import Verifier
from authsvc.verify.download import Download
from authsvc.verify.freshness import Terms
from authsvc.verify.jose import SUPPORTED
from authsvc.verify.jwks import JwksCache
from tests.actors import FIREFOX, Browser, Person
from tests.databases import Backend
from tests.live import SECRET, Server, free_port, start
from tests.mail import Inbox, Mail
from tests.races.rows import ask

AUDIENCE = "orders-api"
SESSION_COOKIE = "authsvc_rt"  # plain http on the loopback: without prefix
PATIENCE = 30.0
# Keys are asked for all the time, so that a key set which cannot be had shows.
RESTLESS = Terms(fresh=0.2, stale=1.0, retry=0.1, cooldown=0.1)

# The server hangs up after five idle seconds; who lets go before never meets that moment.
_LET_GO_FIRST = httpx2.Limits(keepalive_expiry=2)


@dataclass(frozen=True, slots=True)
class Service:
    """Processes that share a database and a store; the first one's URL is the public one."""

    urls: tuple[str, ...]
    backend: Backend
    inbox: Inbox
    servers: tuple[Server, ...]

    @asynccontextmanager
    async def town(self) -> AsyncIterator["Town"]:
        """A place for people; their connections are closed after the block."""
        async with AsyncExitStack() as stack:
            yield Town(self, stack)

    async def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What the database says, past the service."""
        return await ask(self.backend.database_url, sql)

    def verifier(self, *, at: int = 0) -> Verifier:
        """A service of somebody else's that checks tokens with the key set of one process."""
        download = Download(self.urls[at] + JWKS_PATH)
        keys = JwksCache(download=download, algorithms=SUPPORTED, terms=RESTLESS)
        return Verifier(issuer=self.urls[0], audience=AUDIENCE, keys=keys, cache_size=0)


@contextmanager
def serving(
    backend: Backend, inbox: Inbox, directory: Path, *, processes: int = 1, **more: object
) -> Iterator[Service]:
    """``authsvc serve`` so many times, ready. ``more`` are settings: ``store__timeout=1``."""
    ports = [free_port() for _ in range(processes)]
    urls = tuple(f"http://127.0.0.1:{port}" for port in ports)
    servers: list[Server] = []
    try:
        for port in ports:
            private = free_port()
            values = _settings(backend, inbox, public_url=urls[0]) | more
            values |= {"listen__port": port, "management__port": private}
            environ = {f"AUTHSVC_{name.upper()}": str(value) for name, value in values.items()}
            url = f"http://127.0.0.1:{private}"
            server = start("serve", environ=environ, url=url, directory=directory, up="/readyz")
            servers.append(server)
        yield Service(urls, backend, inbox, tuple(servers))
    finally:
        for server in servers:
            server.stop()


def _settings(backend: Backend, inbox: Inbox, *, public_url: str) -> dict[str, object]:
    known = {"audiences": [AUDIENCE], "account_api": True}
    app = {"native": True}
    # Everybody comes from one address here, and nobody waits for the limits of that.
    return {
        "public_url": public_url,
        "database_url": backend.database_url,
        "redis_url": backend.redis_url,
        "store__prefix": backend.key_prefix,
        "secret_key": SECRET,
        "security_contact": "mailto:security@example.com",
        "mail__smtp_url": inbox.url,
        "mail__from": "Acme <no-reply@example.com>",
        "mail_caps__pause": 1,
        "verify__floor": 0,
        "limits__sign_in": 1_000_000,
        "limits__verify": 1_000_000,
        "limits__refresh": 1_000_000,
        "limits__read": 1_000_000,
        "limits__public": 1_000_000,
        "limits__both": 1_000,
        "clients": json.dumps({"web": {"origins": [public_url]} | known, "cli": app | known}),
    }


@dataclass(slots=True)
class Town:
    """Where people come from; each name is used once."""

    service: Service
    stack: AsyncExitStack
    _came: int = field(default=0)

    async def browser(self, *, native: bool = False, at: int = 0) -> Browser:
        """A fresh browser, or an app, that talks with one of the processes."""
        http = httpx2.AsyncClient(base_url=self.service.urls[at], timeout=15, limits=_LET_GO_FIRST)
        await self.stack.enter_async_context(http)
        return Browser(http, origin=None if native else self.service.urls[0], user_agent=FIREFOX)

    async def person(self, name: str, *, native: bool = False, at: int = 0) -> "Visitor":
        """Somebody at a browser or an app of their own."""
        self._came += 1
        address = f"{name}.{self._came}.{time.time_ns()}@example.com"
        browser = await self.browser(native=native, at=at)
        return Visitor(address, browser, self.service.inbox, None)


@dataclass(slots=True)
class Visitor(Person):
    """A person whose mail comes from the service's own worker."""

    flow_token: str | None = None

    async def starts(self, **extra: Any) -> httpx2.Response:
        """Type the address."""
        native = {"client_id": "cli"} if self.browser.origin is None else {}
        asked = {"email": self.address, **native, **extra}
        answer = await self.browser.post("/v1/sign-in/email", asked)
        if answer.status_code == 202 and native:
            self.flow_token = answer.json()["flow"]["token"]
        return answer

    async def asks_for_mail(self, **extra: Any) -> Mail:
        """Type the address and wait for the message; not sooner than the pause allows."""
        before = len(self.inbox.to(self.address))
        answer = await insistently(lambda: self.starts(**extra))
        assert answer.status_code == 202, answer.text
        return await self.gets_mail(before)

    async def signs_in_by_code(self, **extra: Any) -> dict[str, Any]:
        """The whole way with the code."""
        mail = await self.asks_for_mail(**extra)
        answer = await insistently(lambda: self.types(mail.code))
        assert answer.status_code == 200, answer.text
        return self._signed_in(answer)

    async def gets_mail(self, before: int = 0) -> Mail:
        """The newest message with a link once there are more messages than before."""
        await until(lambda: len(self.inbox.to(self.address)) > before)
        return self.inbox.last_link(self.address)

    async def types(self, code: str) -> httpx2.Response:
        """Send a code."""
        named = {"flow_token": self.flow_token} if self.flow_token else {}
        return await self.browser.post("/v1/sign-in/email/code", {"code": code, **named})

    async def presses(self, token: str) -> httpx2.Response:
        """Press the button of the link's page."""
        return await self.browser.post("/v1/sign-in/link/confirm", {"token": token})

    async def exchanges(self) -> httpx2.Response:
        """An app's first tokens."""
        asked = {"grant": "flow", "client_id": "cli", "flow_token": self.flow_token}
        return await self.browser.post("/v1/token", asked | {"audience": AUDIENCE})


async def patiently(call: Callable[[], Awaitable[httpx2.Response]]) -> httpx2.Response:
    """The answer of a call that is told to wait for the pause between two messages."""
    due = time.monotonic() + PATIENCE
    while True:
        answer = await call()
        is_pause = answer.status_code == 429 and int(answer.headers["Retry-After"]) <= 1
        if not is_pause or time.monotonic() > due:
            return answer
        await asyncio.sleep(0.05)


async def insistently(call: Callable[[], Awaitable[httpx2.Response]]) -> httpx2.Response:
    """The answer of a call that is repeated as long as it is put off by a 503 or the pause."""
    due = time.monotonic() + PATIENCE
    while True:
        answer = await patiently(call)
        if answer.status_code != 503 or time.monotonic() > due:
            return answer
        await asyncio.sleep(0.1)


async def until(check: Callable[[], bool], *, patience: float = PATIENCE) -> None:
    """Wait until it is so; fails when that takes too long."""
    due = time.monotonic() + patience
    while not check():
        assert time.monotonic() < due, "it did not come to pass"
        await asyncio.sleep(0.01)


def told(answer: httpx2.Response) -> tuple[int, str | None]:
    """Status and error code of an answer, which is well-formed if it is a refusal."""
    if answer.status_code < 400:
        return answer.status_code, None
    assert answer.headers["Content-Type"] == "application/problem+json", answer.text
    body = answer.json()
    assert body["status"] == answer.status_code
    if answer.status_code in (429, 503):
        assert int(answer.headers["Retry-After"]) == body["retry_after"] >= 1
    return answer.status_code, body["code"]
