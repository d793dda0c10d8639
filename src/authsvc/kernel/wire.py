"""Spellings that every answer shares."""

from datetime import UTC, datetime


def timestamp(instant: datetime) -> str:
    """RFC 3339 in UTC with whole seconds: ``2026-11-24T09:18:40Z``."""
    there = instant if instant.tzinfo is UTC else instant.astimezone(UTC)
    return there.isoformat(timespec="seconds")[:19] + "Z"


def seconds_until(instant: datetime, *, now: datetime) -> int:
    """Whole seconds from now, rounded up, never negative."""
    return max(0, -int((now - instant).total_seconds() // 1))
