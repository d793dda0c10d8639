"""Sends what is in the outbox: claimed under a lease, outside any transaction, with back-off.

A crash between the server's acceptance and the mark may send a message a second time when the
lease ends, with the same Message-ID.
"""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog

from authsvc.crypto.sealing import Sealer, Unopenable
from authsvc.notify import repo
from authsvc.notify.messages import Message
from authsvc.notify.render import Renderer
from authsvc.notify.service import place
from authsvc.notify.smtp import Envelope, Mailer, MailPermanent, MailTemporary
from authsvc.platform.db.uow import UnitOfWork
from authsvc.platform.metrics import Meter

LEASE = timedelta(seconds=60)
# The mailer's time-out counts each step of a delivery; all of them must end within the lease.
WITHIN = 50.0
GIVE_UP = timedelta(hours=24)
BATCH = 8
_FIRST, _LONGEST = 5.0, 3600.0
_CHANCE = secrets.SystemRandom()

log: Any = structlog.get_logger("authsvc.mail")


def backoff(attempts: int, *, jitter: float) -> timedelta:
    """The wait after so many attempts: 5 s doubling to an hour, up to a quarter longer."""
    seconds = min(_LONGEST, _FIRST * 2 ** (min(attempts, 20) - 1))
    return timedelta(seconds=seconds * (1 + jitter / 4))


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message this dispatcher holds until its lease ends."""

    id: str
    template: str
    payload: bytes
    attempts: int
    age: timedelta
    lease: datetime


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Delivers due messages, a few at a time."""

    uow: UnitOfWork
    sealer: Sealer
    renderer: Renderer
    mailer: Mailer
    within: float = WITHIN
    meter: Meter = field(default_factory=Meter)

    async def run_once(self) -> int:
        """Deliver everything due now; how many messages were tried."""
        tried = 0
        while batch := await self._claim():
            # Every delivery ends before a failure is raised: none goes on unwatched.
            ended = await asyncio.gather(*map(self._deliver, batch), return_exceptions=True)
            for failure in ended:
                if failure is not None:
                    raise failure
            tried += len(batch)
        return tried

    async def _claim(self) -> list[Claimed]:
        async with self.uow() as tx:
            lease = tx.now + LEASE
            rows = await repo.claim(tx, limit=BATCH, lease_until=lease)
            return [
                Claimed(row.id, row.template, row.payload or b"", row.attempts,
                        tx.now - row.created_at, lease)
                for row in rows
            ]  # fmt: skip

    async def _deliver(self, claimed: Claimed) -> None:
        outcome = await self._try(claimed)
        self.meter.mailed(claimed.template, _result(outcome))
        async with self.uow() as tx:
            if isinstance(outcome, timedelta):
                later = {"next_attempt_at": tx.now + outcome, "last_error": "temporary"}
                await repo.settle(tx, claimed.id, later, lease=claimed.lease)
                return
            done: Mapping[str, Any] = {"payload": None, "next_attempt_at": None}
            if outcome is None:
                await repo.settle(tx, claimed.id, {**done, "sent_at": tx.now}, lease=None)
            else:
                failed = {**done, "failed_at": tx.now, "last_error": outcome[:64]}
                await repo.settle(tx, claimed.id, failed, lease=claimed.lease)

    async def _try(self, claimed: Claimed) -> timedelta | str | None:
        """None when sent, the wait before the next try, or why it was given up."""
        words = {"template": claimed.template, "attempts": claimed.attempts}
        try:
            message = Message.unpack(self.sealer.open(claimed.payload, place=place(claimed.id)))
            if message.expires_at is not None and message.expires_at <= self.uow.clock.now():
                log.warning("mail_expired", **words, fix="mail.smtp_url: is the server reachable?")
                return "expired"
            rendered = self.renderer.render(message)
            envelope = Envelope(claimed.id, message.address, claimed.template, rendered)
            async with asyncio.timeout(self.within):
                await self.mailer.send(envelope)
        except Unopenable:
            # Another process may know the key, or an operator may put it back on the list.
            log.error("mail_unopenable", **words, fix="secret_key: was a key taken off the list?")
            return _later(claimed, "unopenable")
        except MailPermanent as error:
            log.warning("mail_refused", **words, error=str(error))
            return f"refused {error}"
        except (MailTemporary, TimeoutError) as error:
            reason = str(error) or type(error).__name__
            log.warning("mail_delayed", **words, error=reason, fix="mail.smtp_url")
            return _later(claimed, reason)
        except Exception as error:  # a message that breaks must not hold up the others
            log.exception("mail_broken", **words, error=type(error).__name__)
            return _later(claimed, type(error).__name__)
        log.info("mail_sent", **words)
        return None


def _later(claimed: Claimed, reason: str) -> timedelta | str:
    if claimed.age > GIVE_UP:
        return f"gave up {reason}"
    return backoff(claimed.attempts, jitter=_CHANCE.random())


def _result(outcome: timedelta | str | None) -> str:
    if outcome is None:
        return "sent"
    return "delayed" if isinstance(outcome, timedelta) else "failed"
