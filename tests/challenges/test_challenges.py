"""Flows and challenges with an end of their own. Spec: security.md B3."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from authsvc.challenges.service import MAX_PER_BROWSER, Challenges, Stored
from authsvc.kernel.clock import FrozenClock
from authsvc.kernel.errors import Code, Refusal
from authsvc.platform.ephemeral.memory import MemoryStore
from authsvc.platform.ephemeral.port import Ephemeral
from authsvc.platform.ephemeral.redis import RedisStore
from tests.live import free_port

NOW = datetime(2026, 11, 24, 9, 0, 0, 123457, tzinfo=UTC)
RECORD: dict[str, Any] = {"step": "check_email", "stay": True, "n": 3, "name": "Zoë", "none": None}


@dataclass(slots=True)
class Shelf:
    """The room over one of the stores; Redis does not know this clock, memory does."""

    store: Ephemeral
    clock: FrozenClock
    challenges: Challenges

    async def load(self, id: str = "1") -> Stored:
        """What must be there."""
        found = await self.challenges.load("flow", id)
        assert found is not None
        return found


@pytest.fixture(params=["memory", "redis"])
async def shelf(request: pytest.FixtureRequest, key_prefix: str) -> AsyncIterator[Shelf]:
    clock = FrozenClock(NOW)
    store: Ephemeral = MemoryStore(clock)
    if request.param == "redis":
        url = request.getfixturevalue("redis_server").url
        store = RedisStore(url, prefix=key_prefix, timeout=5.0)
    yield Shelf(store, clock, Challenges(store, clock))
    await store.aclose()


async def test_a_record_comes_back_as_it_was(shelf: Shelf) -> None:
    await shelf.challenges.save_new("flow", "1", RECORD, ttl=900)
    assert await shelf.load() == Stored(RECORD, 1, NOW + timedelta(seconds=900))


async def test_nothing_is_nothing(shelf: Shelf) -> None:
    assert await shelf.challenges.load("flow", "1") is None
    assert await shelf.challenges.take("flow", "1") is None


async def test_kinds_and_ids_are_apart(shelf: Shelf) -> None:
    await shelf.challenges.save_new("flow", "1", RECORD, ttl=900)
    assert await shelf.challenges.load("passkey", "1") is None
    assert await shelf.challenges.take("passkey", "1") is None
    assert await shelf.challenges.take("flow", "2") is None
    assert await shelf.challenges.take("flow", "1") == RECORD


async def test_an_id_is_used_once(shelf: Shelf) -> None:
    await shelf.challenges.save_new("flow", "1", RECORD, ttl=900)
    with pytest.raises(Refusal) as refused:
        await shelf.challenges.save_new("flow", "1", {"step": "done"}, ttl=900)
    assert refused.value.code is Code.FLOW_STEP_MISMATCH
    assert (await shelf.load()).record == RECORD


async def test_one_takes(shelf: Shelf) -> None:
    await shelf.challenges.save_new("flow", "1", RECORD, ttl=900)
    taken = await asyncio.gather(*(shelf.challenges.take("flow", "1") for _ in range(16)))
    assert [one for one in taken if one is not None] == [RECORD]


async def test_one_moves(shelf: Shelf) -> None:
    await shelf.challenges.save_new("flow", "1", RECORD, ttl=900)
    held = await shelf.load()
    moved = await asyncio.gather(
        *(shelf.challenges.replace("flow", "1", held, {"by": n}) for n in range(16))
    )
    assert moved.count(True) == 1
    found = await shelf.load()
    assert found.record == {"by": moved.index(True)}
    assert found.version == 2


async def test_a_move_keeps_the_end(shelf: Shelf) -> None:
    await shelf.challenges.save_new("flow", "1", RECORD, ttl=900)
    for step in range(3):
        shelf.clock.advance(200)
        assert await shelf.challenges.replace("flow", "1", await shelf.load(), {"step": step})
    found = await shelf.load()
    assert found.expires_at == NOW + timedelta(seconds=900)
    shelf.clock.advance(299.999999)
    assert await shelf.challenges.load("flow", "1") is not None
    shelf.clock.advance(0.000001)
    assert await shelf.challenges.load("flow", "1") is None
    assert not await shelf.challenges.replace("flow", "1", found, {"step": 4})
    assert await shelf.challenges.take("flow", "1") is None


async def test_a_taken_record_cannot_be_moved(shelf: Shelf) -> None:
    await shelf.challenges.save_new("flow", "1", RECORD, ttl=900)
    held = await shelf.load()
    await shelf.challenges.take("flow", "1")
    assert not await shelf.challenges.replace("flow", "1", held, {"step": "done"})
    assert await shelf.challenges.load("flow", "1") is None


async def test_an_old_snapshot_revives_nothing(shelf: Shelf) -> None:
    await shelf.challenges.save_new("flow", "1", RECORD, ttl=900)
    before = await shelf.store.get("flow:1")
    assert before is not None
    assert await shelf.challenges.take("flow", "1") == RECORD
    shelf.clock.advance(900)
    for ask in (shelf.challenges.load, shelf.challenges.take):
        await shelf.store.put_if_absent("flow:1", before.value, ttl=900)
        assert await ask("flow", "1") is None


@pytest.mark.parametrize(
    "value",
    [
        b"", b"\xff\xfe", b"nonsense", b"null", b"[]", b"{}", b"[1]", b"[1.0, 2]", b'["x", {}]',
        b"[null, {}]", b"[9e9, []]", b"[9e9, {}, 1]", b"[1e400, {}]", b'{"step": 1}',
    ],
)  # fmt: skip
async def test_what_another_hand_wrote_is_nothing(shelf: Shelf, value: bytes) -> None:
    await shelf.store.put_if_absent("flow:1", value, ttl=900)
    assert await shelf.challenges.load("flow", "1") is None
    assert await shelf.challenges.take("flow", "1") is None


class TestBrowserList:
    async def test_newest_last_and_at_most_eight(self, shelf: Shelf) -> None:
        assert await shelf.challenges.recall("b") == ()
        for number in range(11):
            await shelf.challenges.remember("b", str(number), ttl=900)
        assert await shelf.challenges.recall("b") == tuple(map(str, range(3, 11)))
        assert await shelf.challenges.recall("another") == ()

    async def test_tabs_that_begin_at_once(self, shelf: Shelf) -> None:
        begun = [str(number) for number in range(MAX_PER_BROWSER)]
        await asyncio.gather(*(shelf.challenges.remember("b", id, ttl=900) for id in begun))
        assert sorted(await shelf.challenges.recall("b")) == begun

    @pytest.mark.parametrize("value", [b"nonsense", b"{}", b"7", b"\xff"])
    async def test_what_another_hand_wrote_is_overwritten(self, shelf: Shelf, value: bytes) -> None:
        await shelf.store.put_if_absent("browser:b", value, ttl=900)
        assert await shelf.challenges.recall("b") == ()
        await shelf.challenges.remember("b", "1", ttl=900)
        assert await shelf.challenges.recall("b") == ("1",)


async def test_the_store_sees_the_end_too(shelf: Shelf) -> None:
    await shelf.challenges.save_new("flow", "1", RECORD, ttl=900)
    found = await shelf.store.get("flow:1")
    assert found is not None
    assert json.loads(found.value) == [NOW.timestamp() + 900, RECORD]


async def test_without_a_store_everything_is_refused() -> None:
    challenges = Challenges(RedisStore(f"redis://127.0.0.1:{free_port()}/0"), FrozenClock(NOW))
    held = Stored(RECORD, 1, NOW + timedelta(seconds=900))
    for call in (
        challenges.save_new("flow", "1", RECORD, ttl=900),
        challenges.load("flow", "1"),
        challenges.replace("flow", "1", held, RECORD),
        challenges.take("flow", "1"),
        challenges.remember("b", "1", ttl=900),
        challenges.recall("b"),
    ):
        with pytest.raises(Refusal) as refused:
            await call
        assert refused.value.code is Code.STORE_UNAVAILABLE
