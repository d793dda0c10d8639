"""All SQL on attempt budgets and recipient caps."""

from sqlalchemy import case, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from authsvc.guesses.tables import Guess
from authsvc.platform.db.engine import POSTGRESQL
from authsvc.platform.db.uow import Tx


def epoch(tx: Tx) -> int:
    """Now in whole seconds."""
    return int(tx.now.timestamp())


async def spend(tx: Tx, scope: str, key: str, *, maximum: int, window: int) -> int | None:
    """Count one more; how many in this window, None when the budget is spent.

    Spec: security.md B5: one statement, so that parallel tries never exceed the maximum.
    """
    now = epoch(tx)
    over = Guess.window_start <= now - window
    build = postgresql.insert if tx.dialect == POSTGRESQL else sqlite.insert
    statement = (
        build(Guess)
        .values(scope=scope, key=key, window_start=now, tries=1)
        .on_conflict_do_update(
            index_elements=[Guess.scope, Guess.key],
            set_={
                "tries": case((over, 1), else_=Guess.tries + 1),
                "window_start": case((over, now), else_=Guess.window_start),
            },
            where=or_(Guess.tries < maximum, over),
        )
        .returning(Guess.tries)
    )
    return (await tx.session.execute(statement)).scalar_one_or_none()


async def give_back(tx: Tx, scope: str, key: str) -> None:
    """Undo one own try."""
    await tx.session.execute(
        update(Guess)
        .where(Guess.scope == scope, Guess.key == key, Guess.tries > 0)
        .values(tries=Guess.tries - 1)
    )


async def read(tx: Tx, scope: str, key: str, *, window: int) -> tuple[int, int]:
    """Tries in this window and the seconds until it is over; (0, 0) when there is none."""
    statement = select(Guess.tries, Guess.window_start).where(
        Guess.scope == scope, Guess.key == key
    )
    row = (await tx.session.execute(statement)).first()
    left = 0 if row is None else row.window_start + window - epoch(tx)
    return (row.tries, left) if row is not None and left > 0 else (0, 0)


async def sweep(tx: Tx, *, older_than: int) -> int:
    """Delete counters whose window began so many seconds ago or earlier."""
    statement = delete(Guess).where(Guess.window_start <= epoch(tx) - older_than)
    return len((await tx.session.execute(statement.returning(Guess.key))).all())
