"""The in-process store, for exactly one worker. Same semantics as Redis, about 1 µs a call."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from authsvc.kernel.clock import Clock
from authsvc.platform.ephemeral.gcra import arrival
from authsvc.platform.ephemeral.port import Rate, Record, Verdict

_SWEEP_STEP = 8


@dataclass(slots=True)
class _Cell:
    value: bytes
    version: int
    expires: float
    arrival: float = 0.0


@dataclass(slots=True)
class MemoryStore:
    """A dictionary whose entries expire by the injected clock.

    No call awaits anything, so each one is atomic on the event loop. Each write also looks at
    a few old keys, so that what nobody asks for again goes away too.
    """

    clock: Clock
    _cells: dict[str, _Cell] = field(default_factory=dict[str, _Cell])
    _queue: list[str] = field(default_factory=list[str])

    def _now(self) -> float:
        return self.clock.now().timestamp()

    def _live(self, key: str) -> _Cell | None:
        cell = self._cells.get(key)
        if cell is not None and cell.expires <= self._now():
            del self._cells[key]
            return None
        return cell

    def _sweep(self) -> None:
        if not self._queue:
            self._queue = list(self._cells)
        for _ in range(min(_SWEEP_STEP, len(self._queue))):
            self._live(self._queue.pop())

    def _write(self, key: str, value: bytes, *, version: int, ttl: float) -> None:
        self._sweep()
        self._cells[key] = _Cell(value, version, self._now() + ttl)

    async def put_if_absent(self, key: str, value: bytes, *, ttl: float) -> bool:
        if self._live(key) is not None:
            return False
        self._write(key, value, version=1, ttl=ttl)
        return True

    async def get(self, key: str) -> Record | None:
        cell = self._live(key)
        return None if cell is None else Record(cell.value, cell.version)

    async def take(self, key: str) -> bytes | None:
        cell = self._live(key)
        if cell is None:
            return None
        del self._cells[key]
        return cell.value

    async def compare_and_set(self, key: str, value: bytes, *, version: int, ttl: float) -> bool:
        cell = self._live(key)
        if (cell.version if cell else 0) != version:
            return False
        self._write(key, value, version=version + 1, ttl=ttl)
        return True

    async def delete(self, *keys: str) -> None:
        for key in keys:
            self._cells.pop(key, None)

    async def charge(self, rates: Sequence[Rate]) -> Verdict:
        now = self._now()
        after: dict[str, tuple[float, float]] = {}
        for rate in rates:
            cell = self._live(rate.key)
            due, wait = arrival(rate, stored=cell.arrival if cell else None, now=now)
            if wait > 1e-9:
                return Verdict(allowed=False, retry_after=wait, key=rate.key)
            after[rate.key] = (due, rate.period)
        self._sweep()
        for key, (due, period) in after.items():
            self._cells[key] = _Cell(b"", 1, now + period, arrival=due)
        return Verdict(allowed=True)

    async def ping(self) -> None:
        return None

    async def aclose(self) -> None:
        self._cells.clear()
