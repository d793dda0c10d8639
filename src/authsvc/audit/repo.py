"""All SQL on events."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, insert, select, true

from authsvc.audit.tables import EventOrigin, EventPending, EventRow
from authsvc.platform.db.uow import Tx


async def add(
    tx: Tx, event: Mapping[str, Any], origin: Mapping[str, Any] | None, *, pending: bool
) -> None:
    """Append an event with its origin, and mark it for the relay."""
    await tx.session.execute(insert(EventRow).values(**event))
    if origin is not None:
        await tx.session.execute(insert(EventOrigin).values(**origin))
    if pending:
        await tx.session.execute(insert(EventPending).values(event_id=event["id"]))


async def pending(
    tx: Tx, *, limit: int, after: str | None
) -> Sequence[tuple[EventRow, EventOrigin | None]]:
    """The oldest events the relay has not seen, locked against other relays."""
    waiting = (
        select(EventPending.event_id)
        .where(true() if after is None else EventPending.event_id > after)
        .order_by(EventPending.event_id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = list((await tx.session.execute(waiting)).scalars())
    if not ids:
        return []
    rows = await tx.session.execute(
        select(EventRow, EventOrigin)
        .outerjoin(EventOrigin, EventOrigin.event_id == EventRow.id)
        .where(EventRow.id.in_(ids))
        .order_by(EventRow.id)
    )
    return [(row[0], row[1]) for row in rows]


async def relayed(tx: Tx, ids: Sequence[str]) -> None:
    """The relay has done its work for these events."""
    await tx.session.execute(delete(EventPending).where(EventPending.event_id.in_(ids)))
