"""Attempt budgets and recipient caps: SQL counters that no flush resets."""

from dataclasses import dataclass

from authsvc.guesses import repo
from authsvc.guesses.settings import DAY, GuessSettings, MailCapSettings
from authsvc.platform.db.uow import Tx, UnitOfWork

HOUR = 3600


@dataclass(frozen=True, slots=True)
class Guesses:
    """Spends a try in a transaction of its own, before the secret is looked at.

    Fails closed: a database that cannot be reached is store_unavailable.
    Spec: security.md B5, C02, C03.
    """

    uow: UnitOfWork
    settings: GuessSettings

    async def spend(self, scope: str, key: str, *, maximum: int, window: int) -> int | None:
        """How many tries this window has seen with this one; None when none was left."""
        async with self.uow() as tx:
            return await repo.spend(tx, scope, key, maximum=maximum, window=window)

    async def give_back(self, tx: Tx, scope: str, key: str) -> None:
        """A success gives back its own try, no more, in the transaction of its effect."""
        await repo.give_back(tx, scope, key)

    async def used(self, scope: str, key: str, *, window: int) -> int:
        """Tries of this window so far."""
        async with self.uow.reading() as tx:
            return (await repo.read(tx, scope, key, window=window))[0]

    async def retry_after(self, scope: str, key: str, *, window: int) -> int:
        """Seconds until the budget is whole again, at least one."""
        async with self.uow.reading() as tx:
            return max(1, (await repo.read(tx, scope, key, window=window))[1])

    async def sweep(self, tx: Tx) -> int:
        """Delete counters older than a day; how many."""
        return await repo.sweep(tx, older_than=DAY)


@dataclass(frozen=True, slots=True)
class Caps:
    """How many messages a recipient gets. Spec: security.md C08."""

    settings: MailCapSettings

    async def spend_mail(self, tx: Tx, recipient: str, *, own: bool) -> int | None:
        """None when a message may go out, else the seconds to wait.

        Nothing is charged when any cap refuses: the caller's transaction must roll back then.
        ``own`` = a browser that the account knows, whose allowance strangers cannot spend.
        """
        whose = "own" if own else "any"
        hour = self.settings.own_hour if own else self.settings.hour
        day = self.settings.own_day if own else self.settings.day
        caps = (("pause", self.settings.pause, 1), ("hour", HOUR, hour), ("day", DAY, day))
        for name, window, maximum in caps:
            scope = f"mail {whose} {name}"
            spent = await repo.spend(tx, scope, recipient, maximum=maximum, window=window)
            if spent is None:
                return max(1, (await repo.read(tx, scope, recipient, window=window))[1])
        return None
