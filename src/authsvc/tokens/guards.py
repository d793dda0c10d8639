"""The service guards its own routes with the library that other services install."""

from authsvc.clients.settings import ACCOUNT_AUDIENCE
from authsvc.kernel.clock import Clock
from authsvc.keys.ring import SigningRing
from authsvc.keys.source import RingKeys
from authsvc.tokens.settings import TokenSettings
from authsvc.verify.fastapi import Verifier


def own_verifier(
    ring: SigningRing, *, issuer: str, settings: TokenSettings, clock: Clock
) -> Verifier:
    """A verifier for tokens that open ``/v1/account``. Spec: api.md §2.1."""
    return Verifier(
        issuer=issuer,
        audience=ACCOUNT_AUDIENCE,
        leeway=settings.leeway,
        keys=RingKeys(ring),
        now=lambda: clock.now().timestamp(),
    )
