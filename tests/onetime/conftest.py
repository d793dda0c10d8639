"""A desk on each database."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.databases import Backend
from tests.onetime.desk import Desk


@pytest.fixture
async def desk(backend: Backend) -> AsyncIterator[Desk]:
    async with AsyncExitStack() as closing:
        yield Desk(backend.database_url, closing)
