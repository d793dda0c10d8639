"""The key cache: one fetch where many ask, and an outage refuses no good token.

Spec: api.md §14.2, security.md C36, C61, G7.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from authsvc.verify import KeysUnavailable, jwks
from authsvc.verify.jwks import PATIENCE, JwksCache
from tests.verify.forge import (
    Issuer,
    compact,
    es256,
    key_set,
)
from tests.verify.key_stage import URL, Stage, Work, settle

ONE, TWO = es256("one"), es256("two")


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
