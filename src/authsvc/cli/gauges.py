"""What a scrape finds out: states of the service rather than counts. Spec: experience.md §9.5."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from typing import Generic, TypeVar

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy.exc import SQLAlchemyError

from authsvc.bootstrap.services import Services
from authsvc.kernel.errors import Refusal
from authsvc.keys.lifecycle import Key, State, takes_over_at
from authsvc.platform.metrics import PREFIX

PATIENCE = 2.0
OUTBOX_EVERY = 5.0
SESSIONS_EVERY = 30.0  # counts a whole table

Found = TypeVar("Found")


@dataclass(slots=True)
class Reading(Generic[Found]):
    """A figure that costs SQL: read at most every so many seconds, however many ask."""

    every: float
    read: Callable[[], Awaitable[Found]]
    monotonic: Callable[[], float] = time.monotonic
    _at: float | None = field(default=None)
    _found: Found | None = field(default=None)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def value(self) -> Found | None:
        """The figure; None while the database does not tell."""
        async with self._turn:
            if self._at is None or self.monotonic() - self._at >= self.every:
                self._found = await self._read()
                self._at = self.monotonic()
            return self._found

    async def _read(self) -> Found | None:
        try:
            async with asyncio.timeout(PATIENCE):
                return await self.read()
        except (Refusal, SQLAlchemyError, TimeoutError):
            return None


class Gauges:
    """The text of ``/metrics``: the counts of every process, and how things stand."""

    def __init__(
        self, services: Services, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.services = services
        self.outbox = Reading(OUTBOX_EVERY, self._outbox, monotonic)
        self.sessions = Reading(SESSIONS_EVERY, self._sessions, monotonic)

    async def metrics(self, accept: str) -> tuple[bytes, str]:
        """Text and media type for an Accept header. Never raises for a database that is away."""
        found = [*self._constants(), *self._keys(), *await self._counted()]
        await self.services.ground.sample_pool()
        meter = self.services.ground.meter
        return await asyncio.to_thread(meter.text, found, accept=accept)

    async def _outbox(self) -> tuple[int, float]:
        async with self.services.ground.uow.reading() as tx:
            count, oldest = await self.services.rooms.outbox.waiting(tx)
            return count, 0.0 if oldest is None else (tx.now - oldest).total_seconds()

    async def _sessions(self) -> int:
        async with self.services.ground.uow.reading() as tx:
            return await self.services.rooms.sessions.active(tx)

    async def _counted(self) -> Sequence[Metric]:
        sessions, outbox = await self.sessions.value(), await self.outbox.value()
        found: list[Metric] = []
        if sessions is not None:
            found.append(_gauge("sessions_active", "sessions that could be resumed", sessions))
        if outbox is not None:
            size, oldest = outbox
            found.append(_gauge("mail_outbox_size", "mails still to be sent", size))
            found.append(_gauge("mail_outbox_oldest_seconds", "age of the oldest of them", oldest))
        return found

    def _constants(self) -> Iterator[Metric]:
        build = GaugeMetricFamily(f"{PREFIX}_build_info", "the running version", labels=["version"])
        build.add_metric([version("authsvc")], 1)
        yield build
        yield _gauge(
            "dev_mode", "1 where fixed codes and a mailbox exist", self.services.ground.dev
        )

    def _keys(self) -> Iterator[Metric]:
        ring, now = self.services.signing, self.services.ground.clock.now()
        ages = GaugeMetricFamily(
            f"{PREFIX}_signing_key_age_seconds",
            "how long the oldest signing key has been in this state",
            labels=["state"],
        )
        for state in State:
            since = [at for key in ring.keys if key.state is state and (at := _since(key))]
            if since:
                ages.add_metric([state.value], (now - min(since)).total_seconds())
        yield ages
        takes_over = takes_over_at(ring.keys, rules=ring.rules)
        if takes_over is not None:
            left = (takes_over - now).total_seconds()
            words = "seconds until the next signing key takes over; overdue below zero"
            yield _gauge("signing_key_next_ready_seconds", words, left)


def _since(key: Key) -> datetime | None:
    match key.state:
        case State.NEXT:
            return key.published_at
        case State.ACTIVE:
            return key.activated_at
        case State.RETIRED:
            return key.retired_at


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{PREFIX}_{name}", words, value=value)
