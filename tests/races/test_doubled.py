"""Every submit twice, to two processes at once: one effect each. Spec: security.md B2, B4, B5."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import delete

from authsvc.bootstrap.services import build
from authsvc.kernel.secret import Secret
from authsvc.notify.messages import Message
from authsvc.notify.service import place
from authsvc.notify.tables import OutboxMessage
from authsvc.settings import load
from tests.databases import Backend
from tests.load import Process, Reply, Visitor, connections, in_parallel, processes
from tests.races.rows import age_turns, number
from tests.scale import DOUBLED, PARALLEL, PROOFS, report

BATCH = 50  # proofs asked for before the first is given: they live ten minutes
GRACE = 10
TOO_LATE = {"link_already_used", "flow_step_mismatch", "flow_expired"}


@dataclass(slots=True)
class Stage:
    """The processes on one database, and the browsers that come to them.

    No worker runs: what it would mail is read where it lies, sealed, in the outbox.
    """

    backend: Backend
    processes: list[Process]
    http: httpx2.AsyncClient
    numbers: "count[int]" = field(default_factory=count)

    async def asked_for_mail(self, how_many: int) -> list[tuple[Visitor, Message]]:
        """So many people who typed their addresses, each with the message."""
        asking = await in_parallel(range(how_many), self._asks, at_once=PARALLEL)
        messages = await outbox(self.processes[0])
        return [(visitor, messages[visitor.address]) for visitor in asking]

    async def _asks(self, number: int) -> Visitor:
        visitor = Visitor(self.http, f"somebody-{next(self.numbers)}@example.com")
        process = self.processes[number % len(self.processes)].url
        reply = await visitor.insist(process, "/v1/sign-in/email", {"email": visitor.address})
        assert reply.status == 202, reply
        return visitor

    async def twice(
        self, visitor: Visitor, path: str, body: dict[str, str]
    ) -> list[tuple[Visitor, Reply]]:
        """The same submit at the first and at the last process in the same instant.

        A machine with other work refuses some for now; those ask again.
        """
        tabs = visitor.tab(), visitor.tab()
        ends = self.processes[0].url, self.processes[-1].url
        posts = (tab.insist(url, path, body) for tab, url in zip(tabs, ends, strict=True))
        return list(zip(tabs, await asyncio.gather(*posts), strict=True))


async def outbox(process: Process) -> dict[str, Message]:
    """The messages that wait there, by address; they are taken away."""
    services = build(load(process.environ))
    sealer, taken = services.ground.sealer, delete(OutboxMessage).returning(OutboxMessage)
    async with services.ground.uow() as tx:
        rows = (await tx.session.execute(taken)).scalars()
        plain = [sealer.open(row.payload or b"", place=place(row.id)) for row in rows]
    await services.stop()
    return {message.address: message for message in map(Message.unpack, plain)}


def proof(message: Message, kind: str) -> tuple[str, dict[str, str]]:
    """The path and body that a message's link or code is given with."""
    if kind == "link":
        token = (message.link or Secret("")).reveal().partition("?t=")[2]
        return "/v1/sign-in/link/confirm", {"token": token}
    return "/v1/sign-in/email/code", {"code": (message.code or Secret("")).reveal()}


@pytest.fixture(params=["sqlite-memory", "sqlite-redis", "postgres-redis"])
async def stage(
    request: pytest.FixtureRequest, key_prefix: str, tmp_path: Path
) -> AsyncIterator[Stage]:
    database, _, store = request.param.partition("-")
    shared = request.getfixturevalue("redis_server").url if store == "redis" else None
    url = request.getfixturevalue(f"{database}_database")
    backend = Backend(request.param, url, shared, key_prefix)
    together = 2 if shared else 1
    quiet = {"worker_apart": "true", "mail__smtp_url": "smtp://localhost"}
    async with (
        connections() as http,
        processes(backend, tmp_path, count=together, **quiet) as running,
    ):
        yield Stage(backend, running, http)


async def test_a_doubled_submit_counts_once(stage: Stage) -> None:
    begin = time.monotonic()
    inside = await _doubled_proofs(stage, "link")
    inside += await _doubled_proofs(stage, "code")
    await _one_session_each(stage.backend.database_url)
    proved = time.monotonic()
    await _doubled_refreshes(stage, inside[-max(BATCH, DOUBLED // 10) :])
    report(
        f"Doubled submits, {stage.backend.name}",
        links=PROOFS,
        codes=PROOFS,
        refreshes=DOUBLED,
        accepted_twice=0,
        differing_credentials=0,
        signed_out=0,
        seconds_of_proofs=round(proved - begin),
        seconds_of_refreshes=round(time.monotonic() - proved),
    )


async def _doubled_proofs(stage: Stage, kind: str) -> list[Visitor]:
    """Everybody who came in; each gave a link or code twice and one of the two was too late."""

    async def proves(asked: tuple[Visitor, Message]) -> tuple[str, Visitor]:
        visitor, message = asked
        pairs = await stage.twice(visitor, *proof(message, kind))
        (winner,) = [tab for tab, reply in pairs if reply.verdict == "done"]
        (refused,) = [reply.verdict for _, reply in pairs if reply.verdict != "done"]
        return refused, winner

    refusals, inside = set[str](), list[Visitor]()
    for _ in range(PROOFS // BATCH):
        asked = await stage.asked_for_mail(BATCH)
        for refused, winner in await in_parallel(asked, proves, at_once=PARALLEL):
            refusals.add(refused)
            inside.append(winner)
    assert refusals <= TOO_LATE
    return inside


async def _one_session_each(database: str) -> None:
    spent = "SELECT count(*) FROM onetime WHERE used_at IS NOT NULL AND void_reason IS NULL"
    opened = "SELECT count(DISTINCT s.flow_id) FROM sessions s JOIN onetime o USING (flow_id)"
    for counted in (
        spent,
        opened,
        "SELECT count(*) FROM sessions",
        "SELECT count(*) FROM users",
        "SELECT count(*) FROM events WHERE name = 'signed_in'",
    ):
        assert await number(database, counted) == 2 * PROOFS, counted


async def _doubled_refreshes(stage: Stage, visitors: list[Visitor]) -> None:
    async def refreshes(visitor: Visitor) -> None:
        before = visitor.credential
        pairs = await stage.twice(visitor, "/v1/session/resume", {})
        assert [reply.verdict for _, reply in pairs] == ["done", "done"]
        (after,) = {tab.credential for tab, _ in pairs}
        assert after != before
        visitor.cookies = pairs[0][0].cookies

    database = stage.backend.database_url
    turns = "SELECT sum(counter) FROM sessions"
    before = await number(database, turns)
    for _ in range(DOUBLED // len(visitors)):
        await age_turns(database, seconds=GRACE + 1)
        await in_parallel(visitors, refreshes, at_once=PARALLEL)
    assert await number(database, turns) - before == DOUBLED, "each pair turned its session once"
    over = "SELECT count(*) FROM sessions WHERE revoked_at IS NOT NULL OR late_retries > 0"
    assert await number(database, over) == 0
