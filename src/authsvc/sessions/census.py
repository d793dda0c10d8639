"""How many sessions are open, for operators. Reads the whole table: never in a request."""

from sqlalchemy import func, select

from authsvc.platform.db.uow import Tx
from authsvc.sessions.tables import Session


async def active(tx: Tx) -> int:
    """Sessions that could be resumed now."""
    found = await tx.session.scalar(
        select(func.count())
        .select_from(Session)
        .where(
            Session.revoked_at.is_(None),
            Session.idle_expires_at > tx.now,
            Session.expires_at > tx.now,
        )
    )
    return found or 0
