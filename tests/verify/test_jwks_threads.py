"""The key cache with real threads and loops, through the verifier. Spec: api.md §14.2."""

import asyncio
import threading
from typing import Any

import pytest

from authsvc.verify import KeysUnavailable, TokenInvalid, Verifier
from tests.verify.forge import (
    AUDIENCE,
    ISSUER,
    NOW,
    Issuer,
    SigningKey,
    Ticking,
    claims,
    es256,
    key_set,
)

ONE, TWO = es256("one"), es256("two")


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
