"""W2: refresh with rotation. Every refresh turns its credential, or the run counts for nothing."""

import random
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from bench import seeds
from bench.compare import Plan, Side, against, in_turn, summary
from bench.floor import COOKIE
from bench.load import Wrong, dealt
from bench.loader import Job, Outcome
from bench.requests import HOLE, post
from bench.sql import Sql
from bench.stage import Ground, Serving, authsvc, bare
from tests.servers import start_redis

SESSION = "__Host-authsvc_rt"
_FASTEST = 6_000  # refreshes a second that no server here reaches
NAMES = {"postgres": "PostgreSQL", "sqlite": "SQLite"}


@dataclass(slots=True)
class Walk:
    """Browsers that come in turn, each with the cookie it was given last."""

    cookies: list[str]
    age: Callable[[], None]  # moves every turn past the grace, when the walk begins anew
    at: int = 0
    turned: int = 0
    _out: list[int] = field(default_factory=list[int])

    def send_out(self, count: int) -> list[tuple[str]]:
        """The next browsers, each at most once."""
        count = min(count, len(self.cookies))
        if self.at + count > len(self.cookies):
            self.age()
            self.at = 0
        self._out = list(range(self.at, self.at + count))
        return [(self.cookies[place],) for place in self._out]

    def come_back(self, hands: Sequence[Sequence[str]]) -> None:
        """Keep what each was given; those whose turn did not come stay where they are."""
        for connection, hand in enumerate(hands):
            for turn, cookie in enumerate(hand):
                self.cookies[self._out[turn * len(hands) + connection]] = cookie
        self.turned += sum(len(hand) for hand in hands)
        self.at += min(max(len(hand) for hand in hands) * len(hands), len(self._out))


def walk(sql: Sql, *, floor: bool, sessions: int, chosen: int | None = None) -> Walk:
    """Over seeded sessions in no order, as life has it; over ``chosen`` of them if so many."""
    numbers = random.Random(2).sample(range(sessions), chosen or sessions)  # noqa: S311 an order, no secret
    issue = seeds.floor_credential if floor else seeds.credential
    table = "floor_sessions" if floor else "sessions"
    return Walk([issue(number) for number in numbers], lambda: seeds.age(sql, table))


def floor_side(serving: Serving, walk: Walk, *, seconds: float, count: int) -> Side:
    """The floor's refresh."""
    parts = post("/resume", "{}", length=2, cookie=f"{COOKIE}={HOLE}")
    return _side("floor", serving, walk, parts, cookie=COOKIE, seconds=seconds, count=count)


def authsvc_side(
    serving: Serving, walk: Walk, *, seconds: float, count: int, name: str = "authsvc"
) -> Side:
    """authsvc's refresh."""
    parts = post("/v1/session/resume", "{}", length=2, cookie=f"{SESSION}={HOLE}")
    return _side(name, serving, walk, parts, cookie=SESSION, seconds=seconds, count=count)


def _side(
    name: str,
    serving: Serving,
    walk: Walk,
    parts: tuple[str, ...],
    *,
    cookie: str,
    seconds: float,
    count: int,
) -> Side:
    def job() -> Job:
        items = dealt(walk.send_out(count))
        return Job(
            serving.port, seconds, parts, items, 200, '"next":"done"',
            cookie=cookie, turns=True,
        )  # fmt: skip

    def after(outcome: Outcome) -> None:
        walk.come_back(outcome.cookies)

    return Side(name, serving.process, job, after)


def require_turned(sql: Sql, walk: Walk, *, table: str = "sessions") -> None:
    """Raise Wrong unless the rows have turned exactly as often as was answered."""
    found = int(sql.value(f"SELECT sum(counter) FROM {table}"))  # noqa: S608 our own names
    if found != walk.turned:
        raise Wrong(f"{walk.turned} refreshes were answered, and {found} credentials turned")


def refresh(place: Ground, plan: Plan, *, workers: int) -> dict[str, Any]:
    """W2 on this database, the floor against authsvc."""
    plan.progress(f"W2 refresh, {NAMES[place.kind]}, {workers} worker(s)")
    ours, theirs = place.migrated(), place.bare()
    seeds.seed_authsvc(ours, plan.sessions)
    seeds.seed_floor(theirs, plan.sessions)
    count = min(plan.sessions, int(plan.seconds * _FASTEST))
    walks = (
        walk(theirs, floor=True, sessions=plan.sessions),
        walk(ours, floor=False, sessions=plan.sessions),
    )
    with ExitStack() as closing:
        more = {"redis_url": closing.enter_context(start_redis())} if workers > 1 else {}
        one = closing.enter_context(
            bare(place, "bench.floor:app", workers=workers, BENCH_DATABASE=theirs.url)
        )
        other = closing.enter_context(authsvc(place, ours, workers=workers, more=more))
        sides = (
            floor_side(one, walks[0], seconds=plan.seconds, count=count),
            authsvc_side(other, walks[1], seconds=plan.seconds, count=count),
        )
        runs = in_turn(
            sides,
            repetitions=plan.repetitions,
            database=place.process,
            cores=place.cores,
            plan=plan,
        )
    require_turned(theirs, walks[0], table="floor_sessions")
    require_turned(ours, walks[1])
    plural = "s" if workers > 1 else ""
    return {
        "workload": "W2",
        "case": f"refresh, {NAMES[place.kind]}, {workers} worker{plural}",
        "floor": summary(runs["floor"]),
        "authsvc": summary(runs["authsvc"]),
        "ratio": against(runs["floor"], runs["authsvc"]),
    }
