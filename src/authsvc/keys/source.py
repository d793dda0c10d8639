"""The service's own keys for its own guards: no HTTP, straight from memory."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from authsvc.kernel.errors import Refusal
from authsvc.keys.ring import SigningRing
from authsvc.verify.errors import KeysUnavailable
from authsvc.verify.jose import VerifyingKey

COOLDOWN = 5.0  # seconds between two looks for keys that we have not heard of


@dataclass(slots=True)
class RingKeys:
    """A verify.jwks.KeySource over the ring.

    A key that another process made a moment ago is looked up once; a flood of invented names
    costs one look per cool-down. Spec: security.md C36.
    """

    ring: SigningRing
    monotonic: Callable[[], float] = time.monotonic
    _looked: float | None = field(default=None, repr=False)

    async def key(self, kid: str) -> VerifyingKey | None:
        """The key of this name; raises KeysUnavailable before the first load."""
        found = self._held().get(kid)
        if found is None and self._may_look():
            self._looked = self.monotonic()
            with suppress(Refusal):  # the database is away: what we hold still counts
                await self.ring.load()
            found = self._held().get(kid)
        return found

    def known(self, kid: str) -> bool:
        """Whether the key is held right now."""
        with suppress(KeysUnavailable):
            return kid in self._held()
        return False

    async def reload(self) -> None:
        """Read the keys now; raises KeysUnavailable when that fails and none are held."""
        with suppress(Refusal):
            await self.ring.load()
        self._held()

    async def aclose(self) -> None:
        """There is nothing to let go of."""

    def _held(self) -> dict[str, VerifyingKey]:
        try:
            return self.ring.public_keys()
        except Refusal as refusal:
            raise KeysUnavailable(retry_after=1, log=refusal.log) from refusal

    def _may_look(self) -> bool:
        return self._looked is None or self.monotonic() - self._looked >= COOLDOWN
