"""All SQL of the signing keys. Each change names the state it expects."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from authsvc.crypto.jose import Algorithm
from authsvc.keys.lifecycle import Key, State
from authsvc.keys.tables import SigningKey
from authsvc.platform.db.engine import POSTGRESQL
from authsvc.platform.db.uow import Tx

_LOCK_KEY = 0x6B657973  # "keys"


@dataclass(frozen=True, slots=True)
class Stored:
    """A key's row. ``private`` is sealed, and None once the key is retired."""

    key: Key
    public_jwk: str
    private: bytes | None


@dataclass(frozen=True, slots=True)
class New:
    """A key to be stored; ``private`` is sealed already."""

    kid: str
    alg: Algorithm
    public_jwk: str
    private: bytes
    state: State


async def lock(tx: Tx) -> None:
    """Nobody else plans until this transaction ends. On SQLite a writer is alone anyway."""
    if tx.dialect == POSTGRESQL:
        await tx.session.execute(select(func.pg_advisory_xact_lock(_LOCK_KEY)))


async def read(tx: Tx) -> tuple[Stored, ...]:
    """Every key, oldest first."""
    rows = await tx.session.scalars(
        select(SigningKey).order_by(SigningKey.created_at, SigningKey.kid)
    )
    return tuple(_stored(row) for row in rows)


async def add(tx: Tx, new: New) -> None:
    """Store a new key; it is published from now on."""
    values = {
        "kid": new.kid,
        "alg": new.alg.value,
        "public_jwk": new.public_jwk,
        "private_sealed": new.private,
        "state": new.state.value,
        "created_at": tx.now,
        "published_at": tx.now,
        "activated_at": tx.now if new.state is State.ACTIVE else None,
        "retained": False,
    }
    await tx.session.execute(insert(SigningKey).values(values))


async def activate(tx: Tx, kid: str) -> bool:
    """The next key begins to sign."""
    changes = {"state": State.ACTIVE.value, "activated_at": tx.now, "activate_at": None}
    return await _change(tx, kid, State.NEXT, changes)


async def retire(tx: Tx, kid: str, *, remove_at: datetime, released: bool) -> bool:
    """The active key stops signing and its private half is forgotten."""
    changes: dict[str, Any] = {
        "state": State.RETIRED.value,
        "retired_at": tx.now,
        "remove_at": remove_at,
        "private_sealed": None,
    }
    if released:
        changes["retained"] = False
    return await _change(tx, kid, State.ACTIVE, changes)


async def schedule(tx: Tx, kid: str, *, activate_at: datetime) -> bool:
    """The next key takes over at this time."""
    return await _change(tx, kid, State.NEXT, {"activate_at": activate_at})


async def retain(tx: Tx, kid: str, *, retained: bool) -> bool:
    """Whether the schedule keeps its hands off the key."""
    statement = update(SigningKey).where(SigningKey.kid == kid).values(retained=retained)
    return await _changed(tx, statement)


async def remove(tx: Tx, kid: str) -> bool:
    """Forget a key that does not sign."""
    statement = delete(SigningKey).where(
        SigningKey.kid == kid, SigningKey.state != State.ACTIVE.value
    )
    return await _changed(tx, statement)


async def _change(tx: Tx, kid: str, state: State, changes: Mapping[str, Any]) -> bool:
    statement = (
        update(SigningKey)
        .where(SigningKey.kid == kid, SigningKey.state == state.value)
        .values(dict(changes))
    )
    return await _changed(tx, statement)


async def _changed(tx: Tx, statement: Any) -> bool:
    result = await tx.session.execute(
        statement.returning(SigningKey.kid).execution_options(synchronize_session=False)
    )
    return result.first() is not None


def _stored(row: SigningKey) -> Stored:
    key = Key(
        kid=row.kid,
        alg=Algorithm(row.alg),
        state=State(row.state),
        published_at=row.published_at,
        activate_at=row.activate_at,
        activated_at=row.activated_at,
        retired_at=row.retired_at,
        remove_at=row.remove_at,
        retained=row.retained,
    )
    return Stored(key, public_jwk=row.public_jwk, private=row.private_sealed)
