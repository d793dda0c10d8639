"""What everything stands on, from settings: engine, store, keys and texts."""

from dataclasses import dataclass

from authsvc.crypto.keyring import Keyring
from authsvc.crypto.sealing import Sealer
from authsvc.kernel.clock import Clock, SystemClock
from authsvc.platform.db.engine import Database, open_database
from authsvc.platform.db.hot import Hot, open_hot
from authsvc.platform.db.uow import UnitOfWork
from authsvc.platform.ephemeral.memory import MemoryStore
from authsvc.platform.ephemeral.port import Ephemeral
from authsvc.platform.ephemeral.redis import RedisStore
from authsvc.platform.i18n.catalogue import Catalogue
from authsvc.platform.metrics import Meter
from authsvc.settings import Env, Settings


@dataclass(frozen=True, slots=True)
class Ground:
    """What everything stands on."""

    settings: Settings
    clock: Clock
    database: Database
    hot: Hot
    store: Ephemeral
    uow: UnitOfWork
    ring: Keyring
    sealer: Sealer
    catalogue: Catalogue
    meter: Meter

    @property
    def dev(self) -> bool:
        return self.settings.env is Env.DEV

    async def sample_pool(self) -> None:
        """Note for the metrics how many database connections are at work now."""
        self.meter.pool_in_use(self.database.in_use + self.hot.in_use)


def ground_of(settings: Settings, *, clock: Clock | None = None) -> Ground:
    """Engine, store, keys and texts; connects to nothing yet."""
    time = clock or SystemClock()
    database = open_database(settings.database_url.get_secret_value(), settings.db)
    ring = Keyring.of(settings.secret_roots())
    return Ground(
        settings=settings,
        clock=time,
        database=database,
        hot=open_hot(database),
        store=_store(settings, clock=time),
        uow=UnitOfWork(database, time),
        ring=ring,
        sealer=Sealer(ring),
        catalogue=Catalogue.load(default=settings.locales.default),
        meter=Meter(),
    )


def _store(settings: Settings, *, clock: Clock) -> Ephemeral:
    if settings.redis_url is None:
        return MemoryStore(clock)
    knobs = settings.store
    url = settings.redis_url.get_secret_value()
    return RedisStore(url, prefix=knobs.prefix, timeout=knobs.timeout, breaker=knobs.breaker)
