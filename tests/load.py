"""Load on real processes: browsers without a page, and a mail server that people wait at."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any, TypeVar

import httpx2
from aiosmtpd.smtp import SMTP

from tests.actors import AUTH, FIREFOX
from tests.databases import Backend
from tests.live import SECRET, Server, free_port, start
from tests.mail import Mail

NEVER = 1_000_000  # calls a minute: limits on addresses are no subject here
PAUSE = 0.05  # seconds between a refusal or lost answer and the next try
SESSION = "__Host-authsvc_rt"
Item = TypeVar("Item")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Reply:
    """What a process answered."""

    status: int
    body: dict[str, Any]

    @property
    def verdict(self) -> str:
        """``done`` or another next step; for a refusal its code."""
        return str(self.body.get("next") or self.body.get("code") or self.status)


@dataclass(slots=True)
class Visitor:
    """A browser on a hosted screen. Its cookies are its own; the process is chosen each time."""

    http: httpx2.AsyncClient
    address: str = ""
    cookies: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def credential(self) -> str:
        """The session cookie's value."""
        return self.cookies[SESSION]

    def tab(self) -> "Visitor":
        """The same browser as it is now, for a request at the same time."""
        return Visitor(self.http, self.address, dict(self.cookies))

    async def post(self, process: str, path: str, body: dict[str, Any] | None = None) -> Reply:
        """Ask one process. Raises httpx2.TransportError when it hangs up."""
        answer = await self.http.post(process + path, json=body or {}, headers=self._headers())
        for line in answer.headers.get_list("set-cookie"):
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value
        return Reply(answer.status_code, answer.json() if answer.content else {})

    async def insist(self, process: str, path: str, body: dict[str, Any] | None = None) -> Reply:
        """The same, asked again while the process says that it cannot serve right now."""
        while True:
            reply = await self.post(process, path, body)
            if reply.status != 503:
                return reply
            await asyncio.sleep(PAUSE)

    def _headers(self) -> dict[str, str]:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {
            "Host": AUTH.removeprefix("https://"),
            "Origin": AUTH,
            "Sec-Fetch-Site": "same-origin",
            "User-Agent": FIREFOX,
            "X-Authsvc-Client": "test/1",
            **({"Cookie": cookie} if cookie else {}),
        }


@dataclass(slots=True)
class PostOffice:
    """A mail server on this event loop; whoever expects a message waits for it."""

    url: str = ""
    ids: dict[str, list[str]] = field(default_factory=dict[str, list[str]])  # Message-ID by address
    accepted: Callable[[], None] = lambda: None  # done before the sender hears of it
    _waiting: dict[str, "asyncio.Future[Mail]"] = field(
        default_factory=dict[str, "asyncio.Future[Mail]"]
    )

    def mail(self, address: str) -> "asyncio.Future[Mail]":
        """The first message to an address, which may have come already."""
        if address not in self._waiting:
            self._waiting[address] = asyncio.get_running_loop().create_future()
        return self._waiting[address]

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 aiosmtpd calls it so
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        for address in envelope.rcpt_tos:
            self.ids.setdefault(address, []).append(str(message["Message-ID"]))
            if not self.mail(address).done():
                self.mail(address).set_result(Mail((address,), message))
        self.accepted()
        return "250 kept"


@asynccontextmanager
async def post_office() -> AsyncIterator[PostOffice]:
    """A post office on a free port of the loopback."""
    office = PostOffice()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(office, hostname="localhost"), "127.0.0.1", 0)
    office.url = f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield office
    finally:
        server.close()


@dataclass(slots=True)
class Process:
    """One ``authsvc serve`` and how to start it again."""

    url: str  # of the public port
    environ: dict[str, str]
    directory: Path
    server: Server

    @property
    def is_up(self) -> bool:
        """Whether it has not ended."""
        return self.server.process.poll() is None

    def start_again(self) -> None:
        """On the same ports; returns when it is ready."""
        self.server = serve(self.environ, self.directory)


def serve(environ: dict[str, str], directory: Path) -> Server:
    """A process on a migrated database; returns when it is ready."""
    private = f"http://127.0.0.1:{environ['AUTHSVC_MANAGEMENT__PORT']}"
    return start(
        "serve", "--no-migrate", environ=environ, url=private, directory=directory, up="/readyz"
    )


@asynccontextmanager
async def processes(
    backend: Backend, directory: Path, *, count: int, **settings: str
) -> AsyncIterator[list[Process]]:
    """So many processes on one database and store, without limits on addresses."""
    async with AsyncExitStack() as stack:
        found: list[Process] = []
        stack.push_async_callback(stop, found)
        for _ in range(count):
            found.append(await _process(_environ(backend, settings), directory))  # noqa: PERF401 each one started is stopped
        yield found


async def stop(running: Sequence[Process]) -> None:
    """SIGTERM for all of them; over when they have ended."""
    await asyncio.gather(*(asyncio.to_thread(process.server.stop) for process in running))


async def _process(environ: dict[str, str], directory: Path) -> Process:
    server = await asyncio.to_thread(serve, environ, directory)
    return Process(
        f"http://127.0.0.1:{environ['AUTHSVC_LISTEN__PORT']}", environ, directory, server
    )


def _environ(backend: Backend, more: dict[str, str]) -> dict[str, str]:
    limits = ("sign_in", "verify", "refresh", "read", "public", "both")
    values = {
        "public_url": AUTH,
        "database_url": backend.database_url,
        "secret_key": SECRET,
        "store__prefix": backend.key_prefix,
        "store__timeout": "5",
        "verify__floor": "0",
        "log__level": "warning",
        "listen__port": str(free_port()),
        "management__port": str(free_port()),
        **{f"limits__{name}": str(NEVER) for name in limits},
    }
    if backend.redis_url is not None:
        values["redis_url"] = backend.redis_url
    return {f"AUTHSVC_{name.upper()}": value for name, value in (values | more).items()}


@asynccontextmanager
async def connections() -> AsyncIterator[httpx2.AsyncClient]:
    """Kept connections for all visitors."""
    many = httpx2.Limits(max_connections=200, max_keepalive_connections=200)
    async with httpx2.AsyncClient(limits=many, timeout=30) as http:
        yield http


async def in_parallel(
    items: Iterable[Item], work: Callable[[Item], Awaitable[Answer]], *, at_once: int
) -> list[Answer]:
    """The answers of work on each item, so many at a time, in order of their end."""
    queue, answers = iter(items), list[Answer]()

    async def one_after_the_other() -> None:
        for item in queue:
            answers.append(await work(item))

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(one_after_the_other())
    return answers
