"""Signing keys change under load and nobody is refused. Spec: security.md C36, C37, G7."""

import asyncio
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import jwt
import pytest

from authsvc.kernel.clock import ShiftedClock
from authsvc.keys.lifecycle import SETTLE, SPREAD, YOUNGEST, State
from authsvc.verify import KeysUnavailable, TokenInvalid, Verifier
from authsvc.verify.freshness import Terms
from authsvc.verify.jose import MAX_KEYS
from tests.actors import Browser, Person
from tests.databases import Backend
from tests.faults.rotation_stage import AUDIENCE, SCALED, SPEED, House, Jose, houses, jose
from tests.live import free_port
from tests.mail import Inbox, smtp_inbox
from tests.scale import ROTATIONS, UNKNOWN_KIDS, pick, report
from tests.verify.forge import Ticking

LOAD = 0.2  # seconds of load before, between and after the steps of a rotation
BURST = 100
ONE_BACK_END = pytest.mark.parametrize("two_process_backend", ["sqlite-redis"], indirect=True)
TOKEN_LIFE = 330.0


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with smtp_inbox() as found:
        yield found


@pytest.fixture
async def pair(two_process_backend: Backend, inbox: Inbox) -> AsyncIterator[tuple[House, House]]:
    """Two processes on one database, both old enough for their next key to sign."""
    clock = ShiftedClock()
    ports = free_port(), free_port()
    async with houses(two_process_backend, inbox, *ports, clock=clock) as (one, other):
        yield one, other


@pytest.fixture
async def house(pair: tuple[House, House]) -> House:
    return pair[0]


@dataclass
class Load:
    """Tokens being issued by both processes and checked by everybody, for as long as told."""

    browsers: list[Browser]
    guards: list[Verifier]
    node: Jose
    tokens: list[str] = field(default_factory=list[str])
    kids: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    checks: int = 0
    issued: int = 0

    async def run(self, *steps: Callable[[], Awaitable[Any]]) -> None:
        """Load, a step, load, the next step, load. The first failure ends it."""
        self.tokens.clear()
        for browser in self.browsers:
            await self._issue(browser)
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as together:
            for browser in self.browsers:
                together.create_task(self._issuing(browser, stop))
            for n, guard in enumerate(self.guards):
                together.create_task(self._checking(guard, f"python {n}", stop))
            together.create_task(self._node_checking(stop))
            try:
                await asyncio.sleep(LOAD)
                for step in steps:
                    await step()
                    await asyncio.sleep(LOAD)
            finally:
                stop.set()

    async def _issuing(self, browser: Browser, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self._issue(browser)

    async def _issue(self, browser: Browser) -> None:
        envelope = await browser.resume(audience=AUDIENCE)
        self.tokens.append(envelope["access_token"])
        self.issued += 1

    async def _checking(self, guard: Verifier, name: str, stop: asyncio.Event) -> None:
        turn = 0
        while not stop.is_set():
            token = self._pick(turn)
            turn += 1
            await guard.verify(token)
            self._checked(name, token)
            await asyncio.sleep(0)

    async def _node_checking(self, stop: asyncio.Event) -> None:
        turn = 0
        while not stop.is_set():
            batch = [self._pick(turn + i) for i in range(8)]
            turn += len(batch)
            verdicts = await self.node.verdicts(batch)
            for token, verdict in zip(batch, verdicts, strict=True):
                assert "me" in verdict, verdict
                self._checked("jose", token)

    def _pick(self, turn: int) -> str:
        """The newest token every second time, else one after the other of this round's."""
        return self.tokens[-1 if turn % 2 else turn // 2 % len(self.tokens)]

    def _checked(self, name: str, token: str) -> None:
        self.checks += 1
        self.kids.setdefault(name, set()).add(kid_of(token))


@pytest.fixture
async def load(pair: tuple[House, House], inbox: Inbox) -> AsyncIterator[Load]:
    """Ann's two tabs, one at each process; verifiers on each key set; a Node service."""
    one, other = pair
    async with AsyncExitStack() as closing:
        ann = await one.person(inbox)
        closing.push_async_callback(ann.browser.http.aclose)
        one.clock.advance(31)
        bob = await other.person(inbox)
        closing.push_async_callback(bob.browser.http.aclose)
        node = await closing.enter_async_context(jose(one.url))
        guards = [
            one.verifier(terms=SCALED, cache_size=0),
            other.verifier(terms=SCALED, cache_size=0),
            one.verifier(terms=SCALED),
        ]
        yield Load([ann.browser, bob.browser], guards, node)


def kid_of(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


async def test_rotations_under_load_refuse_no_good_token(
    pair: tuple[House, House], load: Load, two_process_backend: Backend
) -> None:
    one, other = pair
    began, most = time.monotonic(), 0
    first = one.signs_with

    async def rotate() -> None:
        before = one.signs_with
        key = await one.services.keys.rotate()
        assert (key.kid, key.state) == (one.signs_with, State.ACTIVE)
        assert other.signs_with == before  # it has not heard of it
        assert key.kid in other.published

    for _ in range(ROTATIONS):
        one.clock.advance(YOUNGEST.total_seconds())
        await one.services.keys.run_due()
        await other.services.signing.load()
        await load.run(rotate, other.services.signing.load)
        assert one.signs_with == other.signs_with
        most = max(most, len(one.published))
    assert most <= 4
    assert all(len(kids) == ROTATIONS + 1 and first in kids for kids in load.kids.values())
    assert set(load.kids) == {"jose", "python 0", "python 1", "python 2"}
    report(
        f"Key rotation under load, {two_process_backend.name}", rotations=ROTATIONS,
        tokens=load.issued, checks=load.checks, refused=0, keys_published_at_most=most,
        seconds=round(time.monotonic() - began, 1),
    )  # fmt: skip


async def test_an_emergency_under_load_refuses_no_good_token(
    pair: tuple[House, House], load: Load, two_process_backend: Backend
) -> None:
    one, other = pair
    leaked = one.signs_with

    async def emergency() -> None:
        await one.services.keys.rotate(emergency=True)

    await load.run(emergency)
    assert {leaked} == load.kids["jose"]
    one.clock.advance(30)
    await other.services.signing.load()
    await load.run()
    one.clock.advance((SPREAD - timedelta(seconds=30)).total_seconds())
    await load.run(one.services.signing.load, other.services.signing.load)
    assert one.signs_with == other.signs_with != leaked
    assert all(kids == {leaked, one.signs_with} for kids in load.kids.values())
    last_word = load.tokens[0]
    assert kid_of(last_word) == leaked
    one.clock.advance(TOKEN_LIFE + SETTLE.total_seconds())
    await one.services.keys.run_due()
    assert leaked not in one.published
    fresh = one.verifier()
    with pytest.raises(TokenInvalid):
        await fresh.verify(last_word)
    report(
        f"Emergency rotation under load, {two_process_backend.name}", tokens=load.issued,
        checks=load.checks, refused=0,
    )  # fmt: skip


def with_kid(token: str, kid: str) -> str:
    """The token under the name of another key."""
    header = jwt.get_unverified_header(token) | {"kid": kid}
    head = urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    return ".".join([head, *token.split(".")[1:]])


@ONE_BACK_END
async def test_unknown_keys_cost_one_fetch_a_cool_down(house: House, inbox: Inbox) -> None:
    ann = await house.person(inbox)
    good = (await ann.browser.resume(audience=AUDIENCE))["access_token"]
    monotonic, terms = Ticking(0.0), Terms()
    guard = house.verifier(terms=terms, monotonic=monotonic)
    await guard.verify(good)
    assert house.asked == 1
    bursts = UNKNOWN_KIDS // BURST
    for burst in range(bursts):
        monotonic.at += terms.cooldown
        bent = [with_kid(good, f"nobody-{burst}-{n}") for n in range(BURST)]
        answers = await asyncio.gather(*map(guard.verify, bent), return_exceptions=True)
        assert [type(answer) for answer in answers] == [TokenInvalid] * BURST
        await guard.verify(good)
        assert house.asked == 2 + burst
    await ann.browser.http.aclose()
    report("Unknown key ids, Python", tokens=UNKNOWN_KIDS, cool_downs=bursts, fetches=house.asked)


@ONE_BACK_END
async def test_unknown_keys_cost_node_one_fetch_a_cool_down(house: House, inbox: Inbox) -> None:
    ann = await house.person(inbox)
    good = (await ann.browser.resume(audience=AUDIENCE))["access_token"]
    async with jose(house.url) as node:
        [said] = await node.verdicts([good])
        assert "me" in said
        began = time.monotonic()
        for burst in range(UNKNOWN_KIDS // BURST):
            bent = [with_kid(good, f"nobody-{burst}-{n}") for n in range(BURST)]
            for verdict in await node.verdicts(bent):
                assert verdict["refusal"]["code"] == "token_invalid"
        [said] = await node.verdicts([good])
        assert "me" in said
        cool_downs = (time.monotonic() - began) * SPEED / 15
    await ann.browser.http.aclose()
    assert house.asked <= 2 + cool_downs
    report("Unknown key ids, Node", tokens=UNKNOWN_KIDS, fetches=house.asked)


@ONE_BACK_END
async def test_an_hour_without_the_issuer_refuses_no_good_token(house: House, inbox: Inbox) -> None:
    clock, terms = house.clock, Terms()
    clock.advance(YOUNGEST.total_seconds())
    await house.services.keys.run_due()
    ann = await house.person(inbox)
    guard = house.verifier(monotonic=lambda: clock.now().timestamp())
    await guard.verify(await token_of(ann))
    await house.close()
    kids = set[str]()
    minutes = int(terms.fresh + terms.stale) // 60 - 1
    for minute in range(minutes):
        clock.advance(60)
        if minute == minutes // 2:
            await house.services.keys.rotate()  # its successor was known before
        token = await token_of(ann)
        await guard.verify(token)
        kids.add(kid_of(token))
    assert len(kids) == 2
    clock.advance(120)
    with pytest.raises(KeysUnavailable):  # nobody can tell; nobody is told that it is bad
        await guard.verify(await token_of(ann))
    await house.open()
    clock.advance(terms.retry)
    await guard.verify(await token_of(ann))
    await ann.browser.http.aclose()
    report("Issuer away, Python", minutes=minutes, refused=0)


async def token_of(person: Person) -> str:
    return str((await person.browser.resume(audience=AUDIENCE))["access_token"])


async def test_a_hand_over_in_one_process_is_checked_with_the_keys_of_another(
    pair: tuple[House, House], inbox: Inbox
) -> None:
    one, other = pair
    ann = await one.person(inbox)
    for _ in range(pick(ci=3, soak=30)):
        one.clock.advance(YOUNGEST.total_seconds())
        await one.services.keys.run_due()
        await other.services.signing.load()
        before = await token_of(ann)
        await one.services.keys.rotate()
        after = await token_of(ann)
        assert kid_of(after) != kid_of(before)
        guard = other.verifier()  # cold: it has nothing but what the other one publishes
        await guard.verify(after)
        await guard.verify(before)
        assert len(other.published) <= MAX_KEYS
    await ann.browser.http.aclose()
