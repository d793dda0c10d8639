"""The service guards its own routes with the library that other services install."""

from dataclasses import dataclass

from authsvc.clients.settings import ACCOUNT_AUDIENCE
from authsvc.kernel.clock import Clock
from authsvc.kernel.errors import Refusal
from authsvc.keys.ring import SigningRing
from authsvc.tokens.settings import TokenSettings
from authsvc.verify.errors import KeysUnavailable
from authsvc.verify.fastapi import Verifier
from authsvc.verify.jose import SUPPORTED, VerifyingKey, read_key

_RETRY = 5


@dataclass(slots=True)
class OwnKeys:
    """The signing ring as a key source: no network, in step with what is published."""

    ring: SigningRing
    _source: object = None
    _keys: dict[str, VerifyingKey] | None = None

    def _held(self) -> dict[str, VerifyingKey]:
        try:
            published = self.ring.public_keys()
        except Refusal as refusal:
            raise KeysUnavailable(retry_after=_RETRY, log=refusal.log) from refusal
        if self._keys is None or published is not self._source:
            keys = [read_key(jwk, algorithms=SUPPORTED) for jwk in published]
            self._keys, self._source = {key.kid: key for key in keys}, published
        return self._keys

    async def key(self, kid: str) -> VerifyingKey | None:
        return self._held().get(kid)

    def known(self, kid: str) -> bool:
        return kid in self._held()

    async def reload(self) -> None:
        self._held()

    async def aclose(self) -> None:
        return None


def own_verifier(
    ring: SigningRing, *, issuer: str, settings: TokenSettings, clock: Clock
) -> Verifier:
    """A verifier for tokens that open ``/v1/account``. Spec: api.md §2.1."""
    return Verifier(
        issuer=issuer,
        audience=ACCOUNT_AUDIENCE,
        leeway=settings.leeway,
        keys=OwnKeys(ring),
        now=lambda: clock.now().timestamp(),
    )
