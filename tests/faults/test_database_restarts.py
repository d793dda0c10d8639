"""PostgreSQL stops and crashes under load, SQLite is locked by somebody else: nothing that was
acknowledged is lost or doubled. Spec: security.md C59, section 5, G5.
"""

import asyncio
import signal
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from uuid import UUID

import httpx2

from authsvc.kernel.ids import FLOW, SESSION, to_uuid
from authsvc.machine.documents import JWKS_PATH
from tests.databases import Backend, Postgres, Redis, SqliteTemplate
from tests.faults.processes import AUDIENCE, Service, Town, Visitor, serving, told, until
from tests.mail import smtp_inbox
from tests.scale import PARALLEL, RESTARTS, pick, report, within
from tests.servers import PostgresProcess, own_postgres

CLIENTS = pick(ci=8, soak=PARALLEL)
DEADLINE = 5.0  # seconds: for an answer, and to be normal again
STOPS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}
LATE_MAIL = 5.0  # seconds; whose claim was lost with the database comes when its lease ends
Call = Callable[[], Awaitable[httpx2.Response]]


@dataclass(frozen=True, slots=True)
class Refused:
    """A 503: when it was asked for, when it came, and its words."""

    began: float
    ended: float
    words: str


@dataclass
class Journal:
    """What people were told, and when they were refused."""

    signed_in: dict[str, str] = field(default_factory=dict[str, str])  # session by flow
    signed_out: dict[str, str] = field(default_factory=dict[str, str])  # credential by session
    names: dict[str, str] = field(default_factory=dict[str, str])  # acknowledged last, by session
    attempted: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    refusals: list[Refused] = field(default_factory=list[Refused])
    answers: dict[str, int] = field(default_factory=dict[str, int])
    slowest: float = 0.0
    unsettled: int = 0  # refused, yet done: the answer was lost
    late_mails: int = 0
    token: str = ""

    async def ask(self, call: Call, *, what: str) -> httpx2.Response | None:
        """The answer; None for a well-formed 503."""
        began = time.monotonic()
        answer = await call()
        ended = time.monotonic()
        self.slowest = max(self.slowest, ended - began)
        status, code = told(answer)
        if status == 503:
            assert code in ("store_unavailable", "busy"), answer.text
            self.refusals.append(Refused(began, ended, f"{what}: {answer.text}"))
            return None
        assert status < 500, answer.text
        self.answers[what] = self.answers.get(what, 0) + 1
        return answer


@dataclass
class Client:
    """Somebody who signs in, changes a name, refreshes and leaves, again and again.

    Each call goes to the other process; another browser stays signed in all the time.
    """

    person: Visitor
    stayer: Visitor
    journal: Journal
    urls: tuple[str, ...]
    lives: int = 0
    _turn: int = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Until told to stop."""
        while not stop.is_set():
            await self._live()
            self.lives += 1

    async def _live(self) -> None:
        await self._stay()
        self.person.browser.http.cookies.clear()
        flow = await self._starts()
        code = await self._reads_mail()
        session = None if code is None else await self._types(code, flow)
        if session is None:
            return
        bearer = await self._bearer()
        for _ in range(3):
            await self._renames(session, bearer)
        assert (await self._insists(self.person, self._resume, what="refresh")).is_success
        if self.lives % 2:
            credential = self.person.browser.http.cookies["authsvc_rt"]
            answer = await self._insists(self.person, self._leave, what="sign-out")
            assert answer.status_code == 204
            self.journal.signed_out[session] = credential

    async def _ask(self, person: Visitor, call: Call, *, what: str) -> httpx2.Response | None:
        self._turn += 1
        person.browser.http.base_url = self.urls[self._turn % len(self.urls)]
        return await self.journal.ask(call, what=what)

    async def _insists(self, person: Visitor, call: Call, *, what: str) -> httpx2.Response:
        while True:
            answer = await self._ask(person, call, what=what)
            if answer is not None:
                return answer
            await asyncio.sleep(0.1)

    async def _stay(self) -> None:
        browser = self.stayer.browser
        answer = await self._insists(
            self.stayer,
            lambda: browser.post("/v1/session/resume", {"audience": AUDIENCE}),
            what="refresh",
        )
        assert answer.json()["next"] == "done", answer.text
        self.journal.token = answer.json()["access_token"]

    async def _starts(self) -> str:
        async def newcomer() -> httpx2.Response:
            name, _, _ = self.person.address.partition(".")
            self.person.address = f"{name}.{time.time_ns()}@example.com"
            return await self.person.starts()

        answer = await self._insists(self.person, newcomer, what="start")
        assert answer.status_code == 202, answer.text
        return str(answer.json()["flow"]["id"])

    async def _reads_mail(self) -> str | None:
        due = time.monotonic() + LATE_MAIL
        inbox = self.person.inbox
        while not inbox.to(self.person.address):
            if time.monotonic() > due:
                self.journal.late_mails += 1
                return None
            await asyncio.sleep(0.02)
        return inbox.last_link(self.person.address).code

    async def _types(self, code: str, flow: str) -> str | None:
        refused = len(self.journal.refusals)
        answer = await self._insists(self.person, lambda: self.person.types(code), what="sign-in")
        if answer.status_code != 200:
            assert told(answer)[0] in (409, 410), answer.text
            assert len(self.journal.refusals) > refused
            self.journal.unsettled += 1
            return None
        session = str(answer.json()["session"]["id"])
        self.journal.signed_in[flow] = session
        return session

    async def _bearer(self) -> dict[str, str]:
        browser = self.person.browser
        answer = await self._insists(
            self.person,
            lambda: browser.post("/v1/session/resume", {"audience": "authsvc"}),
            what="refresh",
        )
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    async def _renames(self, session: str, bearer: dict[str, str]) -> None:
        browser = self.person.browser
        name = f"name {time.time_ns()}"
        self.journal.attempted.setdefault(session, []).append(name)
        answer = await self._ask(
            self.person,
            lambda: browser.http.patch(
                "/v1/account", json={"name": name}, headers=browser.headers(bearer)
            ),
            what="change",
        )
        if answer is not None:
            assert answer.json()["name"] == name
            self.journal.names[session] = name

    async def _resume(self) -> httpx2.Response:
        return await self.person.browser.post("/v1/session/resume")

    async def _leave(self) -> httpx2.Response:
        return await self.person.browser.post("/v1/logout")


@dataclass
class FromMemory:
    """Key sets and token checks of every process, all along; any error fails the test."""

    service: Service
    journal: Journal
    key_sets: int = 0
    checks: int = 0

    async def run(self, town: Town, at: int, stop: asyncio.Event) -> None:
        """Ask one process until told to stop."""
        browser, guard = await town.browser(at=at), self.service.verifier(at=at)
        while not stop.is_set():
            answer = await browser.get(JWKS_PATH)
            assert answer.status_code == 200, answer.text
            self.key_sets += 1
            await guard.verify(self.journal.token)
            self.checks += 1
            await asyncio.sleep(0.02)


@dataclass
class Restarts:
    """Stops PostgreSQL in turns softly and hard, and starts it when people have noticed."""

    server: PostgresProcess
    journal: Journal
    clients: list[Client]
    normal: list[float] = field(default_factory=list[float])

    def _refused(self, enough: int) -> bool:
        return len(self.journal.refusals) >= enough

    async def run(self) -> None:
        """All restarts, each after everybody has got through once more."""
        await _all_live(self.clients)
        for number in range(RESTARTS):
            enough = len(self.journal.refusals) + CLIENTS
            await asyncio.to_thread(self._stop, list(STOPS.values())[number % len(STOPS)])
            await until(partial(self._refused, enough))
            await asyncio.to_thread(self._start)
            up = time.monotonic()
            await _all_live(self.clients)
            last = max(refused.ended for refused in self.journal.refusals)
            self.normal.append(max(0.0, last - up))
            late = [r.words for r in self.journal.refusals if r.began > up + within(DEADLINE)]
            assert late == []

    def _stop(self, how: signal.Signals) -> None:
        self.server.process.send_signal(how)
        self.server.process.wait(30)

    def _start(self) -> None:
        self.server.start_again()
        self.server.wait()


async def test_restarts_under_load_lose_and_double_nothing(
    redis_server: Redis, key_prefix: str, tmp_path: Path
) -> None:
    began = time.monotonic()
    with own_postgres(durable=True) as server, smtp_inbox() as inbox:
        url = await asyncio.to_thread(Postgres(server.url).create_migrated)
        backend = Backend("postgres-redis", url, redis_server.url, key_prefix)
        grace = pick(ci=2, soak=10)
        more = {"store__timeout": 5, "sessions__grace": grace, "log__level": "warning"}
        with serving(backend, inbox, tmp_path, processes=2, **more) as service:
            async with service.town() as town:
                journal = Journal()
                clients = await asyncio.gather(
                    *(_client(town, journal, number) for number in range(CLIENTS))
                )
                memory, restarts = FromMemory(service, journal), Restarts(server, journal, clients)
                await _under_load(town, clients, memory, restarts)
                assert await _lost(service, town, journal) == []
                assert await _doubled(service) == []
    assert journal.slowest < within(DEADLINE + 0.5)
    assert journal.late_mails <= 8 * 2 * RESTARTS  # a batch of each process
    report(
        "Database restarts under load", restarts=RESTARTS, answers=journal.answers,
        refused=len(journal.refusals), bare_500=0, lost=0, doubled=0,
        unsettled=journal.unsettled, late_mails=journal.late_mails,
        slowest_s=round(journal.slowest, 2), normal_after_s=round(max(restarts.normal), 2),
        key_sets=memory.key_sets, token_checks=memory.checks,
        seconds=round(time.monotonic() - began, 1),
    )  # fmt: skip


async def _client(town: Town, journal: Journal, number: int) -> Client:
    stayer = await town.person(f"stayer{number}", at=number % 2)
    await stayer.signs_in_by_code(stay_signed_in=True)
    person = await town.person(f"guest{number}", at=number % 2)
    envelope = await stayer.browser.resume(audience=AUDIENCE)
    journal.token = envelope["access_token"]
    return Client(person, stayer, journal, town.service.urls)


async def _under_load(
    town: Town, clients: list[Client], memory: FromMemory, restarts: Restarts
) -> None:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as together:
        for client in clients:
            together.create_task(client.run(stop))
        for at in range(len(town.service.urls)):
            together.create_task(memory.run(town, at, stop))
        try:
            await restarts.run()
        finally:
            stop.set()


async def _all_live(clients: list[Client]) -> None:
    goal = [client.lives + 2 for client in clients]  # a whole life from now on
    await until(lambda: all(c.lives >= n for c, n in zip(clients, goal, strict=True)), patience=120)


async def _lost(service: Service, town: Town, journal: Journal) -> list[str]:
    """Every promise that is not kept."""
    found: list[str] = []
    rows = await service.rows(
        "SELECT s.flow_id, s.id, s.revoked_at, u.name FROM sessions s JOIN users u"
        " ON u.id = s.user_id"
    )
    by_flow = {_uuid(flow): _uuid(session) for flow, session, _, _ in rows}
    ended = {_uuid(session) for _, session, revoked_at, _ in rows if revoked_at is not None}
    names = {_uuid(session): name for _, session, _, name in rows}
    for flow, session in journal.signed_in.items():
        if by_flow.get(to_uuid(flow, prefix=FLOW)) != to_uuid(session, prefix=SESSION):
            found.append(f"sign-in {session}")
    found += [
        f"sign-out {session}"
        for session in journal.signed_out
        if to_uuid(session, prefix=SESSION) not in ended
    ]
    for session, name in journal.names.items():
        tried = journal.attempted[session]
        if names[to_uuid(session, prefix=SESSION)] not in tried[tried.index(name) :]:
            found.append(f"name of {session}")
    for session, credential in list(journal.signed_out.items())[-CLIENTS:]:
        browser = await town.browser()
        browser.http.cookies.set("authsvc_rt", credential, domain="127.0.0.1")
        if (await browser.resume())["next"] != "sign_in":
            found.append(f"{session} lives")
    return found


def _uuid(column: UUID | bytes) -> UUID:
    return UUID(bytes=column) if isinstance(column, bytes) else column


async def _doubled(service: Service) -> list[tuple[object, ...]]:
    """Flows with two sessions, sessions with other than one event, events of no session."""
    flows = await service.rows("SELECT flow_id FROM sessions GROUP BY flow_id HAVING count(*) > 1")
    events = await service.rows(
        "SELECT s.id, e.session_id, count(*) FROM sessions s FULL JOIN"
        " (SELECT session_id FROM events WHERE name = 'signed_in') e ON e.session_id = s.id"
        " GROUP BY s.id, e.session_id HAVING count(*) > 1 OR s.id IS NULL OR e.session_id IS NULL"
    )
    outs = await service.rows(
        "SELECT session_id FROM events WHERE name = 'signed_out'"
        " GROUP BY session_id HAVING count(*) > 1"
    )
    return [*flows, *events, *outs]


async def test_a_locked_sqlite_refuses_writes_and_is_normal_afterwards(
    sqlite_template: SqliteTemplate, redis_server: Redis, key_prefix: str, tmp_path: Path
) -> None:
    file = tmp_path / "authsvc.db"
    url = sqlite_template.copy_to(file)
    backend = Backend("sqlite-redis", url, redis_server.url, key_prefix)
    with smtp_inbox() as inbox:
        more = {"store__timeout": 5, "log__level": "warning"}
        with serving(backend, inbox, tmp_path, processes=2, **more) as service:
            async with service.town() as town:
                journal = Journal()
                clients = await asyncio.gather(*(_client(town, journal, n) for n in range(4)))
                stop, memory = asyncio.Event(), FromMemory(service, journal)
                async with asyncio.TaskGroup() as together:
                    for client in clients:
                        together.create_task(client.run(stop))
                    for at in range(len(service.urls)):
                        together.create_task(memory.run(town, at, stop))
                    try:
                        normal = await _locked(file, clients, journal)
                    finally:
                        stop.set()
                assert await _lost(service, town, journal) == []
                assert await _doubled(service) == []
    assert journal.slowest < within(DEADLINE + 0.5)
    report(
        "SQLite locked by another process", answers=journal.answers,
        refused=len(journal.refusals), unsettled=journal.unsettled, lost=0, doubled=0,
        slowest_s=round(journal.slowest, 2), normal_after_s=round(normal, 2),
        key_sets=memory.key_sets, token_checks=memory.checks,
    )  # fmt: skip


async def _locked(file: Path, clients: list[Client], journal: Journal) -> float:
    """Hold the writer's lock until writes were refused; seconds until all got through again."""
    await _all_live(clients)
    with closing(sqlite3.connect(file, isolation_level=None, timeout=30)) as other:
        other.execute("BEGIN EXCLUSIVE")
        readable = await clients[0].stayer.browser.get("/v1/config")
        assert readable.status_code == 200
        refused = len(journal.refusals)
        await until(lambda: len(journal.refusals) >= refused + 2 * len(clients))
        other.execute("ROLLBACK")
    released = time.monotonic()
    await _all_live(clients)
    normal = max(0.0, max(refusal.ended for refusal in journal.refusals) - released)
    assert normal < within(DEADLINE)
    return normal
