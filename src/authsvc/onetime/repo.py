"""All SQL on one-time secrets. Redeeming is one conditional UPDATE … RETURNING."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, func, insert, or_, select, update

from authsvc.onetime.tables import OneTime
from authsvc.platform.db.engine import POSTGRESQL
from authsvc.platform.db.subject import subject
from authsvc.platform.db.uow import Tx

SUPERSEDED = "superseded"


async def add(tx: Tx, values: Mapping[str, Any]) -> None:
    """Store a new secret's row."""
    await tx.session.execute(insert(OneTime).values(**values))


async def line_up(tx: Tx, *, address_keys: Sequence[bytes]) -> None:
    """Wait for whoever is issuing for the same address, so that the newest voids the others."""
    if tx.dialect == POSTGRESQL:  # SQLite lets one writer in at a time anyway
        numbers = sorted(int.from_bytes(key[:8], "big", signed=True) for key in address_keys)
        await tx.session.execute(select(*map(func.pg_advisory_xact_lock, numbers)))


async def void_older(tx: Tx, *, purpose: str, address_keys: Sequence[bytes]) -> None:
    """Void what is still open for this purpose and address."""
    await tx.session.execute(
        update(OneTime)
        .where(OneTime.purpose == purpose, OneTime.address_key.in_(address_keys))
        .where(OneTime.used_at.is_(None))
        .values(used_at=tx.now, void_reason=SUPERSEDED)
    )


async def redeem(tx: Tx, *conditions: ColumnElement[bool], purpose: str) -> OneTime | None:
    """Spend the one open row that meets the conditions. Spec: security.md B2."""
    epoch = select(subject.c.auth_epoch).where(subject.c.id == OneTime.user_id).scalar_subquery()
    statement = (
        update(OneTime)
        .where(*conditions, OneTime.purpose == purpose)
        .where(OneTime.used_at.is_(None), OneTime.expires_at > tx.now)
        .where(or_(OneTime.user_id.is_(None), OneTime.epoch == epoch))
        .values(used_at=tx.now)
        .returning(OneTime)
    )
    return (await tx.session.execute(statement)).scalar_one_or_none()


async def by_hash(tx: Tx, hash: bytes) -> OneTime | None:
    """The row of a token; changes nothing."""
    return await _afresh(tx, select(OneTime).where(OneTime.hash == hash))


async def newest_of_flow(tx: Tx, flow_id: str, *, purpose: str) -> OneTime | None:
    """The last message of an attempt; changes nothing."""
    statement = (
        select(OneTime)
        .where(OneTime.flow_id == flow_id, OneTime.purpose == purpose)
        .order_by(OneTime.id.desc())
        .limit(1)
    )
    return await _afresh(tx, statement)


async def open_with_address(tx: Tx) -> Sequence[OneTime]:
    """Open rows that keep their address: invitations."""
    statement = select(OneTime).where(
        OneTime.address_sealed.is_not(None), OneTime.used_at.is_(None), OneTime.expires_at > tx.now
    )
    return (await tx.session.execute(statement)).scalars().all()


async def _afresh(tx: Tx, statement: Select[OneTime]) -> OneTime | None:
    # Somebody may have spent the row since this transaction saw it first.
    fresh = statement.execution_options(populate_existing=True)
    return (await tx.session.execute(fresh)).scalar_one_or_none()


async def current_epoch(tx: Tx, user_id: str) -> int | None:
    """The person's epoch now."""
    statement = select(subject.c.auth_epoch).where(subject.c.id == user_id)
    return (await tx.session.execute(statement)).scalar_one_or_none()


async def sweep(tx: Tx, *, before: datetime) -> int:
    """Delete rows that expired before the instant."""
    statement = delete(OneTime).where(OneTime.expires_at < before).returning(OneTime.id)
    return len((await tx.session.execute(statement)).all())
