"""Mailed links and codes: once, for one purpose, the newest, in time. Spec: security.md B2."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import update

from authsvc.accounts import repo as accounts
from authsvc.accounts.tables import User
from authsvc.crypto.keyring import Keyring
from authsvc.crypto.sealing import Sealer
from authsvc.guesses import repo as guess_repo
from authsvc.guesses.service import Caps, Guesses
from authsvc.guesses.settings import GuessSettings, MailCapSettings
from authsvc.kernel.clock import FrozenClock
from authsvc.kernel.ids import FLOW, USER, new_id
from authsvc.onetime.service import Fate, Issued, OneTimeSecrets, Purpose, Redeemed
from authsvc.onetime.settings import OneTimeSettings
from authsvc.platform.db.engine import open_database
from authsvc.platform.db.uow import UnitOfWork

ADDRESS = "ann@example.com"
OLD, NEW = b"o" * 32, b"n" * 32


@dataclass(slots=True)
class Desk:
    uow: UnitOfWork
    clock: FrozenClock
    secrets: OneTimeSecrets

    async def issue(self, **changes: Any) -> Issued:
        asked: dict[str, Any] = {
            "purpose": Purpose.SIGN_IN, "address": ADDRESS, "user_id": None, "epoch": 0,
            "flow_id": new_id(FLOW),
        }  # fmt: skip
        async with self.uow() as tx:
            return await self.secrets.issue(tx, **(asked | changes))

    async def redeem(self, token: str, purpose: Purpose = Purpose.SIGN_IN, **more: Any) -> Any:
        async with self.uow() as tx:
            return await self.secrets.redeem_token(tx, token, purpose=purpose, **more)

    async def code(self, code: str, flow_id: str) -> Any:
        async with self.uow() as tx:
            return await self.secrets.redeem_code(
                tx, code, purpose=Purpose.SIGN_IN, flow_id=flow_id
            )


def secrets_with(*roots: bytes) -> OneTimeSecrets:
    ring = Keyring.of(roots)
    return OneTimeSecrets(ring, Sealer(ring), OneTimeSettings())


@pytest.fixture
async def desk(backend: Any) -> AsyncIterator[Desk]:
    database = open_database(backend.database_url)
    clock = FrozenClock(datetime(2026, 11, 24, 9, 0, tzinfo=UTC))
    yield Desk(UnitOfWork(database, clock), clock, secrets_with(NEW))
    await database.dispose()


async def test_one_of_many_redeems(desk: Desk) -> None:
    token = (await desk.issue()).token.reveal()
    outcomes = await asyncio.gather(*(desk.redeem(token) for _ in range(16)))
    assert sum(isinstance(one, Redeemed) for one in outcomes) == 1
    assert outcomes.count(Fate.USED) == 15


async def test_code_and_token_are_one_secret(desk: Desk) -> None:
    flow = new_id(FLOW)
    issued = await desk.issue(flow_id=flow)
    assert isinstance(await desk.code(issued.code.reveal(), flow), Redeemed)
    assert await desk.redeem(issued.token.reveal()) is Fate.USED


async def test_another_flow_or_purpose(desk: Desk) -> None:
    issued = await desk.issue()
    assert await desk.code(issued.code.reveal(), new_id(FLOW)) is Fate.UNKNOWN
    assert await desk.redeem(issued.token.reveal(), Purpose.INVITE) is Fate.UNKNOWN
    assert isinstance(await desk.redeem(issued.token.reveal()), Redeemed)


async def test_newest_only(desk: Desk) -> None:
    flow = new_id(FLOW)
    old = await desk.issue(flow_id=flow)
    other = await desk.issue(address="bob@example.com")
    await desk.issue(flow_id=flow)
    assert await desk.redeem(old.token.reveal()) is Fate.EXPIRED
    assert isinstance(await desk.redeem(other.token.reveal()), Redeemed)


async def test_expiry(desk: Desk) -> None:
    issued = await desk.issue()
    desk.clock.advance(599.9)
    async with desk.uow.reading() as tx:
        assert (await desk.secrets.peek(tx, issued.token.reveal())).fate is Fate.FRESH
    desk.clock.advance(0.1)
    assert await desk.redeem(issued.token.reveal()) is Fate.EXPIRED


async def test_an_epoch_change_voids(desk: Desk) -> None:
    user = new_id(USER)
    async with desk.uow() as tx:
        await accounts.add(tx, user_id=user, address=ADDRESS, locale=None)
    issued = await desk.issue(user_id=user, epoch=1)
    async with desk.uow() as tx:
        await tx.session.execute(update(User).values(auth_epoch=2))
    assert await desk.redeem(issued.token.reveal()) is Fate.EXPIRED


async def test_wrong_code_leaves_the_token_open(desk: Desk) -> None:
    issued = await desk.issue()
    wrong = f"{(int(issued.code.reveal()) + 1) % 1_000_000:06d}"
    for code in (wrong, "", "12345", "1234567", "٠٠٠٠٠٠", "12345a", "+12345"):
        assert await desk.redeem(issued.token.reveal(), code=code) is Fate.UNKNOWN
    assert isinstance(await desk.redeem(issued.token.reveal(), code=issued.code.reveal()), Redeemed)


async def test_altered_tokens(desk: Desk) -> None:
    token = (await desk.issue()).token.reveal()
    for at in range(len(token)):
        other = "A" if token[at] != "A" else "B"
        assert await desk.redeem(token[:at] + other + token[at + 1 :]) is Fate.UNKNOWN
    for odd in (token + "A", token[:-1], token + "=", " " + token, token + "\n", ""):
        assert await desk.redeem(odd) is Fate.UNKNOWN
    assert isinstance(await desk.redeem(token), Redeemed)


async def test_secret_key_rotation(desk: Desk) -> None:
    desk.secrets = secrets_with(OLD)
    flow = new_id(FLOW)
    issued = await desk.issue(flow_id=flow)
    invited = await desk.issue(purpose=Purpose.INVITE, flow_id=None)
    desk.secrets = secrets_with(NEW, OLD)
    assert isinstance(await desk.code(issued.code.reveal(), flow), Redeemed)
    redeemed = await desk.redeem(invited.token.reveal(), Purpose.INVITE, code=invited.code.reveal())
    assert redeemed.address == ADDRESS


async def test_sweep(desk: Desk) -> None:
    await desk.issue()
    desk.clock.advance(86400 + 599)
    async with desk.uow() as tx:
        assert await desk.secrets.sweep(tx) == 0
    desk.clock.advance(2)
    async with desk.uow() as tx:
        assert await desk.secrets.sweep(tx) == 1


class TestBudgets:
    async def test_parallel_tries_never_pass_the_maximum(self, desk: Desk) -> None:
        guesses = Guesses(desk.uow, GuessSettings())
        tries = await asyncio.gather(
            *(guesses.spend("first", "k", maximum=10, window=900) for _ in range(30))
        )
        assert sorted(one for one in tries if one is not None) == list(range(1, 11))
        assert 0 < await guesses.retry_after("first", "k", window=900) <= 900
        desk.clock.advance(900)
        assert await guesses.spend("first", "k", maximum=10, window=900) == 1

    async def test_success_gives_back_its_own_try_only(self, desk: Desk) -> None:
        guesses = Guesses(desk.uow, GuessSettings())
        for _ in range(3):
            await guesses.spend("first", "k", maximum=10, window=900)
        await guesses.give_back("first", "k")
        assert await guesses.used("first", "k", window=900) == 2

    async def test_caps_are_charged_all_or_none(self, desk: Desk) -> None:
        caps = Caps(MailCapSettings())

        async def ask(*, own: bool = False) -> int | None:
            try:
                async with desk.uow() as tx:
                    wait = await caps.spend_mail(tx, "k", own=own)
                    if wait is not None:
                        raise LookupError(wait)
            except LookupError as refused:
                return int(refused.args[0])
            return None

        assert await ask() is None
        assert await ask() == 30
        for _ in range(4):
            desk.clock.advance(30)
            assert await ask() is None
        desk.clock.advance(30)
        wait = await ask()
        assert wait is not None
        assert 3300 < wait <= 3600
        assert await ask(own=True) is None, "a browser known to the account has its own"
        async with desk.uow.reading() as tx:
            assert (await guess_repo.read(tx, "mail any 86400", "k", window=86400))[0] == 5
