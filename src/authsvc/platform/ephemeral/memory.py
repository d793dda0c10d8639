"""The in-process store, for exactly one worker. Same semantics as Redis, about 1 µs a call."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from authsvc.kernel.clock import Clock
from authsvc.kernel.errors import Code, Refusal
from authsvc.platform.ephemeral.gcra import MICROS, arrival
from authsvc.platform.ephemeral.port import Rate, Record, Verdict

CAPACITY = 128 * 1024 * 1024
_CELL = 400  # bytes that an entry costs beyond its value, about
_SWEEP_STEP = 2


@dataclass(slots=True)
class _Cell:
    value: bytes
    version: int
    expires: int  # microseconds; of a rate's bucket its theoretical arrival time


@dataclass(slots=True)
class MemoryStore:
    """A dictionary whose entries expire by the injected clock.

    No call awaits anything, so each one is atomic on the event loop. Each write also looks at
    the few keys that were looked at longest ago, so that what nobody asks for again goes away
    too. More than ``capacity`` bytes are refused as store_unavailable: nothing is evicted.
    """

    clock: Clock
    capacity: int = CAPACITY
    _cells: OrderedDict[str, _Cell] = field(default_factory=OrderedDict[str, _Cell])
    _held: int = 0

    def _now(self) -> int:
        return round(self.clock.now().timestamp() * MICROS)

    def _live(self, key: str, now: int) -> _Cell | None:
        cell = self._cells.get(key)
        if cell is not None and cell.expires <= now:
            self._drop(key)
            return None
        return cell

    def _drop(self, key: str) -> None:
        cell = self._cells.pop(key, None)
        if cell is not None:
            self._held -= _CELL + len(cell.value)

    def _grow(self, size: int, now: int) -> None:
        for _ in range(min(_SWEEP_STEP, len(self._cells))):
            oldest = next(iter(self._cells))
            if self._live(oldest, now) is not None:
                self._cells.move_to_end(oldest)
        if self._held + size > self.capacity:
            raise Refusal(Code.STORE_UNAVAILABLE, log="store: full")
        self._held += size

    async def put_if_absent(self, key: str, value: bytes, *, ttl: float) -> bool:
        now = self._now()
        if self._live(key, now) is not None:
            return False
        self._grow(_CELL + len(value), now)
        self._cells[key] = _Cell(value, 1, now + round(ttl * MICROS))
        return True

    async def get(self, key: str) -> Record | None:
        cell = self._live(key, self._now())
        return None if cell is None else Record(cell.value, cell.version)

    async def take(self, key: str) -> bytes | None:
        cell = self._live(key, self._now())
        self._drop(key)
        return None if cell is None else cell.value

    async def compare_and_set(self, key: str, value: bytes, *, version: int, ttl: float) -> bool:
        now = self._now()
        cell = self._live(key, now)
        if (cell.version if cell else 0) != version:
            return False
        self._grow(len(value) + (_CELL if cell is None else -len(cell.value)), now)
        self._cells[key] = _Cell(value, version + 1, now + round(ttl * MICROS))
        return True

    async def delete(self, *keys: str) -> None:
        for key in keys:
            self._drop(key)

    async def charge(self, rates: Sequence[Rate]) -> Verdict:
        now = self._now()
        after: dict[str, int] = {}
        for rate in rates:
            bucket = self._live(rate.key, now)
            due, wait = arrival(rate, stored=bucket.expires if bucket else None, now=now)
            if wait > 0:
                return Verdict(allowed=False, retry_after=wait / MICROS, key=rate.key)
            after[rate.key] = due
        self._grow(_CELL * sum(key not in self._cells for key in after), now)
        for key, due in after.items():
            self._cells[key] = _Cell(b"", 1, due)
        return Verdict(allowed=True)

    async def ping(self) -> None:
        return None

    async def aclose(self) -> None:
        self._cells.clear()
        self._held = 0
