"""Processes of the service on real ports, under one clock, and the programs that check tokens."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Generator, MutableMapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import uvicorn

from authsvc.app import create_app
from authsvc.bootstrap.services import Services, build
from authsvc.cli.serving import knobs
from authsvc.kernel.clock import ShiftedClock
from authsvc.machine.documents import JWKS_PATH
from authsvc.settings import Settings
from authsvc.verify import Verifier
from authsvc.verify.download import Download
from authsvc.verify.freshness import Terms
from authsvc.verify.jose import SUPPORTED
from authsvc.verify.jwks import JwksCache
from tests.actors import Browser, Person
from tests.databases import Backend
from tests.live import SECRET
from tests.mail import Inbox
from tests.verify.node_recipe import installed, program

AUDIENCE = "orders-api"
SPEED = 75  # cool-down 15 s → 0.2 s: how much faster time passes for the Node recipe
SCALED = Terms(fresh=1.0, stale=3600.0, retry=0.2, cooldown=0.2)
_FASTER = (
    "data:text/javascript,const real = Date.now; const start = real();"
    f" Date.now = () => start + (real() - start) * {SPEED};"
)


def settings_for(backend: Backend, inbox: Inbox, *, issuer: str) -> Settings:
    """A small company whose keys may rotate as often as settings allow."""
    tree: dict[str, Any] = {
        "public_url": issuer,
        "database_url": backend.database_url,
        "redis_url": backend.redis_url,
        "store": {"prefix": backend.key_prefix, "timeout": 2.0},
        "secret_key": SECRET,
        "mail": {"smtp_url": inbox.url, "from": "Acme <no-reply@example.com>"},
        "keys": {"rotate_every": 86400, "publish_before": 7200, "keep_after": 3600},
        "verify": {"floor": 0.0},
        "limits": {"refresh": 1_000_000, "public": 1_000_000},
        "clients": {"web": {"origins": [issuer], "audiences": [AUDIENCE]}},
    }
    return Settings.model_validate(tree)


class _Quiet(uvicorn.Server):
    """A server that leaves signals to the tests."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


@dataclass(slots=True)
class House:
    """One process: its services, and its server while that runs. Its loops are the test's."""

    services: Services
    clock: ShiftedClock
    port: int
    asked: int = 0  # requests for the key set
    _server: tuple[_Quiet, asyncio.Task[None]] | None = field(default=None)
    _app: Any = field(default=None)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def open(self) -> None:
        """Answer on the port."""
        self._app = self._app or create_app(self.services)
        config = knobs(self._counting, grace=1)
        config.lifespan, config.interface = "off", "asgi3"
        server = _Quiet(config)
        listening = socket.create_server(("127.0.0.1", self.port))
        task = asyncio.create_task(server.serve(sockets=[listening]))
        self._server = (server, task)
        async with httpx2.AsyncClient(base_url=self.url) as probe:
            assert (await probe.get("/livez")).is_success

    async def close(self) -> None:
        """Refuse connections."""
        if self._server is not None:
            server, task = self._server
            server.should_exit = True
            await task
            self._server = None

    async def _counting(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        self.asked += scope.get("path") == JWKS_PATH
        await self._app(scope, receive, send)

    @property
    def published(self) -> set[str]:
        """The kids of the key set."""
        return {key["kid"] for key in json.loads(self.services.signing.document().body)["keys"]}

    @property
    def signs_with(self) -> str:
        return self.services.signing.signer().kid

    async def person(self, inbox: Inbox) -> Person:
        """Somebody signed in at a browser that reaches this process, whether its port is open."""
        issuer = self.services.ground.settings.public_url
        transport = httpx2.ASGITransport(app=self._app, client=("203.0.113.9", 40000))
        http = httpx2.AsyncClient(transport=transport, base_url=issuer)
        person = Person("ann@example.com", Browser(http, origin=issuer), inbox, self._deliver)
        await person.signs_in_by_code(stay_signed_in=True)
        return person

    async def _deliver(self) -> None:
        await self.services.dispatch.run_once()

    def verifier(
        self, *, terms: Terms | None = None, cache_size: int = 4096, **times: Any
    ) -> Verifier:
        """Our own verifier with the service's clock, fed by this process's key set."""
        names: dict[str, Any] = {
            "issuer": self.services.ground.settings.public_url,
            "audience": AUDIENCE,
        }
        download = Download(self.url + JWKS_PATH)
        if terms is None:
            return Verifier(**names, jwks_url=download.url, now=self._seconds, **times)
        keys = JwksCache(download=download, algorithms=SUPPORTED, terms=terms, **times)
        return Verifier(**names, keys=keys, cache_size=cache_size, now=self._seconds)

    def _seconds(self) -> float:
        return self.clock.now().timestamp()


@asynccontextmanager
async def houses(
    backend: Backend, inbox: Inbox, *ports: int, clock: ShiftedClock
) -> AsyncIterator[tuple[House, ...]]:
    """A process on each port, all with the first one's issuer."""
    settings = settings_for(backend, inbox, issuer=f"http://127.0.0.1:{ports[0]}")
    made = tuple(House(build(settings, clock=clock), clock, port) for port in ports)
    try:
        for house in made:
            await house.services.start()
            await house.open()
        yield made
    finally:
        for house in made:
            await house.close()
            await house.services.stop()


@dataclass(slots=True)
class Jose:
    """The Node recipe, running, in time that passes faster."""

    process: asyncio.subprocess.Process

    async def verdicts(self, tokens: list[str]) -> list[dict[str, Any]]:
        """One verdict per token, in order."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("".join(f"{token}\n" for token in tokens).encode())
        await self.process.stdin.drain()
        return [json.loads(await self.process.stdout.readline()) for _ in tokens]


@asynccontextmanager
async def jose(issuer: str) -> AsyncIterator[Jose]:
    """A running Node service that checks tokens of this issuer."""
    home = await asyncio.to_thread(installed)
    process = await asyncio.create_subprocess_exec(
        program("node"), "--import", _FASTER, "verify.mjs", "--issuer", issuer,
        "--audience", AUDIENCE, cwd=home, stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield Jose(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
