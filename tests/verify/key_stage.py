"""A key cache whose fetches wait until the test lets them run."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from authsvc.verify.download import Download
from authsvc.verify.jose import SUPPORTED
from authsvc.verify.jwks import JwksCache
from tests.verify.forge import ISSUER, Issuer, Ticking

URL = ISSUER + "/.well-known/jwks.json"
Work = Callable[[], None]


@dataclass
class Stage:
    """A cache whose fetches wait until the test lets them run."""

    issuer: Issuer
    clock: Ticking = field(default_factory=lambda: Ticking(1000.0))
    pending: list[Work] = field(default_factory=list[Work])
    rebound: int = 0

    def __post_init__(self) -> None:
        self.cache = JwksCache(
            download=Download(URL, transport=self.issuer.transport),
            algorithms=SUPPORTED,
            monotonic=self.clock,
            spawn=self.pending.append,
            rebound=self._count,
        )

    def _count(self) -> None:
        self.rebound += 1

    async def run(self) -> None:
        """Lets all waiting fetches happen."""
        while self.pending:
            await asyncio.to_thread(self.pending.pop(0))

    async def key(self, kid: str) -> str | None:
        """Asks, lets a fetch happen if one is needed, and gives the key's name."""
        asking = asyncio.ensure_future(self.cache.key(kid))
        while not asking.done():
            await settle()
            await self.run()
        found = await asking
        return found and found.kid

    @property
    def fetches(self) -> int:
        return len(self.issuer.asked)


async def settle() -> None:
    """Lets every task go as far as it gets."""
    for _ in range(5):
        await asyncio.sleep(0)
