"""The same secret at the same instant, over connections of their own: one effect."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack

import pytest

from authsvc.kernel.ids import FLOW, new_id
from authsvc.onetime.service import Fate, Purpose, Redeemed
from tests.onetime.desk import Desk, asked

MANY = 16
ROUNDS = 3


def tally(outcomes: list[Redeemed | Fate]) -> Counter[str]:
    """How often each outcome came."""
    return Counter("redeemed" if isinstance(one, Redeemed) else one.value for one in outcomes)


@pytest.fixture
def desks(desk: Desk) -> list[Desk]:
    return [desk.another() for _ in range(MANY)]


async def test_one_of_many_redeems_a_token(desk: Desk, desks: list[Desk]) -> None:
    for _ in range(ROUNDS):
        token = (await desk.issue()).token.reveal()
        outcomes = await asyncio.gather(*(one.redeem(token) for one in desks))
        assert tally(outcomes) == {"redeemed": 1, "used": MANY - 1}


async def test_one_of_many_redeems_token_or_code(desk: Desk, desks: list[Desk]) -> None:
    user = await desk.person()
    for _ in range(ROUNDS):
        flow = new_id(FLOW)
        issued = await desk.issue(flow_id=flow, user_id=user, epoch=1)
        token, code = issued.token.reveal(), issued.code.reveal()
        outcomes = await asyncio.gather(
            *(one.redeem(token) for one in desks[::2]),
            *(one.code(code, flow) for one in desks[1::2]),
        )
        assert tally(outcomes) == {"redeemed": 1, "used": MANY - 1}


async def test_one_of_many_redeems_an_invitation(desk: Desk, desks: list[Desk]) -> None:
    for _ in range(ROUNDS):
        issued = await desk.issue(purpose=Purpose.INVITE, flow_id=None)
        token, code = issued.token.reveal(), issued.code.reveal()
        outcomes = await asyncio.gather(
            *(one.redeem(token, Purpose.INVITE, code=code) for one in desks)
        )
        assert tally(outcomes) == {"redeemed": 1, "used": MANY - 1}


async def test_of_many_issued_at_once_one_is_open(desk: Desk, desks: list[Desk]) -> None:
    for _ in range(ROUNDS):
        issued = await asyncio.gather(*(one.issue() for one in desks))
        fates = Counter([(await desk.peek(one)).fate for one in issued])
        assert fates == {Fate.FRESH: 1, Fate.EXPIRED: MANY - 1}


async def test_an_issue_sees_the_one_that_commits_before_it(desk: Desk) -> None:
    other = desk.another()
    async with desk.uow() as tx:
        first = await desk.secrets.issue(tx, **asked())
        waiting = asyncio.create_task(other.issue())
        await asyncio.wait([waiting], timeout=0.3)
        assert not waiting.done()
    second = await waiting
    assert (await desk.peek(first)).fate is Fate.EXPIRED
    assert (await desk.peek(second)).fate is Fate.FRESH


async def test_a_redeem_that_rolls_back_leaves_it_to_the_next(desk: Desk) -> None:
    other = desk.another()
    token = (await desk.issue()).token.reveal()
    async with AsyncExitStack() as rolls_back:
        tx = await rolls_back.enter_async_context(desk.uow())
        await desk.secrets.redeem_token(tx, token, purpose=Purpose.SIGN_IN)
        waiting = asyncio.create_task(other.redeem(token))
        await asyncio.wait([waiting], timeout=0.3)
        assert not waiting.done()
        await tx.session.rollback()
    assert isinstance(await waiting, Redeemed)
