"""A balancer, the people behind it, and a look at who waits for a lock: for the upgrade drill."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

import asyncpg
import httpx2

from authsvc.machine.documents import JWKS_PATH
from authsvc.verify import Verifier
from authsvc.verify.download import Download
from authsvc.verify.freshness import Terms
from authsvc.verify.jose import SUPPORTED
from authsvc.verify.jwks import JwksCache
from tests.actors import AUTH
from tests.load import PostOffice, Process, Reply, Visitor
from tests.scale import pick

VISITORS = pick(ci=4, soak=8)
NEWCOMERS = pick(ci=1, soak=2)
PACE = pick(ci=0.2, soak=0.25)  # seconds between the calls of one of them
AUDIENCE = "orders-api"
CLIENTS = json.dumps({"web": {"origins": [AUTH], "audiences": [AUDIENCE]}})
# The key set is asked for all the time, so that one which cannot be had shows.
RESTLESS = Terms(fresh=0.2, stale=1.0, retry=0.1, cooldown=0.1)
WAITS = (
    "SELECT coalesce(max(extract(epoch FROM clock_timestamp() - waitstart)), 0)::float8"
    " FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE NOT granted"
    " AND datname = current_database() AND application_name <> 'authsvc migrations'"
)


@dataclass(slots=True)
class Balancer:
    """Takes each call to the next of the processes that it knows, and lets them go in peace."""

    members: list[Process]
    calls: int = 0
    slowest: float = 0.0
    _lately: float = 0.0
    _turn: "count[int]" = field(default_factory=count)
    _busy: Counter[str] = field(default_factory=Counter[str])
    _answered: asyncio.Event = field(default_factory=asyncio.Event)

    def next(self) -> str:
        """The URL whose turn it is."""
        return self.members[next(self._turn) % len(self.members)].url

    async def post(self, visitor: Visitor, path: str, body: dict[str, str]) -> Reply:
        """The answer, from anybody."""
        url, began = self.next(), time.monotonic()
        self._busy[url] += 1
        try:
            return await visitor.post(url, path, dict(body))
        finally:
            self._busy[url] -= 1
            self._answered.set()
            self.calls += 1
            took = time.monotonic() - began
            self.slowest = max(self.slowest, took)
            self._lately = max(self._lately, took)

    def slowest_since_asked(self) -> float:
        """The seconds of the slowest call that was answered since the last time."""
        lately, self._lately = self._lately, 0.0
        return lately

    async def stop(self, process: Process) -> None:
        """No more calls for it; SIGTERM when the last one is answered."""
        self.members.remove(process)
        while self._busy[process.url]:
            self._answered.clear()
            await self._answered.wait()
        await asyncio.to_thread(process.server.stop)


@dataclass(slots=True)
class Network(httpx2.AsyncBaseTransport):
    """What leads a service that checks tokens from the issuer's name to a process."""

    balancer: Balancer

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        url, name = self.balancer.next(), AUTH.removeprefix("https://")
        # Plain http: without reading the certificates of all the world for every fetch.
        async with httpx2.AsyncClient(base_url=url, verify=False, trust_env=False) as http:
            answer = await http.get(request.url.path, headers={"Host": name})
        kept = {"Content-Type": answer.headers["Content-Type"]}
        return httpx2.Response(answer.status_code, headers=kept, content=answer.content)


def guard(balancer: Balancer) -> Verifier:
    """A service that checks tokens, remembers none, and fetches keys from whoever is there."""
    download = Download(AUTH + JWKS_PATH, transport=Network(balancer))
    keys = JwksCache(download=download, algorithms=SUPPORTED, terms=RESTLESS)
    return Verifier(issuer=AUTH, audience=AUDIENCE, keys=keys, cache_size=0)


@dataclass(slots=True)
class Crowd:
    """People who refresh and sign in, for as long as told; the first failure ends the drill."""

    balancer: Balancer
    office: PostOffice
    http: httpx2.AsyncClient
    guard: Verifier
    refreshes: int = 0
    sign_ins: int = 0
    _numbers: "count[int]" = field(default_factory=count)
    _stop: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def busy(self) -> AsyncIterator[None]:
        """For the length of a block."""
        visitors = [await self._signs_in() for _ in range(VISITORS)]
        async with asyncio.TaskGroup() as group:
            for visitor in visitors:
                group.create_task(self._refreshing(visitor))
            for _ in range(NEWCOMERS):
                group.create_task(self._signing_in())
            try:
                yield
            finally:
                self._stop.set()

    async def _refreshing(self, visitor: Visitor) -> None:
        while not self._stop.is_set():
            asked = {"audience": AUDIENCE}
            reply = await self.balancer.post(visitor, "/v1/session/resume", asked)
            assert reply.verdict == "done", reply
            await self.guard.verify(reply.body["access_token"])
            self.refreshes += 1
            await asyncio.sleep(PACE)

    async def _signing_in(self) -> None:
        while not self._stop.is_set():
            await self._signs_in()
            await asyncio.sleep(PACE)

    async def _signs_in(self) -> Visitor:
        visitor = Visitor(self.http, f"somebody-{next(self._numbers)}@example.com")
        asked = {"email": visitor.address}
        reply = await self.balancer.post(visitor, "/v1/sign-in/email", asked)
        assert reply.status == 202, reply
        mail = await asyncio.wait_for(self.office.mail(visitor.address), 30)
        typed = {"code": mail.code}
        reply = await self.balancer.post(visitor, "/v1/sign-in/email/code", typed)
        assert reply.verdict == "done", reply
        self.sign_ins += 1
        return visitor


@dataclass(slots=True)
class LockWatch:
    """Looks fifty times a second for requests that wait for a lock."""

    longest: float = 0.0
    samples: int = 0

    @asynccontextmanager
    async def looking(self, url: str) -> AsyncIterator[None]:
        """For the length of a block; SQLite has nothing to look at."""
        if url.startswith("sqlite"):
            yield
            return
        task = asyncio.create_task(self._run(url))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _run(self, url: str) -> None:
        connection = await asyncpg.connect(url)
        try:
            while True:
                self.longest = max(self.longest, await connection.fetchval(WAITS))
                self.samples += 1
                await asyncio.sleep(0.02)
        finally:
            await connection.close()
