"""The sealed outbox: messages are rows of the transaction that wants them sent."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from authsvc.crypto.sealing import Sealer
from authsvc.kernel.ids import MESSAGE, new_id
from authsvc.notify import repo
from authsvc.notify.messages import Message
from authsvc.notify.tables import OutboxMessage
from authsvc.platform.db.sealed import SealedColumn
from authsvc.platform.db.uow import Tx

_KEEP = timedelta(days=7)


def place(id: str) -> str:
    """Where a payload is sealed to."""
    return f"outbox:payload:{id}"


PAYLOADS = SealedColumn(OutboxMessage, "payload", place)


@dataclass(frozen=True, slots=True)
class Outbox:
    """Queues messages; the worker sends them after the commit."""

    sealer: Sealer

    async def put(self, tx: Tx, message: Message, *, idempotency_key: str | None = None) -> bool:
        """Queue a message; False when one with this key was queued before."""
        id = new_id(MESSAGE)
        queued = await repo.add(
            tx,
            {
                "id": id,
                "template": message.template,
                "payload": self.sealer.seal(message.pack(), place=place(id)),
                "created_at": tx.now,
                "next_attempt_at": tx.now,
                "attempts": 0,
                "idempotency_key": idempotency_key,
            },
        )
        tx.wake_worker()
        return queued

    async def waiting(self, tx: Tx) -> tuple[int, datetime | None]:
        """How many messages are still to be sent, and when the oldest was put here."""
        return await repo.waiting(tx)

    async def sweep(self, tx: Tx) -> int:
        """Delete messages done with for a week; how many."""
        return await repo.sweep(tx, before=tx.now - _KEEP)
