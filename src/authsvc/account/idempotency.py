"""A repeated call with one ``Idempotency-Key`` has one effect and one answer, for a day."""

import hashlib
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from authsvc.kernel.errors import Code, Refusal
from authsvc.platform.ephemeral.port import Ephemeral

DAY = 86400.0
UNDER_WAY = 30.0  # longer than any request may take: one that died here blocks its key no more
MAX_KEY = 64


@dataclass(frozen=True, slots=True)
class Idempotency:
    """Answers kept in the ephemeral store.

    Fails open: without the store the work is simply done, so it must bear being repeated.
    """

    store: Ephemeral

    async def once(
        self, key: str | None, *, owner: str, asked: str, work: Callable[[], Awaitable[int]]
    ) -> int:
        """The number that ``work`` gave the first time this owner used the key.

        Raises validation_failed for an odd key, idempotency_key_reused when it came with
        another request, busy while the first one is still under way.
        """
        if key is None:
            return await work()
        if not 1 <= len(key) <= MAX_KEY or not key.isascii() or not key.isprintable():
            raise Refusal(Code.VALIDATION_FAILED, log="Idempotency-Key")
        name = f"once:{owner}:{hashlib.sha256(key.encode()).hexdigest()}"
        try:
            first = await self.store.compare_and_set(
                name, json.dumps([asked, None]).encode(), version=0, ttl=UNDER_WAY
            )
            found = None if first else await self.store.get(name)
        except Refusal:
            return await work()
        if found is not None:
            return _repeat(found.value, asked=asked)
        try:
            result = await work()
        except BaseException:
            # What failed may be tried again with the same key.
            with suppress(Refusal):
                await self.store.delete(name)
            raise
        with suppress(Refusal):
            packed = json.dumps([asked, result]).encode()
            await self.store.compare_and_set(name, packed, version=1, ttl=DAY)
        return result


def _repeat(value: bytes, *, asked: str) -> int:
    before, result = json.loads(value)
    if before != asked:
        raise Refusal(Code.IDEMPOTENCY_KEY_REUSED, log="another request had this key")
    if result is None:
        raise Refusal(Code.BUSY, log="the first request with this key is under way")
    return int(result)
