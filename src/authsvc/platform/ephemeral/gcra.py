"""The generic cell rate algorithm over one instant: pure arithmetic."""

from authsvc.platform.ephemeral.port import Rate


def arrival(rate: Rate, *, stored: float | None, now: float) -> tuple[float, float]:
    """The next theoretical arrival time if charged, and the wait (≤ 0 means allowed); seconds."""
    interval = rate.period / rate.limit
    # Never more than a full bucket ahead: a clock that steps back must lock nobody out.
    start = min(max(stored if stored is not None else now, now), now + rate.period)
    after = start + interval
    return after, after - rate.period - now
