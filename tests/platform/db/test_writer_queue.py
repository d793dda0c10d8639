"""SQLite's writers take turns, and nobody waits for a turn that does not come."""

import asyncio

import pytest

from authsvc.kernel.errors import Code, Refusal
from authsvc.platform.db.engine import WriterQueue


async def test_writers_take_turns_in_order() -> None:
    queue, seen = WriterQueue(), list[int]()

    async def write(number: int) -> None:
        async with queue:
            seen.append(number)
            await asyncio.sleep(0)
            seen.append(number)

    await asyncio.gather(*map(write, range(8)))
    assert seen == [number for number in range(8) for _ in range(2)]
    assert not queue.locked()


async def test_who_waits_too_long_is_refused_and_holds_up_nobody() -> None:
    queue = WriterQueue(patience=0.01)
    async with queue:
        with pytest.raises(Refusal) as refused:
            async with queue:
                pytest.fail("two writers at once")
        assert refused.value.code is Code.STORE_UNAVAILABLE
        assert queue.locked()
    async with asyncio.timeout(5), queue:
        assert queue.locked()


async def test_a_writer_that_fails_gives_its_turn_back() -> None:
    queue = WriterQueue()
    with pytest.raises(ZeroDivisionError):
        async with queue:
            raise ZeroDivisionError
    assert not queue.locked()
