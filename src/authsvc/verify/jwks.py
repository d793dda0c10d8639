"""An issuer's keys, kept at hand: no request waits for the network while keys are usable.

Fetches run in a short-lived thread of their own. So the event loop is never blocked, it does
not matter which loop or thread asks, and a request that is cancelled takes nothing down.
"""

import asyncio
import logging
import math
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

from authsvc.verify.download import TOTAL, Download, DownloadFailed
from authsvc.verify.errors import KeysUnavailable
from authsvc.verify.freshness import Held, Move, Terms, judge, usable
from authsvc.verify.jose import KeySet, Malformed, VerifyingKey, read_key_set

PATIENCE = TOTAL + 1  # seconds a caller waits for a fetch, and after which it counts as failed
_ROUNDS = 3

_log = logging.getLogger("authsvc.verify")


class KeySource(Protocol):
    """Finds a verifying key by ``kid``."""

    async def key(self, kid: str) -> VerifyingKey | None:
        """The key, None when the issuer has none of this name; raises KeysUnavailable."""
        ...

    def known(self, kid: str) -> bool:
        """Whether the key is held and usable right now, without asking anybody."""
        ...

    async def reload(self) -> None:
        """Fetch now; raises KeysUnavailable when that fails."""
        ...

    async def aclose(self) -> None:
        """Let go of connections."""
        ...


@runtime_checkable
class BlockingKeySource(KeySource, Protocol):
    """A key source for code without an event loop, too."""

    def key_sync(self, kid: str) -> VerifyingKey | None:
        """As ``key``; the thread waits."""
        ...


@dataclass(frozen=True, slots=True)
class Flight:
    """A fetch under way; the future says whether it went well."""

    began: float
    searching: bool
    done: Future[bool]


def _flight(*, began: float, searching: bool) -> Flight:
    done: Future[bool] = Future()
    done.set_running_or_notify_cancel()  # from now on no waiter can cancel it for the others
    return Flight(began=began, searching=searching, done=done)


def in_a_thread(work: Callable[[], None]) -> None:
    """Runs the work behind the caller's back."""
    threading.Thread(target=work, name="authsvc-verify-keys", daemon=True).start()


def _nothing() -> None:
    pass


@dataclass(slots=True)
class JwksCache:
    """An issuer's keys over HTTP: a KeySource for any number of loops and threads.

    Fresh keys cost nothing; stale ones are used while one fetch runs behind; while the issuer
    does not answer, old keys serve for ``terms.stale`` more; an unknown ``kid`` costs one fetch
    a cool-down. A failed fetch empties nothing; keys that were removed go with the next good
    one. ``rebound`` is called when a ``kid`` comes back with another key behind it.

    Spec: api.md §14.2, security.md C36 (JW-04).
    """

    download: Download
    algorithms: Collection[str]
    terms: Terms = field(default_factory=Terms)
    rebound: Callable[[], None] = _nothing
    monotonic: Callable[[], float] = time.monotonic
    spawn: Callable[[Callable[[], None]], None] = in_a_thread
    _held: Held = field(default_factory=Held, repr=False)
    _current: Flight | None = field(default=None, repr=False)
    _next: Flight | None = field(default=None, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def known(self, kid: str) -> bool:
        """Whether the key is held and usable right now."""
        held = self._held
        return kid in held.keys and usable(held, terms=self.terms, now=self.monotonic())

    async def key(self, kid: str) -> VerifyingKey | None:
        """The key, None when the issuer has none of this name; raises KeysUnavailable."""
        for _ in range(_ROUNDS):
            answer = self._ask(kid)
            if not isinstance(answer, Flight):
                return answer
            if await _landed(answer) is None:
                self._give_up(answer)
        raise self._unavailable("fetched again and again, still undecided")

    def key_sync(self, kid: str) -> VerifyingKey | None:
        """As ``key``; the thread waits. Not for use in an event loop."""
        for _ in range(_ROUNDS):
            answer = self._ask(kid)
            if not isinstance(answer, Flight):
                return answer
            if _landed_sync(answer) is None:
                self._give_up(answer)
        raise self._unavailable("fetched again and again, still undecided")

    async def reload(self) -> None:
        """A fetch that begins now, whatever the times say; raises KeysUnavailable if it fails.

        What was removed at the issuer is gone afterwards.
        """
        if not await _landed(self._fetch_anew()):
            raise self._unavailable("the keys could not be fetched")

    async def aclose(self) -> None:
        """Nothing to let go of: a connection lives no longer than its fetch."""

    def _ask(self, kid: str) -> VerifyingKey | Flight | None:
        now = self.monotonic()
        held = self._held
        match judge(kid, held=held, terms=self.terms, now=now):
            case Move.SERVE:
                return held.keys[kid]
            case Move.SERVE_AND_REFRESH:
                self._fetch(searching=False)
                return held.keys[kid]
            case Move.FETCH:
                return self._fetch(searching=usable(held, terms=self.terms, now=now))
            case Move.UNKNOWN:
                return None
            case Move.UNAVAILABLE:
                raise self._unavailable("the last fetch failed a moment ago")

    def _unavailable(self, log: str) -> KeysUnavailable:
        failed_at = self._held.failed_at
        wait = 0.0 if failed_at is None else failed_at + self.terms.retry - self.monotonic()
        return KeysUnavailable(retry_after=math.ceil(wait), log=f"{self.download.url}: {log}")

    def _fetch(self, *, searching: bool) -> Flight:
        """The one fetch under way; begins it if there is none."""
        now = self.monotonic()
        with self._lock:
            flight = self._current
            begins = flight is None
            if flight is None:
                flight = self._current = _flight(began=now, searching=searching)
        if begins:
            self._take_off(flight)
        elif now - flight.began >= PATIENCE:
            self._give_up(flight)
        return flight

    def _give_up(self, flight: Flight) -> None:
        """It hangs, or was lost in a fork: it counts as failed, whatever still comes of it."""
        self._land(flight, found=None, log=f"no end after {PATIENCE:.0f} s")

    def _fetch_anew(self) -> Flight:
        """A fetch that begins after this call: the current one may already have been answered."""
        with self._lock:
            if self._current is not None:
                if self._next is None:
                    self._next = _flight(began=self.monotonic(), searching=False)
                return self._next
        return self._fetch(searching=False)

    def _take_off(self, flight: Flight) -> None:
        try:
            self.spawn(lambda: self._run(flight))
        except RuntimeError as error:  # no thread to be had
            self._land(flight, found=None, log=str(error))

    def _run(self, flight: Flight) -> None:
        found, log = None, "it broke"
        try:
            found = read_key_set(self.download(), algorithms=self.algorithms)
        except (DownloadFailed, Malformed) as fault:
            log = str(fault)
        except Exception:  # whatever a transport raises: the waiting must hear of the end
            _log.exception("fetching %s broke", self.download.url)
        if found is not None and not found.keys:
            # An issuer always has a key: an empty set is a mistake, not a revocation.
            found, log = None, f"no usable key in it {found.passed_over}"
        self._land(flight, found=found, log=log)

    def _land(self, flight: Flight, *, found: KeySet | None, log: str) -> None:
        with self._lock:
            if flight is not self._current:
                _settle(flight, went_well=False)
                return
            before = self._held
            self._held = self._after(flight, found=found)
            follower = self._current = self._next and replace(self._next, began=self.monotonic())
            self._next = None
        if found is None:
            _log.warning("keys of %s not fetched: %s", self.download.url, log)
        elif found.passed_over:
            _log.info("keys of %s passed over: %s", self.download.url, found.passed_over)
        if _differ(before, self._held):
            self.rebound()
        _settle(flight, went_well=found is not None)
        if follower is not None:
            self._take_off(follower)

    def _after(self, flight: Flight, *, found: KeySet | None) -> Held:
        now = self.monotonic()
        if found is None:
            return replace(self._held, failed_at=now)
        searched = now if flight.searching else self._held.searched_at
        return Held(keys=found.keys, fetched_at=now, failed_at=None, searched_at=searched)


def _differ(before: Held, after: Held) -> bool:
    """Whether a name means another key than before."""
    both = before.keys.keys() & after.keys.keys()
    return any(before.keys[kid].material != after.keys[kid].material for kid in both)


def _settle(flight: Flight, *, went_well: bool) -> None:
    if not flight.done.done():
        flight.done.set_result(went_well)


async def _landed(flight: Flight) -> bool | None:
    """Whether the fetch went well, None if there is no end to it."""
    try:
        # Not wait_for: before Python 3.12 it can swallow a cancellation that comes with the end.
        async with asyncio.timeout(PATIENCE):
            return await asyncio.wrap_future(flight.done)
    except TimeoutError:
        return None


def _landed_sync(flight: Flight) -> bool | None:
    try:
        return flight.done.result(PATIENCE)
    except TimeoutError:
        return None
