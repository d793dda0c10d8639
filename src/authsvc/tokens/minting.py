"""Access tokens: minimal claims over a living session, signed with the active key."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from authsvc.crypto.jose import Signer
from authsvc.kernel.clock import Clock
from authsvc.kernel.ids import TOKEN, new_id
from authsvc.keys.ring import SigningRing
from authsvc.sessions.facts import Live
from authsvc.tokens.settings import TokenSettings


@dataclass(frozen=True, slots=True)
class Minted:
    """An access token and its life in seconds."""

    token: str
    expires_in: int


@dataclass(frozen=True, slots=True)
class Minter:
    """Signs access tokens. Nothing is stored. Spec: RFC 9068 §2, api.md §2.2."""

    ring: SigningRing
    issuer: str
    clock: Clock
    settings: TokenSettings

    def mint(self, live: Live, *, audience: Sequence[str], client_id: str) -> Minted:
        """A token for these audiences; raises keys_unavailable while no key is loaded."""
        issued = self.clock.now()
        life = self.settings.access_ttl
        claims = self.claims(live, audience=audience, client_id=client_id, at=issued, life=life)
        return Minted(self.sign(claims), expires_in=life)

    def claims(
        self, live: Live, *, audience: Sequence[str], client_id: str, at: datetime, life: int
    ) -> dict[str, object]:
        """The claims set; a refresh copies proofs and never freshens them."""
        now = int(at.timestamp())
        mfa = live.mfa_time is not None
        claims: dict[str, object] = {
            "iss": self.issuer,
            "aud": list(audience),
            "sub": live.user_id,
            "client_id": client_id,
            "iat": now,
            "exp": now + life,
            "jti": new_id(TOKEN),
            "sid": live.id,
            "roles": list(live.roles),
            "acr": live.acr,
            "amr": list(live.amr),
            "auth_time": int(live.auth_time.timestamp()),
            "mfa": mfa,
        }
        if live.mfa_time is not None:
            claims["mfa_time"] = int(live.mfa_time.timestamp())
        return claims

    def sign(self, claims: dict[str, object]) -> str:
        """A compact JWS of ``typ`` at+jwt."""
        signer: Signer = self.ring.signer()
        return signer.sign(claims)
