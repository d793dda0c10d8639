"""What the service counts, and the text that a scrape gets. Spec: experience.md §9.5.

Each application has a registry of its own. Where several processes serve, each keeps its counts
in files of one directory, and whichever of them answers a scrape adds all of them up.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    disable_created_metrics,
    values,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.values import MultiProcessValue  # pyright: ignore[reportUnknownVariableType]

from authsvc.kernel.errors import Code, Kind, Limited, Refusal
from authsvc.kernel.events import Event, SignedIn, SignInFailed, SignInStarted

PREFIX = "authsvc"
DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
JWKS_ROUTE = "/.well-known/jwks.json"
CHECKS = ("origin", "sec_fetch_site", "client_header", "client")
_BUCKETS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

disable_created_metrics()  # the start of each series, as a second series: nobody asks for it


class Resume(StrEnum):
    """What became of a credential that was shown."""

    ROTATED = "rotated"
    REPLAYED = "replayed"
    EXPIRED = "expired"
    REUSE_DETECTED = "reuse_detected"


def share(directory: str, slot: int) -> None:
    """Keep the counts of this process in files of the directory, before anything is counted.

    A process that takes a slot over goes on counting where the one before it ended: totals
    never run backwards, and there are never more files than slots.
    """
    os.environ[DIRECTORY] = directory
    shared: Any = cast(Any, MultiProcessValue)(lambda: slot)
    values.ValueClass = shared


class Meter:
    """Counts what happens. Every label has a small set of values, and none is about a person."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = self._counter("http_requests", "answers", "route", "method", "status")
        self._durations = Histogram(
            "http_request_duration_seconds", "seconds until an answer was complete", ["route"],
            namespace=PREFIX, buckets=_BUCKETS, registry=self.registry,
        )  # fmt: skip
        self._started = self._counter("sign_in_started", "messages asked for", "method")
        self._completed = self._counter("sign_in_completed", "opened sessions", "method", "acr")
        self._failed = self._counter("sign_in_failed", "refused proofs", "method", "code")
        self._resumes = self._counter("session_resume", "shown credentials", "result")
        self._mails = self._counter("mail_sent", "tries to deliver a mail", "template", "result")
        self._limited = self._counter("rate_limited", "calls over a limit", "bucket")
        self._csrf = self._counter("csrf_rejected", "calls a foreign page could make", "check")
        self._cors = self._counter("cors_refused", "preflights of origins that are not listed")
        self._jwks = self._counter("jwks_requests", "answers about the key set")
        self._pool = Gauge(
            "db_pool_in_use", "database connections at work", namespace=PREFIX,
            registry=self.registry, multiprocess_mode="livesum",
        )  # fmt: skip
        self._pool.set(0)
        self._answers: dict[tuple[str, str, int], _Answer] = {}
        # Series that alerts look at begin at zero, or their first step would go unseen.
        for result in Resume:
            self._resumes.labels(result.value)
        for check in CHECKS:
            self._csrf.labels(check)

    def _counter(self, name: str, words: str, *labels: str) -> Counter:
        return Counter(name, words, labels, namespace=PREFIX, registry=self.registry)

    def answered(self, *, route: str, method: str, status: int, seconds: float) -> None:
        """Count an answer; ``route`` is a template and ``method`` a known one, never raw."""
        key = (route, method, status)
        answer = self._answers.get(key)
        if answer is None:
            answer = self._answers[key] = self._answer(*key)
        answer.count()
        answer.observe(seconds)
        if route == JWKS_ROUTE:
            self._jwks.inc()

    def _answer(self, route: str, method: str, status: int) -> "_Answer":
        count = self._requests.labels(route, method, str(status))
        return _Answer(count.inc, self._durations.labels(route).observe)

    def refused(self, refusal: Refusal) -> None:
        """Count a refusal that operators watch."""
        if refusal.code is Code.CSRF_REJECTED:
            self._csrf.labels(str(refusal.extras.get("check", "client"))).inc()
        elif isinstance(refusal, Limited):
            self._limited.labels(refusal.bucket).inc()
        elif refusal.kind is Kind.LIMITED:
            self._limited.labels(refusal.code.value).inc()

    def cors_refused(self) -> None:
        """Count a preflight that was not allowed."""
        self._cors.inc()

    def happened(self, event: Event) -> None:
        """Count an event whose transaction has been committed."""
        match event:
            case SignInStarted(method=method):
                self._started.labels(method).inc()
            case SignedIn(method=method, acr=acr):
                self._completed.labels(method, acr).inc()
            case SignInFailed(method=method, code=code):
                self._failed.labels(method, str(code)).inc()
            case _:
                pass

    def resumed(self, result: Resume) -> None:
        """Count a session credential that was shown."""
        self._resumes.labels(result.value).inc()

    def mailed(self, template: str, result: str) -> None:
        """Count a try to deliver a message."""
        self._mails.labels(template, result).inc()

    def pool_in_use(self, connections: int) -> None:
        """Set how many database connections of this process are at work."""
        self._pool.set(connections)

    def text(self, more: Sequence[Metric], *, accept: str) -> tuple[bytes, str]:
        """All counts of this service's processes and what is known now; the media type."""
        encode, media_type = choose_encoder(accept)
        return encode(_Everything(self.registry, more)), media_type


@dataclass(frozen=True, slots=True)
class _Answer:
    """Where one kind of answer is counted, looked up once: the hottest route passes here."""

    count: Callable[[], None]
    observe: Callable[[float], None]


@dataclass(frozen=True, slots=True)
class _Everything:
    """A collector over the counts and what was found at the scrape."""

    registry: CollectorRegistry
    more: Sequence[Metric]

    def collect(self) -> Iterator[Metric]:
        directory = os.environ.get(DIRECTORY)
        counts: Any = self.registry
        if directory is not None:
            counts = MultiProcessCollector(None, path=directory)
        yield from counts.collect()
        yield from self.more
