"""Keys from memory instead of the network, and the seam by which tests hand them in."""

from collections.abc import Collection, Generator
from contextlib import contextmanager
from dataclasses import dataclass

from authsvc.verify.jose import SUPPORTED, VerifyingKey, read_keys
from authsvc.verify.jwks import BlockingKeySource


@dataclass(slots=True)
class LocalKeys:
    """A KeySource over a key set that somebody hands in."""

    keys: dict[str, VerifyingKey]

    @classmethod
    def of(cls, key_set: bytes, *, algorithms: Collection[str] = SUPPORTED) -> "LocalKeys":
        """The keys of a JWK Set document; raises jose.Malformed."""
        return cls(read_keys(key_set, algorithms=algorithms))

    async def key(self, kid: str) -> VerifyingKey | None:
        """The key, None when there is none of this name."""
        return self.keys.get(kid)

    def key_sync(self, kid: str) -> VerifyingKey | None:
        """The key, None when there is none of this name."""
        return self.keys.get(kid)

    def known(self, kid: str) -> bool:
        """Whether there is a key of this name."""
        return kid in self.keys

    async def reload(self) -> None:
        """Nothing to fetch."""

    async def aclose(self) -> None:
        """Nothing to let go of."""


@dataclass(slots=True)
class StandIn:
    """What all verifiers of this process trust instead of their own keys. Tests only."""

    source: BlockingKeySource | None = None


STAND_IN = StandIn()


@contextmanager
def trusted_instead(source: BlockingKeySource) -> Generator[None]:
    """Within the block every verifier of the process trusts this source and no other.

    For tests: everything else about a verification stays as it is. What was verified within
    the block counts for nothing after it.
    """
    before, STAND_IN.source = STAND_IN.source, source
    try:
        yield
    finally:
        STAND_IN.source = before
