"""All SQL on the outbox."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, or_, select, update

from authsvc.notify.tables import OutboxMessage
from authsvc.platform.db.once import insert_once
from authsvc.platform.db.uow import Tx


async def add(tx: Tx, values: Mapping[str, Any]) -> bool:
    """Queue a message; False when its idempotency key was queued before."""
    return await insert_once(tx, OutboxMessage, values)


async def claim(tx: Tx, *, limit: int, lease_until: datetime) -> Sequence[OutboxMessage]:
    """Take due messages for this dispatcher alone, until the lease ends. One statement."""
    due = (
        OutboxMessage.next_attempt_at <= tx.now,
        or_(OutboxMessage.lease_until.is_(None), OutboxMessage.lease_until <= tx.now),
    )
    chosen = (
        select(OutboxMessage.id)
        .where(*due)
        .order_by(OutboxMessage.next_attempt_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    statement = (
        update(OutboxMessage)
        .where(OutboxMessage.id.in_(chosen), *due)
        .values(lease_until=lease_until, attempts=OutboxMessage.attempts + 1)
        .returning(OutboxMessage)
        .execution_options(synchronize_session=False)
    )
    return (await tx.session.execute(statement)).scalars().all()


async def settle(tx: Tx, id: str, values: Mapping[str, Any], *, lease: datetime | None) -> None:
    """Write the outcome of a delivery and give the lease back.

    ``lease``: only while this lease is still held; None = whoever holds it (the message left).
    """
    held = () if lease is None else (OutboxMessage.lease_until == lease,)
    await tx.session.execute(
        update(OutboxMessage)
        .where(OutboxMessage.id == id, *held)
        .values(lease_until=None, **values)
        .execution_options(synchronize_session=False)
    )


async def waiting(tx: Tx) -> tuple[int, datetime | None]:
    """How many messages are still to be sent, and since when the oldest has been waiting."""
    found = await tx.session.execute(
        select(func.count(), func.min(OutboxMessage.created_at)).where(
            OutboxMessage.next_attempt_at.is_not(None)
        )
    )
    count, oldest = found.one()
    return count, oldest


async def sweep(tx: Tx, *, before: datetime) -> int:
    """Delete messages sent or given up before the instant."""
    over = or_(OutboxMessage.sent_at < before, OutboxMessage.failed_at < before)
    statement = delete(OutboxMessage).where(over).returning(OutboxMessage.id)
    return len((await tx.session.execute(statement)).all())
