"""All SQL on sessions. The hot statements are text, run on the driver's own connection."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, case, delete, func, literal, select, type_coerce, update

from authsvc.platform.db.hot import Statement
from authsvc.platform.db.once import insert_once
from authsvc.platform.db.sealed import Need
from authsvc.platform.db.subject import ACTIVE, subject
from authsvc.platform.db.types import Instant
from authsvc.platform.db.uow import Tx
from authsvc.sessions.tables import Session

# $1 now or NULL for the database's own clock · $2 id · $3 counter shown · $4 grace
# $5 idle life · $6 strict idle life · $7 key id · $8 browser · $9 network · $10 regardless of
# the last rotation (step-up, first exchange). Times and lives in microseconds.
_ADVANCE = """
UPDATE sessions SET
  counter = counter + 1,
  grace_counter = CASE WHEN rotated_at > t.now - $4 THEN grace_counter ELSE counter END,
  rotated_at = t.now, mac_key_id = $7, shown = FALSE, late_retries = 0,
  browser = $8, network = $9,
  idle_expires_at = t.now + CASE WHEN profile = 'strict' THEN $6 ELSE $5 END
FROM t
WHERE id = $2 AND counter = $3 AND (rotated_at <= t.now - $4 OR $10)
  AND revoked_at IS NULL AND expires_at > t.now AND idle_expires_at > t.now
  AND epoch = (SELECT u.auth_epoch FROM users u
                WHERE u.id = sessions.user_id AND u.status = 'active')
RETURNING user_id, counter, mac_key_id, client_id, acr, amr, auth_time, mfa_time, profile,
  stay, rotated_at, idle_expires_at, expires_at,
  (SELECT u.roles FROM users u WHERE u.id = sessions.user_id)
"""

# $1 now or NULL · $2 id. The columns of RETURNING above, then what rotation.judge needs.
_LOOK = """
SELECT s.user_id, s.counter, s.mac_key_id, s.client_id, s.acr, s.amr, s.auth_time, s.mfa_time,
  s.profile, s.stay, s.rotated_at, s.idle_expires_at, s.expires_at, u.roles,
  s.grace_counter, s.revoked_at, s.revoked_reason,
  (u.status = 'active' AND u.auth_epoch = s.epoch), s.shown, s.late_retries,
  s.browser, s.network, t.now
FROM t, sessions s JOIN users u ON u.id = s.user_id WHERE s.id = $2
"""

_MARK_SHOWN = "UPDATE sessions SET shown = TRUE WHERE id = $1 AND counter = $2 RETURNING counter"

_MICROSECOND = timedelta(microseconds=1)
_PG_NOW = (
    "WITH t AS (SELECT COALESCE($1::bigint,"
    " (extract(epoch FROM clock_timestamp()) * 1000000)::bigint) AS now)"
)
_PG_TYPES = {"$4": "$4::bigint", "$5": "$5::bigint", "$6": "$6::bigint", "$10": "$10::boolean"}
_LITE_NOW = "WITH t AS (SELECT CAST(?1 AS INTEGER) AS now)"


def _timed(body: str) -> Statement:
    typed = body.replace("$10", "@10")
    for name in ("$4", "$5", "$6"):
        typed = typed.replace(name, _PG_TYPES[name])
    typed = typed.replace("@10", _PG_TYPES["$10"])
    return Statement(postgresql=_PG_NOW + typed, sqlite=_LITE_NOW + body.replace("$", "?"))


ADVANCE = _timed(_ADVANCE)
LOOK = _timed(_LOOK)
MARK_SHOWN = Statement(postgresql=_MARK_SHOWN, sqlite=_MARK_SHOWN.replace("$", "?"))

_LIVE = (Session.revoked_at.is_(None),)


def _open(tx: Tx) -> tuple[Any, ...]:
    return (*_LIVE, Session.expires_at > tx.now, Session.idle_expires_at > tx.now)


def _alive(tx: Tx) -> tuple[Any, ...]:
    epoch = (
        select(subject.c.auth_epoch)
        .where(subject.c.id == Session.user_id, subject.c.status == ACTIVE)
        .scalar_subquery()
    )
    return (*_open(tx), Session.epoch == epoch)


async def add(tx: Tx, values: Mapping[str, Any]) -> bool:
    """Store a new session; False when its flow opened one before."""
    return await insert_once(tx, Session, values)


async def live(tx: Tx, *, user_id: str) -> Sequence[Session]:
    """The person's living sessions, newest first."""
    statement = (
        select(Session)
        .where(Session.user_id == user_id, *_alive(tx))
        .order_by(Session.rotated_at.desc(), Session.id.desc())
    )
    return (await tx.session.execute(statement)).scalars().all()


async def is_live(tx: Tx, session_id: str) -> bool:
    """Whether the session could still refresh."""
    statement = select(Session.id).where(Session.id == session_id, *_alive(tx))
    return (await tx.session.execute(statement)).first() is not None


async def revoke(
    tx: Tx,
    *,
    reason: str,
    user_id: str | None = None,
    only: str | None = None,
    sparing: str | None = None,
) -> list[str]:
    """End sessions and give back the ids of those that were still open."""
    statement = update(Session).where(*_LIVE).values(revoked_at=tx.now, revoked_reason=reason)
    if user_id is not None:
        statement = statement.where(Session.user_id == user_id)
    if only is not None:
        statement = statement.where(Session.id == only)
    if sparing is not None:
        statement = statement.where(Session.id != sparing)
    result = await tx.session.execute(statement.returning(Session.id))
    return list(result.scalars())


async def revoke_beyond(tx: Tx, *, user_id: str, keep: int, reason: str) -> list[str]:
    """End the oldest sessions beyond so many; gives back their ids."""
    newest = (
        select(Session.id)
        .where(Session.user_id == user_id, *_LIVE)
        .order_by(Session.id.desc())
        .limit(keep)
    )
    statement = (
        update(Session)
        .where(Session.user_id == user_id, *_LIVE, Session.id.not_in(newest))
        .values(revoked_at=tx.now, revoked_reason=reason)
        .returning(Session.id)
    )
    return list((await tx.session.execute(statement)).scalars())


async def remember_late_retry(tx: Tx, session_id: str, *, counter: int) -> bool:
    """Spend the one late retry of this turn; False when it was spent or the turn has passed."""
    statement = (
        update(Session)
        .where(Session.id == session_id, Session.counter == counter, Session.late_retries == 0)
        .where(Session.shown.is_(False), *_alive(tx))
        .values(late_retries=1)
        .returning(Session.id)
    )
    return (await tx.session.execute(statement)).first() is not None


async def revoke_turn(tx: Tx, session_id: str, *, reason: str) -> str | None:
    """End one session if it is still open; gives back whose it was."""
    statement = (
        update(Session)
        .where(Session.id == session_id, *_LIVE)
        .values(revoked_at=tx.now, revoked_reason=reason)
        .returning(Session.user_id)
    )
    return (await tx.session.execute(statement)).scalar_one_or_none()


async def tighten(tx: Tx, *, user_id: str, idle: datetime, absolute: timedelta) -> None:
    """Put every living session of a person on the strict profile."""
    by_creation = type_coerce(Session.created_at, BigInteger) + absolute // _MICROSECOND
    earlier = func.min if tx.dialect == "sqlite" else func.least
    await tx.session.execute(
        update(Session)
        .where(Session.user_id == user_id, *_LIVE)
        .values(
            profile="strict",
            idle_expires_at=earlier(Session.idle_expires_at, literal(idle, Instant)),
            expires_at=earlier(Session.expires_at, by_creation),
        )
    )


async def owner(tx: Tx, session_id: str) -> str | None:
    """Whose session this is."""
    statement = select(Session.user_id).where(Session.id == session_id)
    return (await tx.session.execute(statement)).scalar_one_or_none()


async def of_flow(tx: Tx, flow_id: str, *, client_id: str) -> str | None:
    """The session that a flow opened for a client, living or over."""
    statement = select(Session.id).where(Session.flow_id == flow_id, Session.client_id == client_id)
    return (await tx.session.execute(statement)).scalar_one_or_none()


async def other_browsers(tx: Tx, *, user_id: str, session_id: str) -> set[str]:
    """The browser families of the person's other sessions, living or over."""
    statement = select(Session.browser).where(Session.user_id == user_id, Session.id != session_id)
    return set((await tx.session.execute(statement.distinct())).scalars())


async def browser_of(tx: Tx, session_id: str) -> str | None:
    """The browser family of a session."""
    statement = select(Session.browser).where(Session.id == session_id)
    return (await tx.session.execute(statement)).scalar_one_or_none()


async def active(tx: Tx) -> int:
    """How many sessions could be resumed now. Reads the whole table."""
    statement = select(func.count()).select_from(Session).where(*_open(tx))
    return (await tx.session.execute(statement)).scalar_one()


async def by_key(tx: Tx) -> dict[str, Need]:
    """The sessions that could be resumed now, by the key that signed them. Reads the whole table.

    ``until``: by then each of them has been refreshed, under the first key, or is over.
    """
    idle_first = Session.idle_expires_at < Session.expires_at
    end = case((idle_first, Session.idle_expires_at), else_=Session.expires_at)
    statement = (
        select(Session.mac_key_id, func.count(), func.max(end))
        .where(*_open(tx))
        .group_by(Session.mac_key_id)
    )
    rows = await tx.session.execute(statement)
    return {key_id: Need(count, until) for key_id, count, until in rows}


async def age(tx: Tx, *, user_id: str, by: timedelta) -> int:
    """Move the proof times of a person's sessions back (dev mode)."""
    micros = by // _MICROSECOND
    statement = (
        update(Session)
        .where(Session.user_id == user_id)
        .values(
            auth_time=type_coerce(Session.auth_time, BigInteger) - micros,
            mfa_time=type_coerce(Session.mfa_time, BigInteger) - micros,
        )
        .returning(Session.id)
    )
    return len((await tx.session.execute(statement)).all())


async def sweep(tx: Tx, *, before: datetime) -> int:
    """Delete the rows of sessions that ended before the instant."""
    ended = (Session.revoked_at < before) | (Session.expires_at < before)
    statement = delete(Session).where(ended | (Session.idle_expires_at < before))
    return len((await tx.session.execute(statement.returning(Session.id))).all())
