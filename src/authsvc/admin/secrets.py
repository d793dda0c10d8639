"""The secret key list, for operators: what each key is still needed for, and re-sealing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from authsvc.crypto.keyring import Keyring, Purpose
from authsvc.crypto.sealing import Sealer
from authsvc.onetime.service import OneTimeSecrets
from authsvc.platform.db.sealed import BATCH, Need, SealedColumn
from authsvc.platform.db.uow import UnitOfWork
from authsvc.sessions.service import Sessions


@dataclass(frozen=True, slots=True)
class KeyUse:
    """What a secret key is needed for. ``place`` on the list from 1; None = it has left it.

    ``sealed`` counts by column. ``sessions`` go on under the first key when they are refreshed;
    ``invitations`` keep the key that they were made under.
    """

    id: str
    place: int | None
    sealed: Mapping[str, int]
    sessions: Need | None
    invitations: Need | None

    @property
    def sealed_values(self) -> int:
        """How many values it sealed, in all columns."""
        return sum(self.sealed.values())

    @property
    def needed_until(self) -> datetime | None:
        """When the last session and invitation under the key will have ended; None = none is."""
        return max((need.until for need in (self.sessions, self.invitations) if need), default=None)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a column is: ``done`` of ``total`` values under older keys."""

    column: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Resealed:
    """How many values were sealed anew, and how many could not be opened."""

    count: int
    unopenable: int


@dataclass(frozen=True, slots=True)
class SecretKeys:
    """Replaces a secret key while the service runs. Spec: security.md B4, C37."""

    uow: UnitOfWork
    ring: Keyring
    sealer: Sealer
    onetime: OneTimeSecrets
    sessions: Sessions
    columns: tuple[SealedColumn, ...]

    async def uses(self) -> list[KeyUse]:
        """Every key of the list in its order, then those that left it too early."""
        async with self.uow.reading() as tx:
            counts = {column.name: await column.census(tx) for column in self.columns}
            sessions = await self.sessions.by_key(tx)
            invitations = await self.onetime.codes_by_key(tx)
        listed = [derived.id for derived in self.ring.all(Purpose.SEAL)]
        found = {*sessions, *(id for count in counts.values() for id in count)}
        return [
            KeyUse(
                id,
                listed.index(id) + 1 if id in listed else None,
                {name: count.get(id, 0) for name, count in counts.items()},
                sessions.get(id),
                invitations.get(id),
            )
            for id in (*listed, *sorted(found - {*listed}))
        ]

    async def reseal(self, told: Callable[[Progress], None], *, batch: int = BATCH) -> Resealed:
        """Seal everything under the first key.

        A batch is a transaction of its own: whoever is interrupted begins again, and servers go
        on meanwhile. ``told`` hears of every batch, and once of a column with nothing to do.
        """
        done = [await self._column(column, told, batch=batch) for column in self.columns]
        return Resealed(sum(one.count for one in done), sum(one.unopenable for one in done))

    async def _column(
        self, column: SealedColumn, told: Callable[[Progress], None], *, batch: int
    ) -> Resealed:
        async with self.uow.reading() as tx:
            census = await column.census(tx)
        total = sum(count for id, count in census.items() if id != self.sealer.current_id)
        seen = count = unopenable = 0
        after: str | None = None
        told(Progress(column.name, seen, total))
        for _ in range(total // batch + 1):
            async with self.uow() as tx:
                done = await column.reseal(tx, self.sealer, after=after, limit=batch)
            if done.last is None:
                break
            after, seen = done.last, seen + done.seen
            count, unopenable = count + done.resealed, unopenable + done.unopenable
            told(Progress(column.name, seen, total))
        return Resealed(count, unopenable)
