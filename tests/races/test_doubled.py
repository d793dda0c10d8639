"""Every submit twice, to two processes at once: one effect each. Spec: security.md B2, B4, B5."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import httpx2
import pytest

from tests.databases import Backend
from tests.load import (
    PostOffice,
    Process,
    Reply,
    Visitor,
    connections,
    in_parallel,
    post_office,
    processes,
)
from tests.mail import Mail
from tests.races.rows import age_turns, number
from tests.scale import DOUBLED, PARALLEL, pick, report

SESSIONS = pick(ci=50, soak=1000)  # whose refreshes are doubled, round after round
GRACE = 10
TOO_LATE = {"link_already_used", "flow_step_mismatch", "flow_expired"}


@dataclass(slots=True)
class Stage:
    """The processes on one database, and the browsers that come to them."""

    backend: Backend
    processes: list[Process]
    office: PostOffice
    http: httpx2.AsyncClient
    numbers: "count[int]" = field(default_factory=count)

    async def asks_for_mail(self) -> tuple[Visitor, Mail]:
        """Somebody new types an address and has the message."""
        visitor = Visitor(self.http, f"somebody-{next(self.numbers)}@example.com")
        first = self.processes[next(self.numbers) % len(self.processes)].url
        asked = await visitor.post(first, "/v1/sign-in/email", {"email": visitor.address})
        assert asked.status == 202, asked
        return visitor, await self.office.mail(visitor.address)

    async def twice(
        self, visitor: Visitor, path: str, body: dict[str, str]
    ) -> list[tuple[Visitor, Reply]]:
        """The same submit at the first and at the last process in the same instant."""
        tabs = visitor.tab(), visitor.tab()
        ends = self.processes[0].url, self.processes[-1].url
        posts = (tab.post(url, path, body) for tab, url in zip(tabs, ends, strict=True))
        return list(zip(tabs, await asyncio.gather(*posts), strict=True))

    async def signs_in(self) -> Visitor:
        """Somebody new, by link, pressed once."""
        visitor, mail = await self.asks_for_mail()
        body = {"token": mail.token}
        pressed = await visitor.post(self.processes[0].url, "/v1/sign-in/link/confirm", body)
        assert pressed.verdict == "done", pressed
        return visitor


@pytest.fixture(params=["sqlite-memory", "sqlite-redis", "postgres-redis"])
async def stage(
    request: pytest.FixtureRequest, key_prefix: str, tmp_path: Path
) -> AsyncIterator[Stage]:
    database, _, store = request.param.partition("-")
    shared = request.getfixturevalue("redis_server").url if store == "redis" else None
    url = request.getfixturevalue(f"{database}_database")
    backend = Backend(request.param, url, shared, key_prefix)
    together = 2 if shared else 1
    async with (
        post_office() as office,
        connections() as http,
        processes(backend, office, tmp_path, count=together) as running,
    ):
        yield Stage(backend, running, office, http)


@pytest.mark.parametrize("kind", ["link", "code"])
async def test_a_doubled_proof_opens_one_session(stage: Stage, kind: str) -> None:
    begin = time.monotonic()

    async def proves(_: int) -> tuple[str, str]:
        visitor, mail = await stage.asks_for_mail()
        if kind == "link":
            pairs = await stage.twice(visitor, "/v1/sign-in/link/confirm", {"token": mail.token})
        else:
            pairs = await stage.twice(visitor, "/v1/sign-in/email/code", {"code": mail.code})
        one, other = sorted(reply.verdict for _, reply in pairs)
        return one, other

    verdicts = Counter(await in_parallel(range(DOUBLED), proves, at_once=PARALLEL))
    outcomes = {one if other == "done" else other for one, other in verdicts}
    assert all("done" in pair for pair in verdicts), verdicts
    assert outcomes - {"done"} <= TOO_LATE, verdicts
    assert ("done", "done") not in verdicts, verdicts
    database = stage.backend.database_url
    spent = "SELECT count(*) FROM onetime WHERE used_at IS NOT NULL AND void_reason IS NULL"
    opened = "SELECT count(DISTINCT s.flow_id) FROM sessions s JOIN onetime o USING (flow_id)"
    assert await number(database, spent) == DOUBLED
    assert await number(database, opened) == DOUBLED
    assert await number(database, "SELECT count(*) FROM sessions") == DOUBLED
    assert await number(database, "SELECT count(*) FROM users") == DOUBLED
    report(
        f"Doubled {kind}s, {stage.backend.name}",
        doubled=DOUBLED,
        accepted_twice=0,
        seconds=round(time.monotonic() - begin),
    )


async def test_doubled_refreshes_agree(stage: Stage) -> None:
    async def signs_in(_: int) -> Visitor:
        return await stage.signs_in()

    async def refreshes(visitor: Visitor) -> None:
        before = visitor.credential
        pairs = await stage.twice(visitor, "/v1/session/resume", {})
        assert [reply.verdict for _, reply in pairs] == ["done", "done"]
        (after,) = {tab.credential for tab, _ in pairs}
        assert after != before
        visitor.cookies = pairs[0][0].cookies

    database = stage.backend.database_url
    visitors = await in_parallel(range(SESSIONS), signs_in, at_once=PARALLEL)
    begin, turns = time.monotonic(), await number(database, "SELECT sum(counter) FROM sessions")
    for _ in range(DOUBLED // SESSIONS):
        await age_turns(database, seconds=GRACE + 1)
        await in_parallel(visitors, refreshes, at_once=PARALLEL)
    turned = await number(database, "SELECT sum(counter) FROM sessions") - turns
    assert turned == DOUBLED, "each pair turned its session once"
    living = "SELECT count(*) FROM sessions WHERE revoked_at IS NULL AND late_retries = 0"
    assert await number(database, living) == SESSIONS
    report(
        f"Doubled refreshes, {stage.backend.name}",
        doubled=DOUBLED,
        differing=0,
        signed_out=0,
        seconds=round(time.monotonic() - begin),
    )
