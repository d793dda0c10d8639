"""Servers and PostgreSQL are killed while people refresh, sign out and sign in.

Nobody is signed out, no sign-out is forgotten, every message comes. Spec: security.md B4, C29.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.databases import Backend, Postgres
from tests.load import (
    PAUSE,
    PostOffice,
    Process,
    Reply,
    Visitor,
    connections,
    in_parallel,
    post_office,
    processes,
    stop,
)
from tests.races.rows import age_turns, ask, number
from tests.scale import CRASHES, KILLS, PARALLEL, REFRESHES, report
from tests.servers import PostgresProcess, own_postgres

TOGETHER = 3  # processes; while one starts again and one falls, one is there
PEOPLE = REFRESHES // KILLS + 8  # each refreshes once a round, in two tabs; some come late
OPEN = "sent_at IS NULL AND failed_at IS NULL"
MINUTE = f"UPDATE outbox SET lease_until = lease_until - 61000000 WHERE {OPEN}"  # leases end


@dataclass(slots=True)
class House:
    """Processes that fall and come back, and people who ask until they are answered."""

    backend: Backend
    processes: list[Process]
    office: PostOffice
    http: httpx2.AsyncClient
    inside: list[Visitor] = field(default_factory=list[Visitor])
    outside: list[Visitor] = field(default_factory=list[Visitor])  # their sign-out was answered
    promised: set[str] = field(default_factory=set[str])  # addresses a message was promised to
    refreshed: int = 0
    asked_again: int = 0
    longest: float = 0.0
    _numbers: "count[int]" = field(default_factory=count)
    _starting: dict[int, "asyncio.Task[None]"] = field(
        default_factory=dict[int, "asyncio.Task[None]"]
    )

    async def insist(
        self, visitor: Visitor, path: str, body: dict[str, str] | None = None
    ) -> Reply:
        """The answer of a living process, asked again after a lost answer and after a 503."""
        begin = time.monotonic()
        while (reply := await self._ask(visitor, path, body)) is None:
            self.asked_again += 1
            await asyncio.sleep(PAUSE)
        self.longest = max(self.longest, time.monotonic() - begin)
        return reply

    async def _ask(self, visitor: Visitor, path: str, body: dict[str, str] | None) -> Reply | None:
        up = [process for process in self.processes if process.is_up]
        if not up:
            return None
        try:
            reply = await visitor.post(random.choice(up).url, path, body)
        except httpx2.TransportError:
            return None
        return None if reply.status == 503 else reply

    async def gets_mail(self) -> Visitor:
        """Somebody new asks for a message; after a lost answer with another address."""
        while True:
            visitor = Visitor(self.http, f"somebody-{next(self._numbers)}@example.com")
            reply = await self._ask(visitor, "/v1/sign-in/email", {"email": visitor.address})
            if reply is not None:
                assert reply.status == 202, reply
                self.promised.add(visitor.address)
                return visitor
            await asyncio.sleep(PAUSE)

    async def signs_in(self) -> None:
        """Somebody new comes in; after a lost answer somebody else does."""
        while True:
            visitor = await self.gets_mail()
            code = (await self.office.mail(visitor.address)).code
            reply = await self.insist(visitor, "/v1/sign-in/email/code", {"code": code})
            if reply.verdict == "done":
                self.inside.append(visitor)
                return
            assert reply.verdict in {"flow_step_mismatch", "flow_expired"}, reply

    async def signs_out(self, visitor: Visitor) -> None:
        """The credential is kept, to be tried later."""
        reply = await self.insist(visitor.tab(), "/v1/logout")
        assert reply.status == 204, reply
        self.outside.append(visitor)

    async def refreshes(self, visitor: Visitor) -> None:
        """Two tabs at once: both stay signed in and hold the same new credential."""
        tabs, before = (visitor.tab(), visitor.tab()), visitor.credential
        replies = await asyncio.gather(*(self.insist(tab, "/v1/session/resume") for tab in tabs))
        assert [reply.verdict for reply in replies] == ["done", "done"]
        (after,) = {tab.credential for tab in tabs}
        assert after != before
        visitor.cookies = tabs[0].cookies
        self.refreshed += 1

    async def ready_to_lose(self, victim: int) -> None:
        """Until this process and the next one are up."""
        for one in (victim, (victim + 1) % TOGETHER):
            if one in self._starting:
                await self._starting.pop(one)

    def kill(self, victim: int) -> None:
        """kill -9, and start it again meanwhile."""
        self.processes[victim].server.kill()
        again = asyncio.to_thread(self.processes[victim].start_again)
        self._starting[victim] = asyncio.create_task(again)

    async def all_up(self) -> None:
        """Until every process is up."""
        for one in list(self._starting):
            await self._starting.pop(one)

    async def leases_end(self) -> None:
        """A minute passes for messages that a fallen process was sending."""
        await self.all_up()
        await stop(self.processes)
        await ask(self.backend.database_url, MINUTE)
        await asyncio.to_thread(self.processes[0].start_again)


@asynccontextmanager
async def house(backend: Backend, directory: Path) -> AsyncIterator[House]:
    """Everything up, nobody inside yet."""
    async with AsyncExitStack() as stack:
        office = await stack.enter_async_context(post_office())
        http = await stack.enter_async_context(connections())
        running = processes(backend, directory, count=TOGETHER, mail__smtp_url=office.url)
        found = House(backend, await stack.enter_async_context(running), office, http)
        stack.push_async_callback(found.all_up)
        yield found


@dataclass(frozen=True, slots=True)
class Round:
    """Everybody refreshes, one signs out and one comes; something falls in the middle."""

    house: House
    fall: Callable[[], None]

    async def run(self) -> "asyncio.Task[None]":
        """Over when all are answered; the newcomer may still wait for a message."""
        here = self.house
        leaving = here.inside.pop(random.randrange(len(here.inside)))
        staying, answered = list(here.inside), count(1)
        fatal = random.randrange(1, len(staying))

        async def one(visitor: Visitor) -> None:
            await here.refreshes(visitor)
            if next(answered) == fatal:
                self.fall()

        newcomer = asyncio.create_task(here.signs_in())
        await asyncio.gather(in_parallel(staying, one, at_once=PARALLEL), here.signs_out(leaving))
        return newcomer


@pytest.fixture
def durable() -> Any:
    with own_postgres(durable=True) as server:
        yield server


async def test_kills_on_postgres(
    durable: PostgresProcess, redis_server: Any, key_prefix: str, tmp_path: Path
) -> None:
    url = await asyncio.to_thread(Postgres(durable.url).create_migrated)
    backend = Backend("postgres-redis", url, redis_server.url, key_prefix)
    async with house(backend, tmp_path) as here:
        await _live_through(here, durable)


@pytest.mark.parametrize("two_process_backend", ["sqlite-redis"], indirect=True)
async def test_kills_on_sqlite(two_process_backend: Backend, tmp_path: Path) -> None:
    async with house(two_process_backend, tmp_path) as here:
        await _live_through(here, None)


async def test_a_mail_sent_again_has_its_id(backend: Backend, tmp_path: Path) -> None:
    """The sender falls after the mail server took the message, before it heard so."""
    async with post_office() as office, connections() as http:
        smtp = {"mail__smtp_url": office.url}
        async with processes(backend, tmp_path, count=1, **smtp) as (process,):
            office.accepted = process.server.kill
            visitor = Visitor(http, "ann@example.com")
            asked = {"email": visitor.address}
            with suppress(httpx2.TransportError):
                await visitor.post(process.url, "/v1/sign-in/email", asked)
            await office.mail(visitor.address)
            office.accepted = lambda: None
            await ask(backend.database_url, MINUTE)
            await asyncio.to_thread(process.start_again)
            await _outbox_empties(backend.database_url)
    first, second = office.ids[visitor.address]
    assert first == second


async def _live_through(here: House, database: PostgresProcess | None) -> None:
    await in_parallel(range(PEOPLE), lambda _: here.signs_in(), at_once=PARALLEL)
    begin, newcomers = time.monotonic(), list["asyncio.Task[None]"]()
    crashes = CRASHES if database else 0
    for turn in range(KILLS):
        if database and turn in {KILLS * (1 + one) // (1 + crashes) for one in range(crashes)}:
            newcomers.append(await _crash(here, database))
        await here.ready_to_lose(turn % TOGETHER)
        await age_turns(here.backend.database_url, seconds=11)
        newcomers.append(await Round(here, lambda: here.kill(turn % TOGETHER)).run())  # noqa: B023 over before the next turn
    seconds = round(time.monotonic() - begin)
    assert here.refreshed >= REFRESHES
    await _nobody_lost(here)
    await here.leases_end()
    await asyncio.gather(*newcomers)
    repeated = await _every_message_came(here)
    report(
        f"Crashes, {here.backend.name}",
        kills=KILLS,
        database_crashes=crashes,
        doubled_refreshes=here.refreshed,
        sign_outs=len(here.outside),
        answers_lost_or_refused=here.asked_again,
        longest_wait=round(here.longest, 1),
        signed_out=0,
        revocations_lost=0,
        mails=len(here.promised),
        mails_lost=0,
        repeated_with_same_id=repeated,
        seconds=seconds,
    )


async def _crash(here: House, database: PostgresProcess) -> "asyncio.Task[None]":
    await here.all_up()
    await age_turns(here.backend.database_url, seconds=11)

    def fall() -> None:
        database.crash()
        database.start_again()

    newcomer = await Round(here, fall).run()
    await asyncio.to_thread(database.wait)
    return newcomer


async def _nobody_lost(here: House) -> None:
    database = here.backend.database_url
    for visitor in here.inside:
        held = visitor.credential
        assert (await here.insist(visitor, "/v1/session/resume")).verdict == "done"
        assert visitor.credential == held, "what the browser has is what the row says"
    for visitor in here.outside:
        assert (await here.insist(visitor, "/v1/session/resume")).verdict == "sign_in"
    ended = "SELECT count(*) FROM sessions WHERE revoked_at IS NOT NULL"
    assert await number(database, ended) == len(here.outside)
    assert await number(database, "SELECT sum(late_retries) FROM sessions") == 0


async def _outbox_empties(database: str) -> None:
    waiting = f"SELECT count(*) FROM outbox WHERE {OPEN}"
    async with asyncio.timeout(60):
        while await number(database, waiting):  # noqa: ASYNC110 another process empties it
            await asyncio.sleep(PAUSE)


async def _every_message_came(here: House) -> int:
    """How often a message came once more, under the id it had before."""
    await _outbox_empties(here.backend.database_url)
    came = here.office.ids
    assert here.promised <= came.keys(), "lost"
    assert all(len(set(ids)) == 1 for ids in came.values()), "two messages for one request"
    return sum(len(ids) - 1 for ids in came.values())
