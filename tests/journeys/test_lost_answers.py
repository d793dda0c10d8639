"""A crash, a store put back, a change at the same instant: nobody is stranded, nothing doubles."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

from authsvc.account.idempotency import UNDER_WAY, Idempotency
from authsvc.kernel.clock import FrozenClock
from authsvc.kernel.errors import Code, Refusal
from authsvc.platform.ephemeral.memory import MemoryStore
from tests.actors import CHROME, Browser, Person
from tests.journeys.conftest import Stage, ann, changes, inbox, logs, stage

__all__ = ["ann", "changes", "inbox", "logs", "stage"]


async def flow_record(stage: Stage, ann: Person) -> tuple[str, bytes]:
    """The attempt's record in the store, as a snapshot would hold it."""
    pending = await ann.browser.get("/v1/flow")
    key = f"flow:{pending.json()['flow']['id']}"
    found = await stage.services.ground.store.get(key)
    assert found is not None
    return key, found.value


async def put_back(stage: Stage, record: tuple[str, bytes]) -> None:
    """The record as it was before the sign-in was written down."""
    key, value = record
    await stage.services.ground.store.delete(key)
    assert await stage.services.ground.store.put_if_absent(key, value, ttl=600)


async def counted(stage: Stage, sql: str) -> int:
    async with stage.services.ground.uow.reading() as tx:
        return int((await tx.session.execute(text(sql))).scalar_one())


async def test_the_code_that_signed_in_does_not_call_itself_wrong(
    stage: Stage, ann: Person
) -> None:
    mail = await ann.asks_for_mail()
    before = await flow_record(stage, ann)
    assert (await ann.browser.post("/v1/sign-in/email/code", {"code": mail.code})).is_success
    await put_back(stage, before)
    again = await ann.browser.post("/v1/sign-in/email/code", {"code": mail.code})
    assert (again.status_code, again.json()["code"]) == (409, "flow_step_mismatch")
    assert await counted(stage, "SELECT count(*) FROM sessions") == 1


async def test_an_attempt_that_led_to_a_session_leads_to_no_other(
    stage: Stage, ann: Person
) -> None:
    await ann.asks_for_mail()
    before = await flow_record(stage, ann)
    code = ann.inbox.last_link(ann.address).code
    assert (await ann.browser.post("/v1/sign-in/email/code", {"code": code})).is_success
    await put_back(stage, before)
    stage.clock.advance(31)
    assert (await ann.browser.post("/v1/sign-in/email/resend")).status_code == 202
    await stage.deliver()
    code = ann.inbox.last_link(ann.address).code
    refused = await ann.browser.post("/v1/sign-in/email/code", {"code": code})
    assert (refused.status_code, refused.json()["code"]) == (410, "flow_expired")
    assert (await ann.browser.get("/v1/flow")).json()["code"] == "flow_expired"
    assert await counted(stage, "SELECT count(*) FROM sessions") == 1
    stage.clock.advance(31)
    await ann.signs_in_by_code()


async def test_a_good_code_costs_no_try(stage: Stage, ann: Person) -> None:
    tries = "SELECT coalesce(sum(tries), 0) FROM guesses WHERE scope = 'first'"
    mail = await ann.asks_for_mail()
    other = await stage.browser(user_agent=CHROME)
    typed = {"token": mail.token, "here": True, "code": mail.code}
    assert (await other.post("/v1/sign-in/link/confirm", typed)).is_success
    stage.clock.advance(31)
    await ann.signs_in_by_code()
    assert await counted(stage, tries) == 0


@pytest.mark.parametrize("changes", [{"sessions": {"profile": "standard"}}])
async def test_a_sign_in_waits_for_a_role_that_is_being_given(stage: Stage, ann: Person) -> None:
    await ann.signs_in_by_code()
    stage.clock.advance(31)
    mail = await ann.asks_for_mail(stay_signed_in=True)
    rooms, uow = stage.services.rooms, stage.services.ground.uow
    async with uow() as tx:
        account = await rooms.accounts.find(tx, ann.address)
        assert account is not None
        await rooms.accounts.give_role(tx, account.id, "admin")
        await rooms.sessions.tighten(tx, user_id=account.id)
        signing_in = asyncio.create_task(
            ann.browser.post("/v1/sign-in/email/code", {"code": mail.code})
        )
        done, _ = await asyncio.wait([signing_in], timeout=0.3)
        assert not done
    answer = await signing_in
    assert answer.status_code == 200, answer.text
    assert answer.json()["session"]["profile"] == "strict"


async def test_parallel_sign_outs_everywhere_never_wait_for_each_other(
    stage: Stage, ann: Person
) -> None:
    browsers = []
    for _ in range(4):
        browser = await stage.browser()
        await ann.elsewhere(browser).signs_in_by_code()
        browsers.append(browser)
        stage.clock.advance(1801)
    answers = await asyncio.gather(
        *(browser.post("/v1/logout", {"scope": "all"}) for browser in browsers)
    )
    assert {answer.status_code for answer in answers} == {204}
    assert await counted(stage, "SELECT count(*) FROM sessions WHERE revoked_at IS NULL") == 0


async def test_parallel_revokes_of_the_others_leave_one_session(stage: Stage, ann: Person) -> None:
    people = []
    for _ in range(4):
        person = ann.elsewhere(await stage.browser())
        await person.signs_in_by_code()
        people.append(person)
        stage.clock.advance(1801)
    fresh = [(person.browser, await person.browser.bearer()) for person in people]
    answers = await asyncio.gather(
        *(
            browser.post("/v1/account/sessions/revoke", {"scope": "others"}, **bearer)
            for browser, bearer in fresh
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]
    assert await counted(stage, "SELECT count(*) FROM sessions WHERE revoked_at IS NULL") == 1


async def test_a_flow_put_back_is_exchanged_once(stage: Stage) -> None:
    app, flow, code = await asking_app(stage)
    await app.post("/v1/sign-in/email/code", {"code": code, "flow_token": flow["token"]})
    before = await record_of(stage, flow["id"])
    exchange = {"grant": "flow", "client_id": "cli", "flow_token": flow["token"]}
    assert (await app.post("/v1/token", exchange)).status_code == 200
    await put_back(stage, before)
    again = await app.post("/v1/token", exchange)
    assert (again.status_code, again.json()["code"]) == (410, "flow_expired")


async def test_a_request_that_died_blocks_its_key_for_seconds_only() -> None:
    clock = FrozenClock(datetime(2026, 11, 24, 9, 0, tzinfo=UTC))
    idempotency = Idempotency(MemoryStore(clock))
    calls: list[int] = []
    never = asyncio.Event()

    async def dies() -> int:
        await never.wait()
        return 0

    async def works() -> int:
        calls.append(1)
        return len(calls)

    asked: dict[str, Any] = {"owner": "usr_1", "asked": "revoke others"}
    dead = asyncio.create_task(idempotency.once("k-1", work=dies, **asked))
    await asyncio.sleep(0)
    with pytest.raises(Refusal) as busy:
        await idempotency.once("k-1", work=works, **asked)
    assert busy.value.code is Code.BUSY
    clock.advance(UNDER_WAY + 1)
    assert await idempotency.once("k-1", work=works, **asked) == 1
    assert await idempotency.once("k-1", work=works, **asked) == 1
    assert calls == [1]
    dead.cancel()


async def test_an_app_finds_its_session_when_the_record_missed_it(stage: Stage) -> None:
    app, flow, code = await asking_app(stage)
    before = await record_of(stage, flow["id"])
    await app.post("/v1/sign-in/email/code", {"code": code, "flow_token": flow["token"]})
    await put_back(stage, before)
    exchange = {"grant": "flow", "client_id": "cli", "flow_token": flow["token"]}
    assert (await app.post("/v1/token", exchange)).status_code == 200


async def test_an_app_finds_no_session_that_was_opened_elsewhere(stage: Stage) -> None:
    app, flow, code = await asking_app(stage)
    before = await record_of(stage, flow["id"])
    token = stage.inbox.last_link("ann@example.com").token
    elsewhere = await stage.browser()
    typed = {"token": token, "here": True, "code": code}
    assert (await elsewhere.post("/v1/sign-in/link/confirm", typed)).is_success
    await put_back(stage, before)
    exchange = {"grant": "flow", "client_id": "cli", "flow_token": flow["token"]}
    refused = await app.post("/v1/token", exchange)
    assert (refused.status_code, refused.json()["code"]) == (409, "flow_step_mismatch")


async def asking_app(stage: Stage) -> tuple[Browser, dict[str, Any], str]:
    """A native app that has asked for a message, its flow, and the code that came."""
    app = await stage.browser(origin=None)
    started = await app.post("/v1/sign-in/email", {"email": "ann@example.com", "client_id": "cli"})
    await stage.deliver()
    return app, started.json()["flow"], stage.inbox.last_link("ann@example.com").code


async def record_of(stage: Stage, flow_id: str) -> tuple[str, bytes]:
    key = f"flow:{flow_id}"
    found = await stage.services.ground.store.get(key)
    assert found is not None
    return key, found.value
