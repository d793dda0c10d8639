"""The shipped application, asked as other programs and browsers ask."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2
import pytest_asyncio

from authsvc.app import create_app
from authsvc.bootstrap.services import Services, build
from authsvc.kernel.clock import ShiftedClock
from authsvc.settings import Settings
from tests.databases import Backend

AUTH = "https://auth.example.com"
SECRET = "k3UoFz7rXn5tQw9yBd1eGh4jLm6pRs8vKx2zCa0uEi0"


@dataclass(slots=True)
class Site:
    """A running service and an HTTP client without manners of its own."""

    services: Services
    clock: ShiftedClock
    http: httpx2.AsyncClient

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        """GET with these headers and no others that matter; ``_`` in a name is a dash."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.get(path, headers={"accept-encoding": "identity"} | named)

    async def head(self, path: str) -> httpx2.Response:
        """HEAD, uncompressed."""
        return await self.http.head(path, headers={"accept-encoding": "identity"})


@asynccontextmanager
async def unstarted(backend: Backend, *, contact: str | None = None) -> AsyncGenerator[Site]:
    """A service that is built and has not started: no keys in memory yet."""
    settings = Settings.model_validate(
        {
            "public_url": AUTH,
            "database_url": backend.database_url,
            "redis_url": backend.redis_url,
            "store": {"prefix": backend.key_prefix},
            "secret_key": SECRET,
            "security_contact": contact,
        }
    )
    clock = ShiftedClock()
    services = build(settings, clock=clock)
    transport = httpx2.ASGITransport(app=create_app(services), client=("203.0.113.9", 40000))
    async with httpx2.AsyncClient(transport=transport, base_url=AUTH) as http:
        yield Site(services, clock, http)
    await services.stop()


@pytest_asyncio.fixture
async def site(backend: Backend) -> AsyncIterator[Site]:
    """A service that has started: its keys are loaded."""
    async with unstarted(backend, contact="mailto:security@example.com") as found:
        await found.services.start()
        yield found


@pytest_asyncio.fixture
async def cold_site(backend: Backend) -> AsyncIterator[Site]:
    """A service that never came to load its keys, and names no security contact."""
    async with unstarted(backend) as found:
        yield found
