"""A sealed column as a whole: which secret keys it needs, and how it is sealed anew.

Spec: security.md C37, C50.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
    Column,
    ColumnElement,
    LargeBinary,
    Table,
    func,
    literal_column,
    select,
    update,
)

from authsvc.crypto.sealing import KEY_ID_AT, KEY_ID_BYTES, Sealer, Unopenable
from authsvc.platform.db.types import Base
from authsvc.platform.db.uow import Tx

BATCH = 100


@dataclass(frozen=True, slots=True)
class Need:
    """How many living things still need a secret key, and when the last of them ends."""

    count: int
    until: datetime


@dataclass(frozen=True, slots=True)
class Batch:
    """What became of a batch. The next one begins after ``last``; None = there is no more.

    ``seen`` = sealed anew, unopenable, and changed by somebody else meanwhile.
    """

    last: str | None
    seen: int
    resealed: int
    unopenable: int


async def _no_lock(_tx: Tx) -> None:
    """Rows of the column are changed one at a time: nobody can wait in a circle."""


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """Where sealed values lie: the rows, the name of the column, what each value is bound to.

    ``lock`` is taken before a batch, for rooms that change several rows in one transaction.
    """

    rows: type[Base]
    column: str
    place: Callable[[str], str]
    lock: Callable[[Tx], Awaitable[None]] = _no_lock

    @property
    def name(self) -> str:
        """``table.column``."""
        return f"{self._table.name}.{self.column}"

    @property
    def _table(self) -> Table:
        return cast(Table, self.rows.__table__)

    @property
    def _id(self) -> Column[Any]:
        (id,) = self._table.primary_key
        return id

    @property
    def _value(self) -> Column[Any]:
        return self._table.c[self.column]

    async def census(self, tx: Tx) -> dict[str, int]:
        """How many values each secret key sealed, by key id."""
        sealed_by = self._sealed_by()
        statement = (
            select(sealed_by, func.count()).where(self._value.is_not(None)).group_by(sealed_by)
        )
        rows = await tx.session.execute(statement)
        return {bytes(key_id).hex(): count for key_id, count in rows}

    async def reseal(
        self, tx: Tx, sealer: Sealer, *, after: str | None = None, limit: int = BATCH
    ) -> Batch:
        """Seal what older keys sealed under the first one, in the order of the rows.

        A row that changes meanwhile is left as it is; so is a value that cannot be opened.
        """
        await self.lock(tx)
        statement = (
            select(self._id, self._value)
            .where(self._sealed_by() != bytes.fromhex(sealer.current_id))
            .order_by(self._id)
            .limit(limit)
        )
        if after is not None:
            statement = statement.where(self._id > after)
        rows = (await tx.session.execute(statement)).all()
        resealed = unopenable = 0
        for id, old in rows:
            try:
                plain = sealer.open(old, place=self.place(id))
            except Unopenable:
                unopenable += 1
                continue
            new = sealer.seal(plain, place=self.place(id))
            resealed += await self._swap(tx, id, old=old, new=new)
        return Batch(rows[-1][0] if rows else None, len(rows), resealed, unopenable)

    async def _swap(self, tx: Tx, id: str, *, old: bytes, new: bytes) -> bool:
        statement = (
            update(self._table)
            .where(self._id == id, self._value == old)
            .values({self._value: new})
            .returning(self._id)
        )
        return (await tx.session.execute(statement)).first() is not None

    def _sealed_by(self) -> ColumnElement[bytes]:
        # Literals: with bound values PostgreSQL would not see that GROUP BY names the same thing.
        at: ColumnElement[int] = literal_column(str(KEY_ID_AT + 1))
        length: ColumnElement[int] = literal_column(str(KEY_ID_BYTES))
        return func.substr(self._value, at, length, type_=LargeBinary())
