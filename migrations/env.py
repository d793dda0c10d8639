"""How Alembic runs here: on the connection that authsvc.platform.db.migrate hands in."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy.engine import Connection

from authsvc.platform.db.online import STATEMENT_LOCK, set_lock_timeout
from authsvc.platform.db.types import Instant, PublicId, Words
from authsvc.tables import metadata

_OWN_TYPES = "authsvc.platform.db.types"


def render_item(type_: str, obj: Any, autogen: AutogenContext) -> str | Literal[False]:
    """Our column types by name in written migrations; everything else as Alembic does."""
    if type_ != "type" or not isinstance(obj, Instant | PublicId | Words):
        return False
    name = type(obj).__name__
    autogen.imports.add(f"from {_OWN_TYPES} import {name}")
    return f'{name}("{obj.prefix}")' if isinstance(obj, PublicId) else f"{name}()"


def run(connection: Connection) -> None:
    """Run the migrations that are missing.

    SQLite: all in one transaction, so that a step that fails leaves nothing behind. PostgreSQL:
    one each, so that a step may leave its transaction to build an index CONCURRENTLY.
    """
    is_sqlite = connection.dialect.name == "sqlite"
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_item=render_item,
        render_as_batch=True,
        transactional_ddl=True,
        transaction_per_migration=not is_sqlite,
    )
    with context.begin_transaction():
        context.run_migrations()
        if is_sqlite and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
            raise RuntimeError("the migration left rows that point nowhere; nothing was changed")


def write_sql() -> None:
    """Write the statements out instead of running them: ``authsvc migrate sql``."""
    dialect = context.config.attributes["dialect"]
    context.configure(
        dialect_name=dialect,
        target_metadata=metadata,
        literal_binds=True,
        transactional_ddl=True,
        transaction_per_migration=dialect == "postgresql",
    )
    if dialect == "postgresql":
        context.get_context().impl.static_output(f"{set_lock_timeout(STATEMENT_LOCK)};")
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    write_sql()
else:
    run(context.config.attributes["connection"])
