"""One process of the service that starts on an empty database; run by the tests."""

import asyncio
import sys

import structlog

from authsvc.audit.service import Audit
from authsvc.crypto.keyring import Keyring
from authsvc.crypto.sealing import Sealer
from authsvc.kernel.clock import SystemClock
from authsvc.keys.ring import SigningRing
from authsvc.keys.service import Keys, rules_of
from authsvc.keys.settings import KeySettings, SigningSettings
from authsvc.platform.db.engine import open_database
from authsvc.platform.db.uow import UnitOfWork


async def start(database_url: str) -> bytes:
    """The published document after a first start, when told to go."""
    database = open_database(database_url)
    uow = UnitOfWork(database, SystemClock())
    sealer = Sealer(Keyring.of([b"a root secret of the tests, 32 bytes or more"]))
    rules = rules_of(KeySettings(), signing=SigningSettings(), token_life=330)
    ring = SigningRing(uow, sealer, rules)
    async with uow.reading():
        pass
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    await Keys(uow, sealer, Audit(), ring, rules).run_due()
    await ring.load()
    await database.dispose()
    return ring.document().body


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    sys.stdout.buffer.write(asyncio.run(start(sys.argv[1])))
