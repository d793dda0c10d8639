"""The secret key is replaced while people refresh and sign in. Spec: security.md B4, C37, C50.

The order is the one of docs/operations.md: the new key comes second everywhere, then first
everywhere, everything is sealed anew, and the old key leaves.
"""

import asyncio
import json
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from authsvc.bootstrap.services import Services, build
from authsvc.crypto.keyring import Keyring, Purpose
from authsvc.kernel.secret import Secret
from authsvc.notify.messages import invite
from authsvc.settings import load
from tests.databases import Backend
from tests.load import PostOffice, Process, Reply, Visitor, connections, post_office, processes
from tests.mail import Mail
from tests.scale import pick, report

OLD = "k3UoFz7rXn5tQw9yBd1eGh4jLm6pRs8vKx2zCa0uEi0"
NEW = "q8WvT2mXc6RzJ4bHn0sLd7yFgK1pEu5aV9xQo3iBtMw"
PAUSE = pick(ci=0.4, soak=0.02)  # between two requests of a visitor: others work here too
GRACE = 1  # seconds: a session turns as often as settings allow
VISITORS = pick(ci=4, soak=40)
WAITING = pick(ci=105, soak=5_000)  # mails that wait while their key is replaced
ROLLS = pick(ci=1, soak=3)  # how often each list is rolled out
PATIENCE = 60.0
_TYPE = """
import contextlib, io, json, sys
from authsvc.cli.main import run
for words in sys.argv[1:]:
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        status = run(words.split())
    print(json.dumps([status, printed.getvalue()]))
"""
STATUS, RESEAL = "secrets status --json", "secrets reseal"
RESUME, ASK, CODE = "/v1/session/resume", "/v1/sign-in/email", "/v1/sign-in/email/code"


def key_id(secret: str) -> str:
    return Keyring.of([secret.encode()]).current(Purpose.SESSION).id


def signers(visitors: Iterable[Visitor]) -> set[str]:
    """The ids of the keys that signed the visitors' credentials."""
    return {visitor.credential.split(".")[3] for visitor in visitors}


@dataclass(slots=True)
class Balancer:
    """Sends requests to the processes in turn, and none to one that is being replaced."""

    processes: list[Process]
    open: set[str] = field(default_factory=set[str])
    under_way: Counter[str] = field(default_factory=Counter[str])
    ended: asyncio.Condition = field(default_factory=asyncio.Condition)
    turns: "count[int]" = field(default_factory=count)

    async def post(self, visitor: Visitor, path: str, body: dict[str, Any] | None = None) -> Reply:
        """What the next process in turn answers."""
        with self._chosen() as url:
            reply = await visitor.post(url, path, body)
        await self._tell()
        return reply

    async def _tell(self) -> None:
        async with self.ended:
            self.ended.notify_all()

    async def until(self, check: Callable[[], bool]) -> None:
        """Wait, request by request, until it is so."""
        async with asyncio.timeout(PATIENCE), self.ended:
            await self.ended.wait_for(check)

    @contextmanager
    def _chosen(self) -> Iterator[str]:
        among = sorted(self.open)
        url = among[next(self.turns) % len(among)]
        self.under_way[url] += 1
        try:
            yield url
        finally:
            self.under_way[url] -= 1

    async def roll_out(self, *keys: str) -> None:
        """One process after the other starts again with this list."""
        for process in self.processes:
            self.open.discard(process.url)
            await self.until(lambda url=process.url: not self.under_way[url])
            await asyncio.to_thread(process.server.stop)
            assert process.server.process.returncode == 0
            process.environ["AUTHSVC_SECRET_KEY"] = json.dumps(keys)
            await asyncio.to_thread(process.start_again)
            self.open.add(process.url)


@dataclass(slots=True)
class Stage:
    """The processes, the mail server and what was counted."""

    backend: Backend
    balancer: Balancer
    office: PostOffice
    http: httpx2.AsyncClient
    directory: Path
    refreshes: int = 0
    people: list[Visitor] = field(default_factory=list[Visitor])
    numbers: "count[int]" = field(default_factory=count)

    async def signs_in(self) -> Visitor:
        """Somebody new, by code; the steps go to whichever process is next."""
        visitor = Visitor(self.http, f"somebody-{next(self.numbers)}@example.com")
        asked = await self.balancer.post(visitor, ASK, {"email": visitor.address})
        assert asked.status == 202, asked
        mail: Mail = await asyncio.wait_for(self.office.mail(visitor.address), PATIENCE)
        answer = await self.balancer.post(visitor, CODE, {"code": mail.code})
        assert answer.verdict == "done", answer
        self.people.append(visitor)
        return visitor

    async def refreshes_once(self, visitor: Visitor) -> None:
        reply = await self.balancer.post(visitor, RESUME)
        assert reply.verdict == "done", reply
        assert reply.body["access_token"]
        self.refreshes += 1

    @asynccontextmanager
    async def load(self, visitors: list[Visitor]) -> AsyncIterator[None]:
        """Refreshes and sign-ins for as long as the block lasts; the first failure ends it."""
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for visitor in visitors:
                group.create_task(self._refreshing(visitor, stop))
            group.create_task(self._signing_in(stop))
            try:
                yield
            finally:
                stop.set()

    async def _refreshing(self, visitor: Visitor, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self.refreshes_once(visitor)
            await asyncio.sleep(PAUSE)

    async def _signing_in(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self.refreshes_once(await self.signs_in())
            await asyncio.sleep(PAUSE)

    async def authsvc(self, *commands: str) -> list[tuple[int, str]]:
        """What commands typed next to the first process end with and print."""
        clean = {name: value for name, value in os.environ.items() if "AUTHSVC" not in name}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _TYPE, *commands,
            env=clean | self.balancer.processes[0].environ, cwd=self.directory,
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, _ = await process.communicate()
        return [(status, printed) for status, printed in map(json.loads, out.splitlines())]

    @asynccontextmanager
    async def services(self) -> AsyncIterator[Services]:
        """The services of the first process's settings, here."""
        services = build(load(self.balancer.processes[0].environ))
        yield services
        await services.stop()

    async def mails_that_wait(self) -> list[str]:
        """The addresses of messages that were queued now and are due tomorrow."""
        addresses = [f"waiting-{number}@example.com" for number in range(WAITING)]
        end = datetime.now(UTC) + timedelta(days=2)
        link, code = Secret("https://auth.example.com/ui/link?t=x"), Secret("123456")
        async with self.services() as services, services.ground.uow() as tx:
            for address in addresses:
                mail = invite(address, locale="en", link=link, code=code, expires_at=end, days=2)
                await services.rooms.outbox.put(tx, mail)
            await tx.session.execute(text("UPDATE outbox SET next_attempt_at = created_at + 1e11"))
        return addresses

    async def mails_are_due(self) -> None:
        due = "UPDATE outbox SET next_attempt_at = created_at WHERE payload IS NOT NULL"
        async with self.services() as services, services.ground.uow() as tx:
            await tx.session.execute(text(due))

    async def invites(self, address: str) -> Mail:
        async with self.services() as services:
            await services.people.invite(address, locale="en", by="cli")
        return await asyncio.wait_for(self.office.mail(address), PATIENCE)

    def troubles(self) -> list[str]:
        """Every line in the logs that is worse than information."""
        lines = {
            line for p in self.balancer.processes for line in p.server.log.read_text().split("\n")
        }
        return [
            line for line in lines if line and json.loads(line)["level"] not in ("debug", "info")
        ]


@pytest.fixture
async def stage(two_process_backend: Backend, tmp_path: Path) -> AsyncIterator[Stage]:
    async with (
        post_office() as office,
        connections() as http,
        processes(
            two_process_backend, tmp_path, count=2, mail__smtp_url=office.url,
            secret_key=json.dumps([OLD]), sessions__grace=str(GRACE), log__level="info",
        ) as running,
    ):  # fmt: skip
        balancer = Balancer(running, {process.url for process in running})
        yield Stage(two_process_backend, balancer, office, http, tmp_path)


@pytest.mark.parametrize("two_process_backend", ["postgres-redis"], indirect=True)
async def test_the_secret_key_is_replaced_and_nobody_notices(stage: Stage) -> None:
    begin, balancer = time.monotonic(), stage.balancer
    visitors = [await stage.signs_in() for _ in range(VISITORS)]
    stranger = await stage.signs_in()
    answered, unanswered = (
        await stage.invites("dana@example.com"),
        await stage.invites("eve@example.com"),
    )
    waiting = await stage.mails_that_wait()
    async with stage.load(visitors):
        for _ in range(ROLLS):
            await balancer.roll_out(OLD, NEW)
        assert signers(visitors) == {key_id(OLD)}
        for _ in range(ROLLS):
            await balancer.roll_out(NEW, OLD)
        await balancer.until(lambda: signers(visitors) == {key_id(NEW)})
        said = await stage.authsvc(STATUS, RESEAL, RESEAL)
        people = [visitor for visitor in stage.people if visitor is not stranger]
        for visitor in people:
            await stage.refreshes_once(visitor)
        await balancer.until(lambda: signers(people) == {key_id(NEW)})
        said += await stage.authsvc(STATUS)
        guest = Visitor(stage.http, "dana@example.com")
        body = {"token": answered.token, "code": answered.code, "here": True}
        accepted = await balancer.post(guest, "/v1/sign-in/link/confirm", body)
        for _ in range(ROLLS):
            await balancer.roll_out(NEW)
        await stage.mails_are_due()
        mails = [asyncio.wait_for(stage.office.mail(one), PATIENCE) for one in waiting]
        await asyncio.gather(*mails)
    check_commands(said)
    assert accepted.verdict == "done", accepted
    gone = await balancer.post(stranger, RESUME)
    assert (gone.status, gone.verdict, gone.body["reason"]) == (200, "sign_in", "none")
    assert (await balancer.post(stranger, "/v1/logout")).status == 204
    late = Visitor(stage.http, "eve@example.com")
    refused = await balancer.post(late, "/v1/sign-in/link/inspect", {"token": unanswered.token})
    assert (refused.status, refused.verdict) == (410, "link_expired"), refused
    assert stage.troubles() == []
    assert all(len(ids) == 1 for ids in stage.office.ids.values()), "a mail was sent twice"
    report(
        f"Secret key replaced under load, {stage.backend.name}", refreshes=stage.refreshes,
        sign_ins=len(stage.people), mails=len(stage.office.ids), failed=0, signed_out=0,
        seconds=round(time.monotonic() - begin),
    )  # fmt: skip


def check_commands(said: list[tuple[int, str]]) -> None:
    """What the commands told beside the running processes."""
    assert [status for status, _ in said] == [0, 0, 0, 0], said
    printed = [out for _, out in said]
    before, after = uses(printed[0]), uses(printed[3])
    old, new = key_id(OLD), key_id(NEW)
    assert before[old]["sealed"]["outbox.payload"] == WAITING
    assert before[old]["sealed"]["onetime.address_sealed"] == 2
    assert before[old]["sessions"] > 1
    assert f"outbox.payload: {WAITING} of {WAITING}\n" in printed[1]
    assert "There was nothing to do." in printed[2]
    assert set(after[old]["sealed"].values()) == {0}
    assert after[new]["sealed"]["outbox.payload"] >= WAITING
    assert after[new]["sealed"]["signing_keys.private_sealed"] == 2
    assert (after[old]["sessions"], after[old]["invitations"]) == (1, 2)
    assert datetime.fromisoformat(after[old]["needed_until"]) > datetime.now(UTC)
    assert not any(OLD in out or NEW in out for out in printed)


def uses(printed: str) -> dict[str, Any]:
    return {use["key"]: use for use in json.loads(printed)}
