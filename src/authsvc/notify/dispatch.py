"""Sends what is in the outbox: claimed under a lease, outside any transaction, with back-off.

A crash between the server's acceptance and the mark may send a message a second time when the
lease ends, with the same Message-ID.
"""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog

from authsvc.crypto.sealing import Sealer, Unopenable
from authsvc.notify import repo
from authsvc.notify.messages import Message
from authsvc.notify.render import Renderer
from authsvc.notify.service import place
from authsvc.notify.smtp import Envelope, Mailer, MailPermanent, MailTemporary
from authsvc.platform.db.uow import UnitOfWork

LEASE = timedelta(seconds=60)
GIVE_UP = timedelta(hours=24)
BATCH = 8
_FIRST, _LONGEST = 5.0, 3600.0

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


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Delivers due messages, a few at a time."""

    uow: UnitOfWork
    sealer: Sealer
    renderer: Renderer
    mailer: Mailer

    async def run_once(self) -> int:
        """Deliver everything due now; how many messages were tried."""
        tried = 0
        while batch := await self._claim():
            await asyncio.gather(*(self._deliver(claimed) for claimed in batch))
            tried += len(batch)
        return tried

    async def _claim(self) -> list[Claimed]:
        async with self.uow() as tx:
            rows = await repo.claim(tx, limit=BATCH, lease_until=tx.now + LEASE)
            return [
                Claimed(row.id, row.template, row.payload or b"", row.attempts,
                        tx.now - row.created_at)
                for row in rows
            ]  # fmt: skip

    async def _deliver(self, claimed: Claimed) -> None:
        outcome = await self._try(claimed)
        async with self.uow() as tx:
            if isinstance(outcome, timedelta):
                later = {"next_attempt_at": tx.now + outcome, "last_error": "temporary"}
                await repo.settle(tx, claimed.id, later)
                return
            done: Mapping[str, Any] = {"payload": None, "next_attempt_at": None}
            if outcome is None:
                await repo.settle(tx, claimed.id, {**done, "sent_at": tx.now})
            else:
                failed = {**done, "failed_at": tx.now, "last_error": outcome[:64]}
                await repo.settle(tx, claimed.id, failed)

    async def _try(self, claimed: Claimed) -> timedelta | str | None:
        """None when sent, the wait before the next try, or why it was given up."""
        words = {"template": claimed.template, "attempts": claimed.attempts}
        try:
            message = Message.unpack(self.sealer.open(claimed.payload, place=place(claimed.id)))
            if message.expires_at is not None and message.expires_at <= self.uow.clock.now():
                log.warning("mail_expired", **words, fix="mail.smtp_url: is the server reachable?")
                return "expired"
            rendered = self.renderer.render(message)
            await self.mailer.send(
                Envelope(claimed.id, message.address, claimed.template, rendered)
            )
        except Unopenable:
            log.error("mail_unopenable", **words, fix="secret_key: was a key taken off the list?")
            return "unopenable"
        except MailPermanent as error:
            log.warning("mail_refused", **words, error=str(error))
            return f"refused {error}"
        except MailTemporary as error:
            log.warning("mail_delayed", **words, error=str(error), fix="mail.smtp_url")
            if claimed.age > GIVE_UP:
                return f"gave up {error}"
            return backoff(claimed.attempts, jitter=random.random())  # noqa: S311 spread, no secret
        log.info("mail_sent", **words)
        return None
