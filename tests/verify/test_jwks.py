"""The key cache: one fetch where many ask, and an outage refuses no good token.

Spec: api.md §14.2, security.md C36, C61, G7.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from authsvc.verify import KeysUnavailable, TokenInvalid, Verifier, jwks
from authsvc.verify.download import Download
from authsvc.verify.jose import SUPPORTED
from authsvc.verify.jwks import PATIENCE, JwksCache
from tests.verify.forge import (
    AUDIENCE,
    ISSUER,
    NOW,
    Issuer,
    SigningKey,
    Ticking,
    claims,
    compact,
    es256,
    key_set,
)

ONE, TWO = es256("one"), es256("two")
URL = ISSUER + "/.well-known/jwks.json"
Work = Callable[[], None]


@dataclass
class Stage:
    """A cache whose fetches wait until the test lets them run."""

    issuer: Issuer
    clock: Ticking = field(default_factory=lambda: Ticking(1000.0))
    pending: list[Work] = field(default_factory=list[Work])
    rebound: int = 0

    def __post_init__(self) -> None:
        self.cache = JwksCache(
            download=Download(URL, transport=self.issuer.transport),
            algorithms=SUPPORTED,
            monotonic=self.clock,
            spawn=self.pending.append,
            rebound=self._count,
        )

    def _count(self) -> None:
        self.rebound += 1

    async def run(self) -> None:
        """Lets all waiting fetches happen."""
        while self.pending:
            await asyncio.to_thread(self.pending.pop(0))

    async def key(self, kid: str) -> str | None:
        """Asks, lets a fetch happen if one is needed, and gives the key's name."""
        asking = asyncio.ensure_future(self.cache.key(kid))
        while not asking.done():
            await settle()
            await self.run()
        found = await asking
        return found and found.kid

    @property
    def fetches(self) -> int:
        return len(self.issuer.asked)


async def settle() -> None:
    """Lets every task go as far as it gets."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
def stage() -> Stage:
    return Stage(Issuer(key_set(ONE)))


async def test_fresh_keys_cost_nothing(stage: Stage) -> None:
    assert await stage.key("one") == "one"
    for _ in range(1000):
        stage.clock.at += 0.299
        assert await stage.key("one") == "one"
    assert stage.fetches == 1
    assert stage.pending == []


async def test_stale_keys_answer_at_once_while_one_fetch_runs_behind(stage: Stage) -> None:
    await stage.key("one")
    stage.clock.at += 300
    for _ in range(50):
        found = await stage.cache.key("one")  # nothing has run yet, so nobody waited
        assert found is not None
    assert stage.fetches == 1
    assert len(stage.pending) == 1
    stage.issuer.body = key_set(TWO)
    await stage.run()
    assert stage.fetches == 2
    assert stage.cache.known("two")
    assert not stage.cache.known("one")  # removed keys go with the next good fetch


async def test_many_ask_one_fetches(stage: Stage) -> None:
    asking = [asyncio.ensure_future(stage.cache.key("one")) for _ in range(200)]
    await settle()
    assert len(stage.pending) == 1
    await stage.run()
    assert {found and found.kid for found in await asyncio.gather(*asking)} == {"one"}
    assert stage.fetches == 1


async def test_whoever_goes_away_takes_nobody_along(stage: Stage) -> None:
    asking = [asyncio.ensure_future(stage.cache.key("one")) for _ in range(3)]
    await settle()
    asking[0].cancel()
    await settle()
    await stage.run()
    assert [found and found.kid for found in await asyncio.gather(*asking[1:])] == ["one", "one"]


async def test_a_flood_of_unknown_names_costs_one_fetch_a_cool_down(stage: Stage) -> None:
    await stage.key("one")
    for second in range(60):
        for number in range(50):
            assert await stage.key(f"invented-{second}-{number}") is None
        assert await stage.key("one") == "one"
        stage.clock.at += 1
    assert stage.fetches == 1 + 4


async def test_a_new_key_is_found_at_once(stage: Stage) -> None:
    await stage.key("one")
    stage.issuer.body = key_set(ONE, TWO)
    assert await stage.key("two") == "two"
    assert stage.fetches == 2


async def test_an_unknown_name_that_meets_a_fetch_under_way_gets_its_own(stage: Stage) -> None:
    """The answer under way may be older than the key."""
    await stage.key("one")
    stage.clock.at += 300
    await stage.cache.key("one")
    asking = asyncio.ensure_future(stage.cache.key("two"))
    await settle()
    await asyncio.to_thread(stage.pending.pop(0))
    stage.issuer.body = key_set(ONE, TWO)
    await settle()
    await stage.run()
    found = await asking
    assert found is not None
    assert stage.fetches == 3


async def test_an_outage_of_an_hour_refuses_no_good_token(stage: Stage) -> None:
    await stage.key("one")
    stage.clock.at += 299
    stage.issuer.down = True
    for _ in range(3600):
        assert await stage.key("one") == "one"
        stage.clock.at += 1
    assert stage.fetches <= 1 + 3600 / 5
    stage.issuer.down = False
    assert await stage.key("one") == "one"
    await stage.run()
    before = stage.fetches
    assert await stage.key("one") == "one"
    assert stage.fetches == before


async def test_after_that_nobody_can_tell(stage: Stage) -> None:
    await stage.key("one")
    stage.issuer.down = True
    stage.clock.at += 3900
    assert not stage.cache.known("one")
    with pytest.raises(KeysUnavailable):
        await stage.key("one")
    stage.issuer.down = False
    stage.clock.at += 5
    assert await stage.key("one") == "one"


async def test_cold_and_down_is_unavailable_with_five_seconds_between_tries(stage: Stage) -> None:
    stage.issuer.down = True
    for _ in range(20):
        with pytest.raises(KeysUnavailable) as refused:
            await stage.key("one")
        assert 1 <= refused.value.retry_after <= 5
        stage.clock.at += 1
    assert stage.fetches == 4


async def test_unknown_while_the_issuer_is_away_is_no_refusal_of_the_token(stage: Stage) -> None:
    await stage.key("one")
    stage.issuer.down = True
    for _ in range(10):
        with pytest.raises(KeysUnavailable):
            await stage.key("two")
        assert await stage.key("one") == "one"
    assert stage.fetches == 2


BROKEN: dict[str, Callable[[Issuer], Any]] = {
    "status 500": lambda issuer: setattr(issuer, "status", 500),
    "status 404": lambda issuer: setattr(issuer, "status", 404),
    "redirect": lambda issuer: (
        setattr(issuer, "status", 302),
        issuer.headers.update(Location="https://evil.example/jwks.json"),
    ),
    "no content": lambda issuer: setattr(issuer, "status", 204),
    "not JSON": lambda issuer: setattr(issuer, "body", b"<html>"),
    "no keys": lambda issuer: setattr(issuer, "body", b'{"keys":[]}'),
    "only unusable keys": lambda issuer: setattr(
        issuer, "body", compact({"keys": [ONE.jwk(use="enc")]})
    ),
    "too large": lambda issuer: setattr(issuer, "body", b" " * 65_537),
    "packed": lambda issuer: issuer.headers.update({"Content-Encoding": "gzip"}),
}


@pytest.mark.parametrize("fault", BROKEN)
async def test_a_failed_fetch_empties_nothing(fault: str, stage: Stage) -> None:
    await stage.key("one")
    BROKEN[fault](stage.issuer)
    stage.clock.at += 300
    assert await stage.key("one") == "one"
    await stage.run()
    assert await stage.key("one") == "one"
    assert stage.fetches == 2
    assert {str(request.url) for request in stage.issuer.asked} == {URL}


async def test_a_fetch_that_breaks_in_another_way_leaves_nobody_waiting(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_request: object) -> Any:
        raise LookupError("no such thing")

    stage.cache.download.transport = stage.issuer.transport.__class__(broken)
    with pytest.raises(KeysUnavailable):
        await stage.key("one")
    assert "broke" in caplog.text


async def test_no_thread_to_be_had_is_a_failed_fetch(stage: Stage) -> None:
    def refuse(_work: Work) -> None:
        raise RuntimeError("can't start new thread")

    stage.cache.spawn = refuse
    with pytest.raises(KeysUnavailable):
        await stage.cache.key("one")


async def test_a_fetch_that_hangs_counts_as_failed(stage: Stage) -> None:
    await stage.key("one")
    stage.clock.at += 300
    await stage.cache.key("one")
    lost = stage.pending.pop()
    stage.clock.at += PATIENCE
    assert await stage.cache.key("one")
    assert stage.pending == []
    stage.clock.at += 5
    stage.issuer.body = key_set(TWO)
    assert await stage.cache.key("one")
    await stage.run()
    stage.issuer.body = key_set(ONE)
    await asyncio.to_thread(lost)
    assert stage.cache.known("two")  # what comes too late counts for nothing


WAYS: dict[str, Callable[[JwksCache], Awaitable[object]]] = {
    "awaited": lambda cache: cache.key("one"),
    "blocking": lambda cache: asyncio.to_thread(cache.key_sync, "one"),
}


@pytest.mark.parametrize("way", WAYS)
async def test_nobody_waits_for_ever(
    way: str, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "PATIENCE", 0.01)
    with pytest.raises(KeysUnavailable):
        await WAYS[way](stage.cache)
    await stage.run()  # at last it comes, too late
    assert not stage.cache.known("one")


async def test_reload_fetches_now_and_what_was_removed_is_gone(stage: Stage) -> None:
    await stage.key("one")
    stage.issuer.body = key_set(TWO)
    reloading = asyncio.ensure_future(stage.cache.reload())
    await settle()
    await stage.run()
    await reloading
    assert (stage.cache.known("one"), stage.cache.known("two")) == (False, True)


async def test_reload_never_takes_an_answer_that_was_under_way(stage: Stage) -> None:
    await stage.key("one")
    stage.clock.at += 300
    await stage.cache.key("one")
    reloading = [asyncio.ensure_future(stage.cache.reload()) for _ in range(3)]
    await settle()
    await asyncio.to_thread(stage.pending.pop(0))
    await settle()
    assert not any(task.done() for task in reloading)
    stage.issuer.body = key_set(TWO)
    await stage.run()
    await asyncio.gather(*reloading)
    assert stage.fetches == 3
    assert not stage.cache.known("one")


async def test_a_reload_that_fails_says_so_and_keeps_the_keys(stage: Stage) -> None:
    await stage.key("one")
    stage.issuer.down = True
    reloading = asyncio.ensure_future(stage.cache.reload())
    await settle()
    await stage.run()
    with pytest.raises(KeysUnavailable):
        await reloading
    assert stage.cache.known("one")


async def test_a_name_that_means_another_key_is_told(stage: Stage) -> None:
    await stage.key("one")
    stage.clock.at += 300
    await stage.key("one")
    await stage.run()
    assert stage.rebound == 0
    stage.issuer.body = key_set(es256("one"))
    stage.clock.at += 300
    await stage.key("one")
    await stage.run()
    assert stage.rebound == 1


# The same with real threads, through the verifier.


def guard(issuer: Issuer, **changed: Any) -> Verifier:
    return Verifier(
        issuer=ISSUER, audience=AUDIENCE, transport=issuer.transport, now=lambda: NOW, **changed
    )


def token(key: SigningKey) -> str:
    return key.sign(claims())


async def test_200_at_once_through_the_verifier() -> None:
    issuer = Issuer(key_set(ONE))
    verifier = guard(issuer, cache_size=0)
    people = await asyncio.gather(*(verifier.verify(token(ONE)) for _ in range(200)))
    assert {person.sub for person in people} == {"usr_4K9D"}
    assert len(issuer.asked) == 1


def test_threads_and_loops_share_one_cache_and_one_fetch() -> None:
    issuer = Issuer(key_set(ONE))
    verifier = guard(issuer, cache_size=0)
    start = threading.Barrier(16)
    seen: list[str] = []

    def sync() -> None:
        start.wait()
        seen.append(verifier.verify_sync(token(ONE)).sub)

    def in_a_loop() -> None:
        start.wait()
        seen.append(asyncio.run(verifier.verify(token(ONE))).sub)

    threads = [threading.Thread(target=work) for work in [sync, in_a_loop] * 8]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == ["usr_4K9D"] * 16
    assert len(issuer.asked) == 1


async def test_the_loop_goes_on_while_a_fetch_is_slow() -> None:
    issuer = Issuer(key_set(ONE))
    let_go = threading.Event()
    answer = issuer._answer

    def slow(request: Any) -> Any:
        assert let_go.wait(10)
        return answer(request)

    verifier = Verifier(
        issuer=ISSUER,
        audience=AUDIENCE,
        transport=issuer.transport.__class__(slow),
        now=lambda: NOW,
    )
    asking = asyncio.ensure_future(verifier.verify(token(ONE)))
    for _ in range(100):
        await asyncio.sleep(0)
    assert not asking.done()
    let_go.set()
    assert (await asking).sub == "usr_4K9D"


def test_sync_cold_and_down_is_unavailable() -> None:
    issuer = Issuer(key_set(ONE), down=True)
    with pytest.raises(KeysUnavailable):
        guard(issuer).verify_sync(token(ONE))


async def test_a_removed_key_voids_what_it_vouched_for() -> None:
    issuer = Issuer(key_set(ONE))
    verifier = guard(issuer)
    signed = token(ONE)
    assert await verifier.verify(signed)
    issuer.body = key_set(TWO)
    await verifier.reload_keys()
    with pytest.raises(TokenInvalid):
        await verifier.verify(signed)


async def test_a_key_that_changed_behind_its_name_voids_what_it_vouched_for() -> None:
    issuer = Issuer(key_set(ONE))
    clock = Ticking()
    verifier = guard(issuer, monotonic=clock)
    signed = token(ONE)
    assert await verifier.verify(signed)
    issuer.body = key_set(es256("one"))
    await verifier.warm()
    with pytest.raises(TokenInvalid):
        await verifier.verify(signed)
