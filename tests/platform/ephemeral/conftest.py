"""The two stores under one contract, and a Redis that may be mistreated."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from authsvc.kernel.clock import SystemClock
from authsvc.platform.ephemeral.memory import MemoryStore
from authsvc.platform.ephemeral.port import Ephemeral
from authsvc.platform.ephemeral.redis import RedisStore
from tests.platform.ephemeral.redis_process import RedisProcess, own_process


@pytest.fixture(params=["memory", "redis"])
async def store(request: pytest.FixtureRequest, key_prefix: str) -> AsyncIterator[Ephemeral]:
    """Either store. The time-out is generous: these tests are about answers, not about speed."""
    if request.param == "memory":
        found: Ephemeral = MemoryStore(SystemClock())
    else:
        url = request.getfixturevalue("redis_server").url
        found = RedisStore(url, prefix=key_prefix, timeout=5.0)
    yield found
    await found.aclose()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisProcess]:
    """A Redis that the test may freeze, fill, flush, kill and start again."""
    with own_process(tmp_path) as server:
        yield server
