"""Which secret keys signed the credentials of open sessions. Reads the whole table."""

from sqlalchemy import case, func, select

from authsvc.platform.db.sealed import Need
from authsvc.platform.db.uow import Tx
from authsvc.sessions.tables import Session


async def by_key(tx: Tx) -> dict[str, Need]:
    """The sessions that could be resumed now, by the id of the key that signed them last.

    ``until``: by then each of them has been refreshed, under the first key, or is over.
    """
    idle_first = Session.idle_expires_at < Session.expires_at
    end = case((idle_first, Session.idle_expires_at), else_=Session.expires_at)
    statement = (
        select(Session.mac_key_id, func.count(), func.max(end))
        .where(Session.revoked_at.is_(None), end > tx.now)
        .group_by(Session.mac_key_id)
    )
    rows = await tx.session.execute(statement)
    return {key_id: Need(count, until) for key_id, count, until in rows}
