"""Redis dead, frozen, full, flushed, put back: nobody signs in twice, and the rest goes on.

Spec: security.md B1, C58, section 5, G4.
"""

import asyncio
import itertools
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from authsvc.machine.documents import JWKS_PATH
from authsvc.verify import Verifier
from tests.architecture.test_routes import LEVELS
from tests.databases import Backend, Postgres, SqliteTemplate
from tests.faults.processes import (
    AUDIENCE,
    Service,
    Town,
    Visitor,
    insistently,
    patiently,
    serving,
    told,
)
from tests.faults.store_table import TABLE
from tests.load import in_parallel
from tests.mail import smtp_inbox
from tests.platform.ephemeral.redis_process import RedisProcess, own_process
from tests.scale import PARALLEL, REFUSED, pick, report, within

PEOPLE = pick(ci=2, soak=25)  # of each kind who come back with what they used before
METADATA = ["/.well-known/oauth-authorization-server", "/v1/config", "/v1/i18n/en"]
ROUNDS = pick(ci=2, soak=12)  # freezes in the middle of sixteen proofs
HOURLY = 3  # mails a recipient may get
AWAY = ["dead", "frozen", "full"]
STATES = [*AWAY, "flushed", "stale"]
PLACES = ["sqlite-redis", "postgres-redis"]


def each(states: list[str]) -> pytest.MarkDecorator:
    """Every state on both databases; in CI each one on one of them, by turns."""
    by_turns = [(PLACES[turn % 2], state) for turn, state in enumerate(states)]
    every = [(place, state) for state in states for place in PLACES]
    cases = [
        pytest.param(place, state, marks=pytest.mark.xdist_group(f"store faults {place}"))
        for place, state in pick(ci=by_turns, soak=every)
    ]
    return pytest.mark.parametrize(("place", "state"), cases, indirect=["place"])


@dataclass(slots=True)
class Store:
    """The service's Redis, and how to put it into each state and back."""

    redis: RedisProcess
    returned: float = field(default=0.0)  # when it was last well again

    def snapshot(self) -> None:
        """Keep what it holds now; a later start finds it."""
        assert self.redis.ask("save")

    def break_it(self, state: str) -> None:
        """From now on it is in this state."""
        match state:
            case "dead":
                self.redis.kill()
            case "frozen":
                self.redis.freeze()
            case "full":
                self.redis.ask("config", "set", "maxmemory", "1")
            case "flushed":
                self.redis.ask("flushall")
            case _:
                self.redis.kill()
                self.redis.restart()

    def mend(self, state: str) -> None:
        """Well again, with what it knew before unless it was flushed."""
        match state:
            case "dead":
                self.redis.restart()
            case "frozen":
                self.redis.thaw()
            case "full":
                self.redis.ask("config", "set", "maxmemory", "0")
            case _:
                pass
        self.returned = time.monotonic()


@dataclass(frozen=True, slots=True)
class Place:
    """A process of the service, its store, and a name for reports."""

    service: Service
    store: Store

    @asynccontextmanager
    async def town(self) -> AsyncIterator[Town]:
        """People, once the service signs them in."""
        async with self.service.town() as town:
            await self.is_normal(town)
            yield town

    async def is_normal(self, town: Town) -> float:
        """Seconds from the store's return until somebody signed in."""
        due = time.monotonic() + 30
        while True:
            person = await town.person("next")
            answer = await person.starts()
            if answer.status_code == 202:
                break
            assert told(answer) == (503, "store_unavailable"), answer.text
            assert time.monotonic() < due, "sign-in does not come back"
            await asyncio.sleep(0.02)
        took = time.monotonic() - self.store.returned
        mail = await person.gets_mail()
        assert (await person.types(mail.code)).status_code == 200
        return took


@pytest.fixture(scope="module")
def sqlite_redis(
    sqlite_template: SqliteTemplate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """A process on SQLite, with a Redis of its own."""
    home = tmp_path_factory.mktemp("sqlite-redis")
    with opened("sqlite-redis", sqlite_template.copy_to(home / "authsvc.db"), home) as place:
        yield place


@pytest.fixture(scope="module")
def postgres_redis(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A process on PostgreSQL, with a Redis of its own."""
    url = postgres.create_migrated()
    with opened("postgres-redis", url, tmp_path_factory.mktemp("postgres-redis")) as place:
        yield place
    postgres.drop_database(url)


@contextmanager
def opened(name: str, database_url: str, home: Path) -> Iterator[Place]:
    """The place, for the length of a block."""
    with own_process(home) as redis, smtp_inbox() as inbox:
        redis.kill()
        redis.restart()  # in a directory where its snapshots may lie
        backend = Backend(name, database_url, redis.url, "authsvc:")
        patience = pick(ci=0.5, soak=0.25)
        more = {"store__timeout": patience, "mail_caps__hour": HOURLY}
        with serving(backend, inbox, home, **more) as service:
            yield Place(service, Store(redis))


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Place:
    """The place of this name."""
    found: Place = request.getfixturevalue(request.param.replace("-", "_"))
    return found


def test_every_route_is_in_the_table() -> None:
    assert {row.door for row in TABLE} == set(LEVELS)


@each(STATES)
async def test_each_route_answers_as_the_table_says(place: Place, state: str) -> None:
    async with place.town() as town:
        callers = await asyncio.gather(*(row.who(town) for row in TABLE))
        place.store.snapshot()
        place.store.break_it(state)
        try:
            seen = [told(await row.call(who)) for row, who in zip(TABLE, callers, strict=True)]
        finally:
            place.store.mend(state)
        wrong = [
            (row.door, answer, row.expected(state))
            for row, answer in zip(TABLE, seen, strict=True)
            if answer not in row.expected(state)
        ]
        assert wrong == []
        await place.is_normal(town)


@dataclass
class Meanwhile:
    """What goes on in any weather, counted."""

    guard: Verifier
    person: Visitor
    leaving: list[Visitor]
    done: dict[str, int] = field(default_factory=dict[str, int])

    async def run(self, work: Callable[[], Awaitable[object]]) -> None:
        """Keep everything going while the work is done; any error is a failure of the test."""
        stop = asyncio.Event()
        doings = {
            "resumes": self._resume, "session lists": self._list, "sign-outs": self._leave,
            "key sets": self._keys, "metadata": self._metadata, "token checks": self._check,
        }  # fmt: skip
        async with asyncio.TaskGroup() as together:
            for name, doing in doings.items():
                together.create_task(self._again(name, doing, stop))
            try:
                await work()
            finally:
                stop.set()

    async def _again(
        self, name: str, doing: Callable[[], Awaitable[None]], stop: asyncio.Event
    ) -> None:
        while not stop.is_set():
            await doing()
            self.done[name] = self.done.get(name, 0) + 1
            await asyncio.sleep(0.01)

    async def _resume(self) -> None:
        envelope = await self.person.browser.resume(audience=AUDIENCE)
        assert envelope["next"] == "done"

    async def _list(self) -> None:
        bearer = await self.person.browser.bearer()
        listed = await self.person.browser.get("/v1/account/sessions", **bearer)
        assert listed.status_code == 200, listed.text

    async def _leave(self) -> None:
        browser = self.leaving[0].browser
        if len(self.leaving) > 1:
            self.leaving.pop(0)
        assert (await browser.post("/v1/logout")).status_code == 204
        assert (await browser.resume())["next"] == "sign_in"

    async def _keys(self) -> None:
        assert (await self.person.browser.get(JWKS_PATH)).status_code == 200

    async def _metadata(self) -> None:
        for path in METADATA:
            assert (await self.person.browser.get(path)).status_code == 200

    async def _check(self) -> None:
        assert self.person.browser.token is not None
        await self.guard.verify(self.person.browser.token)


@each(AWAY)
async def test_sign_in_is_refused_soon_and_the_rest_goes_on(place: Place, state: str) -> None:
    async with place.town() as town:
        person = await _signed_in(town)
        await person.browser.resume(audience=AUDIENCE)
        holders = await asyncio.gather(*(_with_mail(town) for _ in range(PARALLEL)))
        leaving = await asyncio.gather(*(_signed_in(town) for _ in range(pick(ci=3, soak=20))))
        meanwhile = Meanwhile(place.service.verifier(), person, leaving)
        place.store.snapshot()
        place.store.break_it(state)
        took: list[float] = []
        try:
            await meanwhile.run(lambda: _refusals(holders, took))
        finally:
            place.store.mend(state)
        normal = await place.is_normal(town)
        assert normal < within(2)
        await _mails_are_as_good_as_before(place, holders)
        assert {name: count for name, count in meanwhile.done.items() if count == 0} == {}
        p99 = statistics.quantiles(took, n=100)[98]
        assert p99 < within(0.6)
        report(
            f"Store {state}, {place.service.backend.name}", refused=len(took),
            p50_ms=round(statistics.median(took) * 1000), p99_ms=round(p99 * 1000),
            slowest_ms=round(max(took) * 1000), normal_after_s=round(normal, 2),
            meanwhile=meanwhile.done, errors=0, links_burnt=0,
        )  # fmt: skip


async def _signed_in(town: Town) -> Visitor:
    person = await town.person("settled")
    await person.signs_in_by_code()
    await person.browser.bearer()
    return person


async def _with_mail(town: Town) -> Visitor:
    person = await town.person("holder")
    await person.asks_for_mail()
    return person


async def _refusals(holders: list[Visitor], took: list[float]) -> None:
    async def one(person: Visitor) -> None:
        mail = person.inbox.last_link(person.address)
        calls = (person.starts, lambda: person.types(mail.code), lambda: person.presses(mail.token))
        for turn in range(-(-REFUSED // len(holders))):
            began = time.monotonic()
            answer = await calls[turn % len(calls)]()
            took.append(time.monotonic() - began)
            assert told(answer) == (503, "store_unavailable"), answer.text

    await asyncio.gather(*map(one, holders))


async def _mails_are_as_good_as_before(place: Place, holders: list[Visitor]) -> None:
    tries = await place.service.rows("SELECT count(*) FROM guesses WHERE scope = 'flow'")
    for turn, person in enumerate(holders):
        mail = person.inbox.last_link(person.address)
        right = person.presses(mail.token) if turn % 2 else person.types(mail.code)
        assert (await right).status_code == 200
        assert len(person.inbox.to(person.address)) == 1
    now = await place.service.rows("SELECT count(*) FROM guesses WHERE scope = 'flow'")
    assert now[0][0] - tries[0][0] == -(-len(holders) // 2), "a refused code has cost a try"


@pytest.mark.parametrize("place", pick(ci=PLACES[1:], soak=PLACES), indirect=True)
async def test_a_freeze_in_the_middle_burns_nothing(place: Place) -> None:
    outcomes: dict[str, int] = {}
    async with place.town() as town:
        for turn in range(ROUNDS):
            people = await in_parallel(
                [_by_link, _by_code, _as_an_app] * (PARALLEL // 3),
                lambda kind: _asks(town, kind),
                at_once=PARALLEL,
            )
            for answer in await _frozen_after(place, people, answers=turn % 4):
                verdict = answer[1] or "done"
                outcomes[verdict] = outcomes.get(verdict, 0) + 1
            for person in people:
                await _gets_in(person)
            await place.is_normal(town)
    doubled = "SELECT flow_id FROM sessions GROUP BY flow_id HAVING count(*) > 1"
    assert await place.service.rows(doubled) == []
    report(
        f"Store frozen in the middle, {place.service.backend.name}",
        freezes=ROUNDS, answers=outcomes, burnt=0,
    )  # fmt: skip


async def _frozen_after(
    place: Place, people: Sequence[Visitor], *, answers: int
) -> list[tuple[int, str | None]]:
    """Everybody proves at once; when some were answered the store stands still for a while."""
    calls = [asyncio.create_task(_proves(person)) for person in people]
    for done in itertools.islice(asyncio.as_completed(calls), answers):
        await done
    place.store.break_it("frozen")
    try:
        return [told(answer) for answer in await asyncio.gather(*calls)]
    finally:
        place.store.mend("frozen")


async def _proves(person: Visitor) -> httpx2.Response:
    mail = person.inbox.last_link(person.address)
    is_even = person.address.encode()[-14] % 2
    if person.flow_token is None and is_even:
        return await person.presses(mail.token)
    return await person.types(mail.code)


async def _gets_in(person: Visitor) -> None:
    """With the mail of before, whatever the first answer was: signed in already, or now."""
    if person.flow_token is None and (await person.browser.resume())["next"] == "done":
        return
    answer = await insistently(lambda: _proves(person))
    if person.flow_token is None:
        assert told(answer) == (200, None)
        return
    assert told(answer) in ((200, None), (409, "flow_step_mismatch"))
    assert told(await insistently(person.exchanges)) == (200, None)


@each(["flushed", "stale"])
async def test_what_was_used_opens_nothing_again(place: Place, state: str) -> None:
    async with place.town() as town:
        before = await _sessions(place)
        kinds = (_by_link, _by_code, _as_an_app)
        *mailed, finished = [
            await in_parallel([kind] * PEOPLE, lambda kind: _asks(town, kind), at_once=PARALLEL)
            for kind in (*kinds, _as_an_app)
        ]
        for app in finished:
            await _by_code(app)
        place.store.snapshot()  # of mails that lie there, and of apps without tokens yet
        for kind, people in zip(kinds, mailed, strict=True):
            for person in people:
                await kind(person)
        for app in finished:
            assert told(await insistently(app.exchanges)) == (200, None)
        opened = len(kinds) * PEOPLE + len(finished)
        assert await _sessions(place) == before + opened
        place.store.break_it(state)
        everybody = [person for people in (*mailed, finished) for person in people]
        asked = sum(await in_parallel(everybody, _tries_everything_again, at_once=PARALLEL))
        assert await _sessions(place) == before + opened
        doubled = "SELECT flow_id FROM sessions GROUP BY flow_id HAVING count(*) > 1"
        assert await place.service.rows(doubled) == []
        report(
            f"Replays after a store that was {state}, {place.service.backend.name}",
            signed_in=opened, asked_again=asked, replays=0,
        )  # fmt: skip


async def _asks(town: Town, kind: Callable[[Visitor], Awaitable[None]]) -> Visitor:
    person = await town.person("again", native=kind is _as_an_app)
    await person.asks_for_mail()
    return person


async def _by_link(person: Visitor) -> None:
    token = person.inbox.last_link(person.address).token
    assert told(await insistently(lambda: person.presses(token))) == (200, None)


async def _by_code(person: Visitor) -> None:
    code = person.inbox.last_link(person.address).code
    assert told(await insistently(lambda: person.types(code))) == (200, None)


async def _as_an_app(person: Visitor) -> None:
    await _by_code(person)
    assert told(await insistently(person.exchanges)) == (200, None)


GONE = {(409, "link_already_used"), (409, "flow_step_mismatch"), (410, "link_expired"),
        (410, "flow_expired"), (410, "challenge_expired")}  # fmt: skip


async def _tries_everything_again(person: Visitor) -> int:
    """Link, code and exchange of before, then a new mail for the old attempt: all refused."""
    mail = person.inbox.last_link(person.address)
    calls = [lambda: person.presses(mail.token), lambda: person.types(mail.code)]
    if person.flow_token is not None:
        calls.append(person.exchanges)
    for call in calls:
        assert told(await insistently(call)) in GONE
    named = {"flow_token": person.flow_token} if person.flow_token else {}
    before = len(person.inbox.to(person.address))
    again = await insistently(lambda: person.browser.post("/v1/sign-in/email/resend", named))
    if again.status_code != 202:
        assert told(again) in GONE
        return len(calls) + 1
    fresh = await person.gets_mail(before)
    assert told(await insistently(lambda: person.types(fresh.code))) in GONE
    return len(calls) + 2


async def _sessions(place: Place) -> int:
    [[count]] = await place.service.rows("SELECT count(*) FROM sessions")
    return int(count)


@pytest.mark.parametrize("place", pick(ci=PLACES[:1], soak=PLACES), indirect=True)
async def test_caps_and_locks_outlive_a_flush(place: Place) -> None:
    async with place.town() as town:
        locked, capped = await town.person("locked"), await town.person("capped")
        for _ in range(2):
            mail = await locked.asks_for_mail()
            wrong = f"{(int(mail.code) + 1) % 1_000_000:06d}"
            for _ in range(5):
                assert told(await locked.types(wrong)) == (422, "code_incorrect")
        for _ in range(HOURLY):
            await capped.asks_for_mail()
        counters = "SELECT scope, key, tries FROM guesses ORDER BY scope, key"
        before = await place.service.rows(counters)
        place.store.break_it("flushed")
        refused = await patiently(capped.starts)
        assert told(refused) == (429, "resend_too_soon")
        assert int(refused.headers["Retry-After"]) > 60
        assert await place.service.rows(counters) == before
        mail = await locked.asks_for_mail()
        assert told(await locked.types(mail.code)) == (429, "too_many_attempts")
        assert len(capped.inbox.to(capped.address)) == HOURLY
