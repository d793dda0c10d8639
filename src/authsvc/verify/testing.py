"""Tokens for the tests of a service that uses the verifier: a local key, no network."""

import gc
import json
import secrets
import time
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from authsvc.verify.claims import Acr
from authsvc.verify.local_keys import LocalKeys, trusted_instead
from authsvc.verify.verifier import LIVE, Verifier

_AMR: Mapping[Acr, tuple[str, ...]] = {
    Acr.AAL1: ("email",),
    Acr.AAL2: ("email", "otp", "mfa"),
    Acr.PHR: ("hwk", "user", "mfa"),
}


@dataclass(frozen=True, slots=True)
class TestToken:
    """A signed access token, ready to be sent. ``claims`` is what it says."""

    __test__ = False

    token: str
    claims: Mapping[str, object]

    @property
    def headers(self) -> dict[str, str]:
        """The headers of a request that carries the token."""
        return {"Authorization": f"Bearer {self.token}"}


class TestTokens:
    """Makes tokens that the verifiers of this process accept while ``trusted`` is open."""

    __test__ = False

    def __init__(self, *, now: Callable[[], float] = time.time) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._kid = f"test-{secrets.token_hex(8)}"
        self._now = now

    @contextmanager
    def trusted(self) -> Generator["TestTokens"]:
        """Within the block every verifier of the process trusts this key and no other."""
        public = ECAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        jwk = {**public, "kid": self._kid, "alg": "ES256", "use": "sig"}
        with trusted_instead(LocalKeys.of(json.dumps({"keys": [jwk]}).encode())):
            yield self

    def __call__(
        self,
        *,
        sub: str = "usr_test",
        roles: Collection[str] = (),
        acr: str | None = None,
        mfa: bool | None = None,
        auth_age: int = 0,
        expires_in: int = 300,
        audience: str | Sequence[str] | None = None,
        issuer: str | None = None,
        claims: Mapping[str, object] | None = None,
    ) -> TestToken:
        """A token of somebody who proved themselves ``auth_age`` seconds ago.

        ``acr`` is ``aal1`` unless ``mfa`` asks for ``aal2``. A negative ``expires_in`` gives an
        expired token. Issuer and audience are those of the application's verifiers, unless
        given. ``claims`` are laid over all others.

        Raises ValueError for an ``mfa`` that contradicts ``acr``, LookupError when it is not
        clear for whom the token is.
        """
        level = Acr(acr) if acr is not None else Acr.AAL2 if mfa else Acr.AAL1
        proved_twice = level is not Acr.AAL1
        if mfa is not None and mfa != proved_twice:
            raise ValueError(f"mfa={mfa} and acr={level} contradict each other")
        for_issuer, for_audience = _addressees(issuer=issuer, audience=audience)
        now = int(self._now())
        said: dict[str, object] = {
            "iss": for_issuer,
            "aud": for_audience,
            "sub": sub,
            "client_id": "test",
            "iat": now - max(0, 300 - expires_in),
            "exp": now + expires_in,
            "jti": f"tok_{secrets.token_hex(8)}",
            "sid": "ses_test",
            "roles": list(roles),
            "acr": level.value,
            "amr": list(_AMR[level]),
            "auth_time": now - auth_age,
            "mfa": proved_twice,
            **({"mfa_time": now - auth_age} if proved_twice else {}),
            **(claims or {}),
        }
        header = {"typ": "at+jwt", "kid": self._kid}
        return TestToken(jwt.encode(said, self._key, "ES256", header), said)


def _addressees(
    *, issuer: str | None, audience: str | Sequence[str] | None
) -> tuple[str, list[str]]:
    live = _live_verifiers(issuer)
    if not live and (issuer is None or audience is None):
        raise LookupError("no Verifier yet: build the application first, or say issuer, audience")
    issuers = {verifier.expected.issuer for verifier in live}
    if issuer is None and len(issuers) > 1:
        raise LookupError(f"verifiers of several issuers: choose one of {sorted(issuers)}")
    audiences = [audience] if isinstance(audience, str) else audience
    if audiences is None:
        audiences = sorted({verifier.expected.audience for verifier in live})
    return issuer or issuers.pop(), list(audiences)


def _live_verifiers(issuer: str | None) -> list[Verifier]:
    """Those in use; what earlier tests left behind is swept up first if it gets in the way."""
    if len({verifier.expected.issuer for verifier in LIVE}) > 1:
        gc.collect()
    return [found for found in LIVE if issuer in (None, found.expected.issuer)]
