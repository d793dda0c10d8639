"""Where mailed secrets are issued and redeemed, each in a transaction of its own."""

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from authsvc.accounts import repo as accounts
from authsvc.crypto.keyring import Keyring
from authsvc.crypto.sealing import Sealer
from authsvc.kernel.clock import FrozenClock
from authsvc.kernel.ids import FLOW, USER, new_id
from authsvc.onetime.service import Fate, Glance, Issued, OneTimeSecrets, Purpose, Redeemed
from authsvc.onetime.settings import OneTimeSettings
from authsvc.platform.db.engine import DatabaseSettings, open_database
from authsvc.platform.db.uow import UnitOfWork

ADDRESS = "ann@example.com"
OLD, NEW = b"o" * 32, b"n" * 32


def secrets_with(*roots: bytes) -> OneTimeSecrets:
    """The room under these root keys, newest first."""
    ring = Keyring.of(roots)
    return OneTimeSecrets(ring, Sealer(ring), OneTimeSettings())


@dataclass(slots=True)
class Desk:
    """One process's way to the room."""

    url: str
    closing: AsyncExitStack
    clock: FrozenClock = field(
        default_factory=lambda: FrozenClock(datetime(2026, 11, 24, 9, 0, tzinfo=UTC))
    )
    secrets: OneTimeSecrets = field(default_factory=lambda: secrets_with(NEW))
    uow: UnitOfWork = field(init=False)

    def __post_init__(self) -> None:
        database = open_database(self.url, DatabaseSettings(pool=2, statement=15, lock=15))
        self.closing.push_async_callback(database.dispose)
        self.uow = UnitOfWork(database, self.clock)

    def another(self) -> "Desk":
        """A desk with connections of its own to the same database, as in another process."""
        return Desk(self.url, self.closing, self.clock, self.secrets)

    async def person(self, address: str = ADDRESS) -> str:
        """A new account; its epoch is 1."""
        user = new_id(USER)
        async with self.uow() as tx:
            await accounts.add(tx, user_id=user, address=address, locale=None)
        return user

    async def issue(self, **changes: Any) -> Issued:
        """A sign-in secret for Ann, unless told otherwise."""
        async with self.uow() as tx:
            return await self.secrets.issue(tx, **asked(**changes))

    async def redeem(
        self, token: str, purpose: Purpose = Purpose.SIGN_IN, **more: Any
    ) -> Redeemed | Fate:
        async with self.uow() as tx:
            return await self.secrets.redeem_token(tx, token, purpose=purpose, **more)

    async def code(
        self, code: str, flow_id: str, purpose: Purpose = Purpose.SIGN_IN
    ) -> Redeemed | Fate:
        async with self.uow() as tx:
            return await self.secrets.redeem_code(tx, code, purpose=purpose, flow_id=flow_id)

    async def peek(self, issued: Issued) -> Glance:
        async with self.uow.reading() as tx:
            return await self.secrets.peek(tx, issued.token.reveal())


def asked(**changes: Any) -> dict[str, Any]:
    """What a sign-in secret for Ann is asked for with."""
    usual: dict[str, Any] = {
        "purpose": Purpose.SIGN_IN, "address": ADDRESS, "user_id": None, "epoch": 0,
        "flow_id": new_id(FLOW),
    }  # fmt: skip
    return usual | changes


def wrong(code: str) -> str:
    """Another code."""
    return f"{(int(code) + 1) % 1_000_000:06d}"
