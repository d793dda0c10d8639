"""Insert a row unless one like it is there."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.dialects import postgresql, sqlite

from authsvc.platform.db.engine import POSTGRESQL
from authsvc.platform.db.types import Base
from authsvc.platform.db.uow import Tx


async def insert_once(tx: Tx, model: type[Base], values: Mapping[str, Any]) -> bool:
    """True when the row went in; False when any unique key already stood.

    ``ON CONFLICT DO NOTHING`` without a target: whichever key collides, nothing is raised.
    """
    build = postgresql.insert if tx.dialect == POSTGRESQL else sqlite.insert
    keys = inspect(model).primary_key
    statement = build(model).values(**values).on_conflict_do_nothing().returning(*keys)
    result = await tx.session.execute(statement)
    return result.first() is not None
