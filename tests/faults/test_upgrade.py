"""A rolling upgrade and the way back, under load: N and N−1 run side by side on one database.

Nobody fails to sign in, no token is rejected, nobody waits for a lock for long. Spec: security.md
C62, G6.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from urllib.request import urlopen

import asyncpg
import httpx2
import pytest

from authsvc.machine.documents import JWKS_PATH
from authsvc.verify import Verifier
from authsvc.verify.download import Download
from authsvc.verify.freshness import Terms
from authsvc.verify.jose import SUPPORTED
from authsvc.verify.jwks import JwksCache
from tests.actors import AUTH
from tests.databases import Backend
from tests.live import free_port, start
from tests.load import (
    PostOffice,
    Process,
    Reply,
    Visitor,
    connections,
    post_office,
    processes,
    stop,
)
from tests.migrate.chains import NextVersion, hears, migrating, next_version
from tests.migrate.expansion import faults
from tests.races.rows import ask, number
from tests.scale import pick, report, within

PEOPLE = {
    "postgres-redis": pick(ci=5_000, soak=1_000_000),
    "sqlite-redis": pick(ci=2_000, soak=100_000),
}
VISITORS = pick(ci=4, soak=8)
NEWCOMERS = pick(ci=1, soak=2)
PACE = pick(ci=0.2, soak=0.25)  # seconds between the calls of one of them
PHASE = pick(ci=1.0, soak=30.0)  # seconds of load between two steps of the drill
SLOWEST = 1.5
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
            self.slowest = max(self.slowest, time.monotonic() - began)

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


@pytest.fixture
def coming(tmp_path: Path) -> NextVersion:
    """The next version: it expands what is in use, and takes away what nothing needs."""
    version = next_version(tmp_path / "next")
    add = version.chain.add
    spare = add('op.add_column("users", sa.Column("spare", sa.Integer()))', release="99.0.0")
    add('op.add_column("users", sa.Column("nickname", sa.String(64)))')
    new = 'sa.Column("rank", sa.Integer(), server_default="0", nullable=False)'
    add(f'op.add_column("sessions", {new})')
    add('create_index("ix_sessions_created_at", "sessions", ["created_at"])')
    add('create_index("ix_users_created_at", "users", ["created_at"])')
    add('op.drop_column("users", "spare")', contract=spare)
    assert faults(version.chain.scripts) == []
    return version


async def populate(url: str, people: int) -> None:
    """So many people with a session each."""
    ident, numbers = "gen_random_uuid()", f"generate_series(1, {people}) AS n(i)"
    if url.startswith("sqlite"):
        counted = f"SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {people}"
        ident, numbers = "randomblob(16)", f"(WITH RECURSIVE n(i) AS ({counted}) SELECT i FROM n)"
    now, year = time.time_ns() // 1000, 365 * 86_400_000_000
    await ask(
        url,
        "INSERT INTO users (id, status, auth_epoch, roles, locale, created_at)"
        f" SELECT {ident}, 'active', 0, '', 'en', {now} - i FROM {numbers}",
    )
    await ask(
        url,
        "INSERT INTO sessions (id, user_id, flow_id, epoch, counter, grace_counter, rotated_at,"
        " mac_key_id, shown, late_retries, created_at, idle_expires_at, expires_at, profile, stay,"
        " client_id, method, acr, amr, auth_time, browser, os, kind, network, masked_address)"
        f" SELECT {ident}, id, {ident}, 0, 0, 0, created_at, '', false, 0, created_at,"
        f" created_at + {year}, created_at + {year}, 'web', true, 'web', 'email', 'aal1', 'otp',"
        " created_at, 'Firefox', 'Linux', 'computer', '', '' FROM users",
    )


async def upgrade(coming: NextVersion, url: str) -> float:
    """``migrate up`` of the next version, meeting a long reader on the way; its seconds."""
    began = time.monotonic()
    if url.startswith("sqlite"):
        async with migrating(coming, url):
            pass
        return time.monotonic() - began
    reader = await asyncpg.connect(url)
    await reader.execute("BEGIN")
    await reader.execute("SELECT 1 FROM users LIMIT 1")
    async with migrating(coming, url) as process:
        await hears(process, "waiting for a lock on users, attempt 3")
        await reader.execute("COMMIT")
    await reader.close()
    return time.monotonic() - began


async def joins(balancer: Balancer, process: Process) -> list[str]:
    """``authsvc serve`` in the way of the defaults, migrations first; what readiness warns of."""
    private = f"http://127.0.0.1:{process.environ['AUTHSVC_MANAGEMENT__PORT']}"

    def started() -> list[str]:
        process.server = start(
            "serve", environ=process.environ, url=private, directory=process.directory, up="/readyz"
        )
        with urlopen(f"{private}/readyz") as answer:
            warnings: list[str] = json.load(answer)["warnings"]
        return warnings

    warnings = await asyncio.to_thread(started)
    balancer.members.append(process)
    return warnings


def successor(process: Process, coming: NextVersion) -> Process:
    """The same place for the next version, on ports of its own, not started."""
    ports = {f"AUTHSVC_{name}__PORT": str(free_port()) for name in ("LISTEN", "MANAGEMENT")}
    environ = process.environ | coming.environ | ports
    url = f"http://127.0.0.1:{ports['AUTHSVC_LISTEN__PORT']}"
    return Process(url, environ, process.directory, process.server)


async def test_the_next_version_and_back_refuse_nobody(
    two_process_backend: Backend, coming: NextVersion, tmp_path: Path
) -> None:
    backend, url = two_process_backend, two_process_backend.database_url
    people = PEOPLE[backend.name]
    await populate(url, people)
    watch = LockWatch()
    async with AsyncExitStack() as stack:
        office = await stack.enter_async_context(post_office())
        http = await stack.enter_async_context(connections())
        hired = processes(backend, tmp_path, count=2, mail__smtp_url=office.url, clients=CLIENTS)
        old = await stack.enter_async_context(hired)
        new = [successor(process, coming) for process in old]
        stack.push_async_callback(stop, new)
        balancer = Balancer(list(old))
        crowd = Crowd(balancer, office, http, guard(balancer))
        await stack.enter_async_context(crowd.busy())
        await asyncio.sleep(PHASE)
        async with watch.looking(url):
            took = await upgrade(coming, url)
        for before, after in zip(old, new, strict=True):
            assert await joins(balancer, after) == []
            await balancer.stop(before)
        await asyncio.sleep(PHASE)
        for before, after in zip(old, new, strict=True):
            assert "newer than this version" in " ".join(await joins(balancer, before))
            await balancer.stop(after)
        await asyncio.sleep(PHASE)
    assert await number(url, "SELECT count(*) FROM sessions WHERE rank = 0") >= people
    assert balancer.slowest < within(SLOWEST)
    assert watch.longest < within(1.0)
    report(
        f"Upgrade and back under load, {backend.name}",
        people=people,
        refreshes=crowd.refreshes,
        sign_ins=crowd.sign_ins,
        failed=0,
        tokens_rejected=0,
        migration_seconds=round(took, 1),
        longest_lock_ms=round(watch.longest * 1000),
        slowest_request_ms=round(balancer.slowest * 1000),
    )
