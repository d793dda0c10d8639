"""Events: one for each change, nobody can alter them, nothing secret in them."""

import json
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.actors import CHROME, Person
from tests.journeys.conftest import Stage, ann, changes, inbox, logs, stage

__all__ = ["ann", "changes", "inbox", "logs", "stage"]


async def events(stage: Stage) -> list[tuple[str, dict[str, Any]]]:
    async with stage.services.ground.uow.reading() as tx:
        rows = await tx.session.execute(text("SELECT name, data FROM events ORDER BY id"))
        return [(name, json.loads(data)) for name, data in rows]


async def test_the_story_of_a_sign_in(stage: Stage, ann: Person) -> None:
    await ann.signs_in_by_code()
    await ann.browser.post("/v1/logout")
    names = [name for name, _ in await events(stage) if not name.startswith("signing_key")]
    assert names == ["sign_in_started", "signed_up", "signed_in", "signed_out"]


async def test_nobody_changes_or_removes_an_event(stage: Stage, ann: Person) -> None:
    await ann.signs_in_by_code()
    before = await events(stage)

    async def run(statement: str) -> None:
        async with stage.services.ground.uow() as tx:
            await tx.session.execute(text(statement))

    sqlite = stage.services.ground.database.is_sqlite
    wipe = (
        "INSERT OR REPLACE INTO events SELECT * FROM events"
        if sqlite
        else "TRUNCATE events CASCADE"
    )
    for statement in ("UPDATE events SET name = 'x'", "DELETE FROM events", wipe):
        with pytest.raises(DBAPIError):
            await run(statement)
    assert await events(stage) == before


async def test_no_secret_reaches_database_logs_or_later_mails(
    stage: Stage, ann: Person, capfd: pytest.CaptureFixture[str]
) -> None:
    mail = await ann.asks_for_mail()
    await ann.browser.post("/v1/sign-in/email/code", {"code": mail.code})
    credential = ann.browser.credential or ""
    flow = ann.browser.http.cookies.get("__Host-authsvc_flow") or ""
    bearer = (await ann.browser.bearer())["Authorization"].removeprefix("Bearer ")
    stage.clock.advance(30)
    await ann.elsewhere(await stage.browser(user_agent=CHROME)).signs_in_by_code()
    secrets = {
        "token": mail.token,
        "credential": credential.rpartition(".")[2],
        "flow cookie": flow,
        "access token": bearer.rpartition(".")[2],
    }
    dump = await everything(stage)
    printed = "".join(capfd.readouterr())
    notices = "".join(one.text for one in ann.inbox.mails if one is not mail)
    for name, secret in secrets.items():
        assert len(secret) >= 40, name
        for place, found in (("database", dump), ("logs", printed), ("mails", notices)):
            assert secret not in found, f"{name} in {place}"
    assert ann.address not in printed


async def everything(stage: Stage) -> str:
    """Every row of every table as text."""
    ground = stage.services.ground
    lines: list[str] = []
    async with ground.uow.reading() as tx:
        for table in ("users", "sessions", "onetime", "outbox", "events", "event_origins",
                      "guesses", "signing_keys"):  # fmt: skip
            rows = await tx.session.execute(text("SELECT * FROM " + table))
            lines += [repr(tuple(row)) for row in rows]
    return "\n".join(lines)
