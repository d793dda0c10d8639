"""The service guards its own routes with the keys it holds."""

import secrets
from dataclasses import dataclass

import pytest

from authsvc.keys.lifecycle import SETTLE
from authsvc.keys.source import COOLDOWN, RingKeys
from authsvc.platform.db.engine import open_database
from authsvc.platform.db.uow import UnitOfWork
from authsvc.verify.errors import KeysUnavailable, TokenInvalid
from authsvc.verify.verifier import Verifier
from tests.keys.conftest import RULES, Replica, Replicas

ISSUER = "https://auth.example.com"


@dataclass
class Ticking:
    """A monotonic clock that moves when told to."""

    at: float = 100.0

    def __call__(self) -> float:
        return self.at


def claims(replica: Replica) -> dict[str, object]:
    """What an access token says."""
    now = int(replica.clock.now().timestamp())
    return {
        "iss": ISSUER,
        "aud": ["authsvc"],
        "sub": "usr_1",
        "client_id": "web",
        "iat": now,
        "exp": now + 300,
        "jti": f"tok_{secrets.token_hex(8)}",
        "sid": "ses_1",
        "roles": ["member"],
        "acr": "aal1",
        "amr": ["email"],
        "auth_time": now,
        "mfa": False,
    }


def verifier(replica: Replica, keys: RingKeys) -> Verifier:
    """The verifier as the service uses it on itself."""
    return Verifier(
        issuer=ISSUER,
        audience="authsvc",
        keys=keys,
        now=lambda: replica.clock.now().timestamp(),
    )


async def test_a_token_of_the_active_key_is_accepted(replica: Replica) -> None:
    await replica.keys.run_due()
    guard = verifier(replica, RingKeys(replica.ring))
    principal = await guard.verify(replica.ring.signer().sign(claims(replica)))
    assert principal.sub == "usr_1"


async def test_a_key_of_a_replica_is_found_at_once(replicas: Replicas) -> None:
    one, other = replicas(), replicas()
    await one.keys.run_due()
    await other.ring.load()
    await one.keys.rotate(emergency=True)
    guard = verifier(other, RingKeys(other.ring))
    assert await guard.verify(one.ring.signer().sign(claims(one)))


async def test_invented_kids_cost_one_look_per_cool_down(replicas: Replicas) -> None:
    one, other = replicas(), replicas()
    await one.keys.run_due()
    await other.ring.load()
    clock = Ticking()
    keys = RingKeys(other.ring, monotonic=clock)
    assert await keys.key("invented") is None
    kid = (await one.keys.rotate(emergency=True)).kid
    assert await keys.key(kid) is None  # within the cool-down nobody looks
    clock.at += COOLDOWN
    assert await keys.key(kid) is not None


async def test_a_removed_key_opens_nothing_any_more(replica: Replica) -> None:
    await replica.keys.run_due()
    guard = verifier(replica, RingKeys(replica.ring))
    old = replica.ring.signer()
    await replica.keys.rotate(emergency=True)
    assert await guard.verify(old.sign(claims(replica)))
    await replica.later(RULES.token_life + SETTLE)
    with pytest.raises(TokenInvalid):
        await guard.verify(old.sign(claims(replica)))


async def test_a_cold_ring_is_unavailable_and_no_refusal_of_the_token(replica: Replica) -> None:
    keys = RingKeys(replica.ring)
    assert not keys.known("any")
    with pytest.raises(KeysUnavailable):
        await keys.key("any")
    with pytest.raises(KeysUnavailable):
        await keys.reload()


async def test_held_keys_serve_while_the_database_is_away(replica: Replica) -> None:
    await replica.keys.run_due()
    kid = replica.ring.signer().kid
    away = open_database("postgresql://nobody@127.0.0.1:1/away")
    replica.ring.uow = UnitOfWork(away, replica.clock)
    keys = RingKeys(replica.ring)
    await keys.reload()
    assert keys.known(kid)
    assert await keys.key(kid) is not None
    assert await keys.key("unknown") is None
    await away.dispose()
