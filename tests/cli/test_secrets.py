"""The secret key list from the command line, on both back ends. Spec: security.md C37, C50."""

import json
import os
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

import pytest
from sqlalchemy import select

from authsvc.bootstrap.services import Services, build
from authsvc.kernel.secret import Secret
from authsvc.notify.messages import Message, invite
from authsvc.notify.tables import OutboxMessage
from authsvc.settings import load
from tests.cli.conftest import SECRET, Authsvc
from tests.cli.test_operating import sign_up
from tests.databases import Backend, apart_async

Environ = Callable[..., None]
Answer = TypeVar("Answer")
NEW = "q8WvT2mXc6RzJ4bHn0sLd7yFgK1pEu5aV9xQo3iBtMw"
NEWER = "dS5gYx0ZrP3nVu8KqLh2TjWf6cMbE9oA4iRt7mXwQ1k"
COLUMNS = ("signing_keys.private_sealed", "outbox.payload", "onetime.address_sealed")
MAILS = 250  # more than two batches


def installed(work: Callable[[Services], Awaitable[Answer]]) -> Answer:
    """The work's result with the services that the environment describes."""

    async def run() -> Answer:
        services = build(load({k: v for k, v in os.environ.items() if k.startswith("AUTHSVC_")}))
        try:
            return await work(services)
        finally:
            await services.stop()

    return apart_async(run)


async def live(services: Services) -> None:
    """Signing keys, mails on their way, and an invitation that is not answered yet."""
    await services.keys.run_due()
    async with services.ground.uow() as tx:
        for number in range(MAILS):
            await services.rooms.outbox.put(tx, mail(f"guest{number}@example.com", tx.now))
    await services.people.invite("dana@example.com", locale="en", by="cli")


def mail(address: str, now: datetime) -> Message:
    link = Secret("https://auth.example.com/ui/link?t=x")
    return invite(address, locale="en", link=link, code=Secret("123456"), expires_at=now, days=7)


async def ids(services: Services) -> list[str]:
    return [use.id for use in await services.secrets.uses()]


def listed(*keys: str) -> str:
    return json.dumps(keys)


@pytest.fixture
def lived(operated: Backend, environ: Environ) -> tuple[str, str]:
    """A house with all that is sealed under the old key; the ids of the old and the new one."""
    installed(live)
    apart_async(sign_up)
    environ(secret_key=listed(NEW, SECRET))
    new, old = installed(ids)
    return old, new


def status(authsvc: Authsvc) -> dict[str, dict[str, object]]:
    return {use["key"]: use for use in json.loads(authsvc("secrets", "status", "--json").out)}


def test_status_tells_what_each_key_is_needed_for(authsvc: Authsvc, lived: tuple[str, str]) -> None:
    old, new = lived
    found = status(authsvc)
    assert list(found) == [new, old]
    assert found[new] == {
        "key": new, "place": 1, "sealed": dict.fromkeys(COLUMNS, 0), "sessions": 0,
        "invitations": 0, "needed_until": None,
    }  # fmt: skip
    assert found[old]["sealed"] == dict(zip(COLUMNS, (2, MAILS + 1, 1), strict=True))
    assert (found[old]["sessions"], found[old]["invitations"]) == (1, 1)
    lines = authsvc("secrets", "status").out.splitlines()
    assert lines[0].split() == ["KEY", "LIST", *map(str.upper, COLUMNS), "SESSIONS", "INVITATIONS"]
    assert lines[1].split() == [new, "first", "0", "0", "0", "0", "0"]
    assert lines[2].split() == [old, "2", "2", str(MAILS + 1), "1", "1", "1"]
    assert lines[3:] == [f"{old}: run `authsvc secrets reseal`"]


def test_resealing_shows_how_far_it_is_and_has_nothing_to_do_twice(
    authsvc: Authsvc, lived: tuple[str, str]
) -> None:
    old, new = lived
    said = authsvc("secrets", "reseal")
    total = MAILS + 1
    assert (said.status, said.out.splitlines()) == (
        0,
        [
            *(f"{COLUMNS[0]}: {done} of 2" for done in (0, 2)),
            *(f"{COLUMNS[1]}: {done} of {total}" for done in (0, 100, 200, total)),
            *(f"{COLUMNS[2]}: {done} of 1" for done in (0, 1)),
            f"{total + 3} values sealed anew under {new}.",
        ],
    )
    again = authsvc("secrets", "reseal")
    assert (again.status, again.out.splitlines()) == (
        0,
        [
            *(f"{column}: nothing to do" for column in COLUMNS),
            f"0 values sealed anew under {new}.",
            "There was nothing to do.",
        ],
    )
    found = status(authsvc)
    assert found[new]["sealed"] == dict(zip(COLUMNS, (2, total, 1), strict=True))
    assert found[old]["sealed"] == dict.fromkeys(COLUMNS, 0)
    verdict = authsvc("secrets", "status").out.splitlines()[-1]
    assert verdict.startswith(f"{old}: can leave the list at ")
    assert verdict.endswith("UTC at the latest; today that would end 1 session and 1 invitation")


def test_without_the_old_key_all_opens(
    authsvc: Authsvc, environ: Environ, lived: tuple[str, str]
) -> None:
    old, _ = lived
    authsvc("secrets", "reseal")
    environ(secret_key=NEW)
    assert old in status(authsvc), "her session is still signed under it"

    async def signs(services: Services) -> bool:
        await services.signing.load()
        return services.signing.is_ready

    assert installed(signs)
    environ(secret_key=listed(NEWER, NEW))
    said = authsvc("secrets", "reseal")
    assert (said.status, f"{MAILS + 4} values sealed anew" in said.out) == (0, True)


def test_what_was_moved_to_another_row_is_not_sealed_for_it(
    authsvc: Authsvc, lived: tuple[str, str]
) -> None:
    old, new = lived

    async def swap_two(services: Services) -> None:
        async with services.ground.uow() as tx:
            statement = select(OutboxMessage).limit(2)
            one, other = (await tx.session.execute(statement)).scalars().all()
            one.payload, other.payload = other.payload, one.payload

    installed(swap_two)
    said = authsvc("secrets", "reseal")
    assert said.status == 1
    assert f"2 values under {old} cannot be opened: damaged" in said.err
    assert status(authsvc)[new]["sealed"] == {
        COLUMNS[0]: 2, COLUMNS[1]: MAILS - 1, COLUMNS[2]: 1
    }  # fmt: skip


def test_a_key_dropped_too_early_is_named(
    authsvc: Authsvc, environ: Environ, lived: tuple[str, str]
) -> None:
    old, new = lived
    environ(secret_key=NEW)
    said = authsvc("secrets", "reseal")
    assert said.status == 1
    assert f"0 values sealed anew under {new}." in said.out
    assert f"{MAILS + 4} values under {old} cannot be opened: put that key back" in said.err
    lines = authsvc("secrets", "status").out.splitlines()
    assert lines[2].split()[:4] == [old, "not", "on", "it"]
    assert "put that key back on the list of secret_key" in lines[-1]
    environ(secret_key=listed(NEW, SECRET))
    assert authsvc("secrets", "reseal").status == 0


@pytest.mark.usefixtures("operated")
def test_a_key_that_nothing_needs_may_leave(authsvc: Authsvc, environ: Environ) -> None:
    environ(secret_key=listed(NEW, SECRET))
    last = authsvc("secrets", "status").out.splitlines()[-1]
    words = "can leave the list, 10 minutes after it was last first in any process"
    assert last.endswith(words)


@pytest.mark.usefixtures("lived")
def test_no_key_is_printed(authsvc: Authsvc) -> None:
    words = (("status",), ("status", "--json"), ("reseal",), ("reseal", "--help"))
    printed = "".join(said.out + said.err for said in (authsvc("secrets", *w) for w in words))
    assert "reseal" in printed
    assert SECRET not in printed
    assert NEW not in printed
