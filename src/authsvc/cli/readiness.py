"""Whether this process should get requests. Spec: experience.md §9.4."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from authsvc.bootstrap.services import Services
from authsvc.kernel.errors import Refusal
from authsvc.platform.db.migrate import status
from authsvc.platform.http.health import Readiness

# Leaving the pool takes the key set away from verifiers: not for a short restart.
FORGIVENESS = 30.0
PATIENCE = 2.0


@dataclass(slots=True)
class Watch:
    """Looks at what the service needs. Never raises, never takes longer than four seconds."""

    services: Services
    is_serving: Callable[[], bool]
    monotonic: Callable[[], float] = time.monotonic
    _seen_at: float | None = field(default=None)
    _migrated: bool = field(default=False)
    _ahead: bool = field(default=False)

    def started(self) -> bool:
        """Whether tables and keys were there and requests are taken."""
        return self.services.signing.is_ready and self.is_serving()

    async def readiness(self) -> Readiness:
        """Database, migrations, key, and whether the process is about to end."""
        answers = await self._database_answers()
        now = self.monotonic()
        if answers:
            self._seen_at = now
        recently = self._seen_at is not None and now - self._seen_at < FORGIVENESS
        warnings = [] if answers else ["database_url: the database does not answer"]
        if not await self._store_answers():
            warnings.append("redis_url: the store does not answer, so nobody can sign in")
        migrated = await self._is_migrated()
        if self._ahead:
            warnings.append("the tables are newer than this version: meant for one version only")
        checks = {
            "serving": self.is_serving(),
            "database": recently,
            "migrations": migrated,
            "signing_key": self.services.signing.is_ready,
        }
        return Readiness(checks=checks, warnings=tuple(warnings))

    async def _database_answers(self) -> bool:
        try:
            async with asyncio.timeout(PATIENCE), self.services.ground.uow.reading() as tx:
                await tx.session.execute(select(1))
        except (Refusal, SQLAlchemyError, TimeoutError):
            return False
        return True

    async def _store_answers(self) -> bool:
        try:
            async with asyncio.timeout(PATIENCE):
                await self.services.ground.store.ping()
        except (Refusal, TimeoutError):
            return False
        return True

    async def _is_migrated(self) -> bool:
        """Asked until the answer is yes: tables do not go back."""
        if not self._migrated:
            url = self.services.ground.settings.database_url.get_secret_value()
            try:
                found = await asyncio.to_thread(status, url)
            except (SQLAlchemyError, OSError):  # not proven, so not ready
                return False
            # Newer tables serve the version before: expand, then contract (docs/adr/0006).
            self._migrated, self._ahead = found.is_current, found.is_ahead
        return self._migrated
