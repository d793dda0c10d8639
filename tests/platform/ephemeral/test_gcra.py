"""The arithmetic of rates: whole bursts, honest waits, no clock locks anybody out."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.kernel.clock import FrozenClock
from authsvc.platform.ephemeral.gcra import MICROS, arrival, intervals
from authsvc.platform.ephemeral.memory import MemoryStore
from authsvc.platform.ephemeral.port import Rate

NOW = 1_795_510_800_123_457  # microseconds, an odd instant of today's size
MINUTE, QUARTER, DAY = 60.0, 900.0, 86400.0


def rate(limit: int, period: float = MINUTE) -> Rate:
    return Rate("k", limit, period)


@pytest.mark.parametrize(
    ("limit", "period", "stored", "after", "wait"),
    [
        # a bucket that nobody knows, or that is full again
        (1, 60, None, 60, 0),
        (2, 60, None, 30, -30),
        (60, 60, None, 1, -59),
        (1, 60, -5, 60, 0),
        (2, 60, 0, 30, -30),
        # partly used
        (2, 60, 30, 60, 0),
        (3, 60, 20, 40, -20),
        (3, 60, 39, 59, -1),
        # used up: the wait is until one charge has come back
        (1, 60, 60, 120, 60),
        (1, 60, 1, 61, 1),
        (2, 60, 60, 90, 30),
        (2, 60, 31, 61, 1),
        (3, 60, 60, 80, 20),
        (10, 900, 900, 990, 90),
        (5, 3600, 3600, 4320, 720),
        (10, 86400, 86400, 95040, 8640),
        # a clock that stepped back leaves a full bucket at most
        (1, 60, 500, 120, 60),
        (2, 60, 99_999, 90, 30),
    ],
)
def test_arrival(limit: int, period: float, stored: int | None, after: int, wait: int) -> None:
    before = None if stored is None else NOW + stored * MICROS
    assert arrival(rate(limit, period), stored=before, now=NOW) == (
        NOW + after * MICROS,
        wait * MICROS,
    )


@pytest.mark.parametrize(
    ("limit", "period", "expected"),
    [
        (30, 60.0, (60_000_000, 2_000_000)),
        (7, 60.0, (60_000_000, 8_571_428)),
        (60_000, 60.0, (60_000_000, 1_000)),
        (3, 0.001, (1_000, 333)),
        (10, 0.000001, (1, 1)),
    ],
)
def test_intervals(limit: int, period: float, expected: tuple[int, int]) -> None:
    assert intervals(rate(limit, period)) == expected


@pytest.mark.parametrize("period", [MINUTE, QUARTER, 3600.0, DAY])
def test_a_burst_is_the_whole_limit_for_every_limit(period: float) -> None:
    for limit in range(1, 1001):
        stored, granted = None, 0
        for _ in range(limit + 1):
            due, wait = arrival(rate(limit, period), stored=stored, now=NOW)
            if wait <= 0:
                stored, granted = due, granted + 1
        assert granted == limit


@given(
    gaps=st.lists(st.integers(0, 30 * MICROS), max_size=60),
    limit=st.integers(1, 12),
    period=st.sampled_from([1.0, 7.3, 60.0, 900.0]),
)
def test_never_more_than_burst_and_refill(gaps: list[int], limit: int, period: float) -> None:
    asked = rate(limit, period)
    interval = intervals(asked)[1]
    now, stored, granted = NOW, None, 0
    for gap in gaps:
        now += gap
        due, wait = arrival(asked, stored=stored, now=now)
        if wait <= 0:
            stored, granted = due, granted + 1
        assert granted <= limit + (now - NOW) // interval


@given(
    gaps=st.lists(st.integers(0, 10 * MICROS), min_size=1, max_size=40),
    limit=st.integers(1, 12),
)
def test_the_wait_is_enough_and_no_more(gaps: list[int], limit: int) -> None:
    now, stored = NOW, None
    for gap in gaps:
        now += gap
        due, wait = arrival(rate(limit), stored=stored, now=now)
        if wait > 0:
            assert arrival(rate(limit), stored=stored, now=now + wait)[1] <= 0
            assert arrival(rate(limit), stored=stored, now=now + wait - 1)[1] > 0
        else:
            stored = due


@given(back=st.integers(0, 10**15), limit=st.integers(1, 50))
def test_a_clock_that_steps_back_locks_nobody_out(back: int, limit: int) -> None:
    period, interval = intervals(rate(limit))
    stored = NOW + period
    wait = arrival(rate(limit), stored=stored, now=NOW - back)[1]
    assert wait <= interval


async def test_a_store_waits_as_long_as_it_says() -> None:
    clock = FrozenClock(datetime(2026, 11, 24, 9, 0, 0, 123457, tzinfo=UTC))
    store = MemoryStore(clock)
    ten = Rate("k", 10, QUARTER)
    for _ in range(10):
        assert (await store.charge([ten])).allowed
    verdict = await store.charge([ten])
    assert verdict.retry_after == 90
    clock.advance(89.999999)
    assert not (await store.charge([ten])).allowed
    clock.advance(0.000001)
    assert (await store.charge([ten])).allowed
    assert not (await store.charge([ten])).allowed
