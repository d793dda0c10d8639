"""Security events become notices: the right ones, once, to the person they are about."""

import asyncio
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from sqlalchemy import text

from authsvc.kernel.events import (
    Event,
    RefreshRetriedLate,
    SessionReuseDetected,
    SessionsRevoked,
)
from authsvc.platform.loops import Job, Loop
from tests.actors import CHROME, Person
from tests.journeys.conftest import Stage, ann, changes, inbox, logs, stage

__all__ = ["ann", "changes", "inbox", "logs", "stage"]


@dataclass(frozen=True, slots=True)
class SessionLess(Event):
    """A sign-in that names no session, as no version of the service records it."""

    name: ClassVar[str] = "signed_in"
    user_id: str


async def user_of(stage: Stage) -> str:
    async with stage.services.ground.uow.reading() as tx:
        found = await stage.services.rooms.audit.pending(tx, limit=50)
    return next(event.user_id for event in found if event.user_id is not None)


async def record(stage: Stage, *events: Event) -> None:
    async with stage.services.ground.uow() as tx:
        for event in events:
            await stage.services.rooms.audit.record(tx, event, caller=None)


async def pending(stage: Stage) -> int:
    async with stage.services.ground.uow.reading() as tx:
        found = await tx.session.execute(text("SELECT count(*) FROM event_pending"))
        return int(found.scalar_one())


def notices(ann: Person) -> list[str]:
    return [mail.subject for mail in ann.inbox.mails if "/ui/link?t=" not in mail.text]


async def test_a_new_browser_is_told_and_a_known_one_is_not(stage: Stage, ann: Person) -> None:
    await ann.signs_in_by_code()
    await stage.deliver()
    stage.clock.advance(31)
    await ann.signs_in_by_code()
    await stage.deliver()
    assert notices(ann) == [], "neither the first sign-in nor the same browser again"
    stage.clock.advance(31)
    await ann.elsewhere(await stage.browser(user_agent=CHROME)).signs_in_by_code()
    await stage.deliver()
    assert [subject.startswith("New sign-in to Acme from Chrome") for subject in notices(ann)] == [
        True
    ]
    await stage.deliver()
    assert len(notices(ann)) == 1
    assert await pending(stage) == 0


async def test_each_event_has_its_notice(stage: Stage, ann: Person) -> None:
    await ann.signs_in_by_code()
    user = await user_of(stage)
    session = "ses_00000000000000000000000001"
    await record(
        stage,
        SessionReuseDetected(user, session),
        SessionsRevoked(user, "all", 3, "asked"),
        SessionsRevoked(user, "others", 2, "asked"),
        RefreshRetriedLate(user, session),
    )
    await stage.deliver()
    assert sorted(notices(ann)) == [
        "A session on Acme was ended for safety",
        "You were signed out of Acme everywhere",
    ]
    assert all(mail.to == (ann.address,) for mail in ann.inbox.mails)
    assert await pending(stage) == 0


async def test_two_relays_queue_one_notice(stage: Stage, ann: Person) -> None:
    await ann.signs_in_by_code()
    user = await user_of(stage)
    await record(stage, *(SessionsRevoked(user, "all", 1, "asked") for _ in range(30)))
    relay = stage.services.relay
    await asyncio.gather(*(relay.run_once() for _ in range(4)))
    async with stage.services.ground.uow.reading() as tx:
        found = await tx.session.execute(
            text("SELECT count(*) FROM outbox WHERE template = 'signed_out_everywhere'")
        )
        assert found.scalar_one() == 30
    assert await pending(stage) == 0


async def test_a_failing_job_ends_nothing_and_a_commit_wakes_the_loop(stage: Stage) -> None:
    uow, turns = stage.services.ground.uow, list[int]()
    third = asyncio.Event()

    async def failing() -> None:
        raise LookupError

    async def counting() -> None:
        turns.append(len(turns))
        if len(turns) == 3:
            third.set()
            return
        async with uow() as tx:
            tx.wake_worker()

    jobs: tuple[Any, ...] = (Job("failing", 0.0, failing), Job("counting", 0.0, counting))
    with pytest.raises(LookupError):
        await Loop(uow, jobs).run_once()
    running = asyncio.create_task(Loop(uow, jobs).run())
    async with asyncio.timeout(5):
        await third.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert turns == [0, 1, 2]


async def test_one_event_that_fails_holds_up_no_other(stage: Stage, ann: Person) -> None:
    await ann.signs_in_by_code()
    user = await user_of(stage)
    await record(
        stage, SessionLess(user), *(SessionsRevoked(user, "all", 1, "asked") for _ in range(60))
    )
    assert await stage.services.relay.run_once() > 60
    await stage.deliver()
    assert len(notices(ann)) == 60
    assert await pending(stage) == 1, "it is tried again at the next turn"
