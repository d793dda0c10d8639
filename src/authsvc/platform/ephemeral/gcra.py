"""The generic cell rate algorithm over one instant: pure, in whole microseconds.

Fractions of seconds would not do: at today's epoch a float is coarser than their rounding, and
the last charge of a burst would be refused.
"""

from authsvc.platform.ephemeral.port import Rate

MICROS = 1_000_000


def intervals(rate: Rate) -> tuple[int, int]:
    """The rate's period and the time in which one charge comes back; microseconds."""
    period = round(rate.period * MICROS)
    return period, max(1, period // rate.limit)


def arrival(rate: Rate, *, stored: int | None, now: int) -> tuple[int, int]:
    """The next theoretical arrival time if charged, and the wait (≤ 0 means allowed).

    Microseconds. A bucket whose arrival time has passed is as good as new.
    """
    period, interval = intervals(rate)
    # Never more than a full bucket ahead: a clock that steps back must lock nobody out.
    start = min(max(stored if stored is not None else now, now), now + period)
    after = start + interval
    return after, after - period - now
