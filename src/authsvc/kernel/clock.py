"""The one source of time. Nothing else in the service asks the machine what time it is."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time; handed to whoever needs it, so that tests and dev mode can move it."""

    def now(self) -> datetime:
        """An aware UTC datetime."""
        ...


@dataclass(frozen=True, slots=True)
class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass(slots=True)
class ShiftedClock:
    """The machine's clock moved by an offset: dev mode's clock control and tests."""

    offset: timedelta = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def advance(self, seconds: float) -> None:
        """Move the clock by so many seconds, forwards or (negative) backwards."""
        self.offset += timedelta(seconds=seconds)

    def reset(self) -> None:
        """Back to the machine's time."""
        self.offset = timedelta()


@dataclass(slots=True)
class FrozenClock:
    """A clock that stands still until told to move: pure tests."""

    at: datetime

    def now(self) -> datetime:
        return self.at

    def advance(self, seconds: float) -> None:
        """Move the clock by so many seconds."""
        self.at += timedelta(seconds=seconds)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(instant: datetime) -> int:
    """Whole microseconds since 1970 UTC: how instants are kept in the database."""
    return (instant - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The aware UTC datetime of so many microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=micros)
