"""What is over is deleted; what still guards something stays until it does not."""

from dataclasses import dataclass
from typing import Any

import structlog

from authsvc.guesses.service import Guesses
from authsvc.notify.service import Outbox
from authsvc.onetime.service import OneTimeSecrets
from authsvc.platform.db.uow import UnitOfWork
from authsvc.sessions.service import Sessions

log: Any = structlog.get_logger("authsvc.worker")


@dataclass(frozen=True, slots=True)
class Sweeps:
    """Deletes expired rows, each room in a transaction of its own."""

    uow: UnitOfWork
    onetime: OneTimeSecrets
    guesses: Guesses
    outbox: Outbox
    sessions: Sessions

    async def run_once(self) -> None:
        """Sweep every room once."""
        for room in (self.onetime, self.guesses, self.outbox, self.sessions):
            async with self.uow() as tx:
                count = await room.sweep(tx)
            if count:
                log.info("swept", name=type(room).__name__, count=count)
