"""Changing tables that requests are using: short waits, and indexes built beside everybody.

Spec: security.md C62.
"""

import re
import sqlite3
from collections.abc import Sequence

from alembic import op
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from authsvc.platform.db.engine import SQLITE, DatabaseSettings

# Requests queue behind a change that waits. Half of what they wait for a lock: the change gives
# up before the first of them does.
STATEMENT_LOCK = DatabaseSettings().lock / 2
INDEX_LOCK = 60.0  # seconds; nobody queues behind an index that is built concurrently
_MET = frozenset({"55P03", "40P01"})  # lock_not_available, deadlock_detected
_TABLE = re.compile(
    r"\b(?:TABLE|ON|INTO|UPDATE|FROM)\s+(?:ONLY\s+|IF\s+(?:NOT\s+)?EXISTS\s+)*\"?(\w+)",
    re.IGNORECASE,
)


def lock_met(error: DBAPIError) -> str | None:
    """What somebody else has locked, a table if the statement names one; None: no lock at all."""
    original = error.orig
    if isinstance(original, sqlite3.OperationalError):
        is_busy = original.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
        return "the database" if is_busy else None
    if getattr(original, "sqlstate", None) not in _MET:
        return None
    named = _TABLE.search(error.statement or "")
    return named[1] if named else "the database"


def set_lock_timeout(seconds: float) -> str:
    """The statement after which PostgreSQL waits so long for a lock."""
    return f"SET lock_timeout = '{int(seconds * 1000)}ms'"


def create_index(name: str, table: str, columns: Sequence[str]) -> None:
    """Build an index on a table in use; for a migration that does nothing else.

    It leaves the migration's transaction, so it may run again after half of it: an index that
    was left unfinished is built anew.
    """
    context = op.get_context()
    if context.dialect.name == SQLITE:
        op.create_index(name, table, list(columns), if_not_exists=True)
        return
    with context.autocommit_block():
        op.execute(set_lock_timeout(INDEX_LOCK))
        try:
            if not context.as_sql and _is_unfinished(name):
                op.drop_index(name, table, postgresql_concurrently=True)
            op.create_index(
                name, table, list(columns), postgresql_concurrently=True, if_not_exists=True
            )
        finally:
            op.execute(set_lock_timeout(STATEMENT_LOCK))


def _is_unfinished(name: str) -> bool:
    asked = text("SELECT NOT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)")
    return bool(op.get_bind().scalar(asked, {"name": name}))
