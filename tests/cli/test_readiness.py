"""When a process says that it should get requests, and for how long it hopes."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from authsvc.bootstrap.services import Services, build
from authsvc.cli.readiness import FORGIVENESS, Watch
from authsvc.settings import Settings
from tests.cli.conftest import SECRET
from tests.databases import Backend, Postgres
from tests.live import free_port


def settings_of(database_url: str, redis_url: str | None = None) -> Settings:
    return Settings.model_validate(
        {
            "public_url": "https://auth.example.com",
            "database_url": database_url,
            "redis_url": redis_url,
            "secret_key": SECRET,
        }
    )


@dataclass(slots=True)
class Hours:
    """A stopwatch that the test turns."""

    at: float = 0.0

    def now(self) -> float:
        return self.at


@pytest.fixture
async def services(backend: Backend) -> AsyncIterator[Services]:
    made = build(settings_of(backend.database_url, backend.redis_url))
    yield made
    await made.stop()


async def test_started_means_a_key_and_open_doors(services: Services) -> None:
    doors = {"open": False}
    watch = Watch(services, is_serving=lambda: doors["open"])
    assert not watch.started()
    doors["open"] = True
    assert not watch.started(), "there is no key yet"
    assert not (await watch.readiness()).is_ready
    await services.start()
    assert watch.started()
    found = await watch.readiness()
    assert (found.is_ready, found.warnings) == (True, ())
    doors["open"] = False
    assert not (await watch.readiness()).is_ready


async def test_half_a_minute_without_the_database_is_forgiven(postgres: Postgres) -> None:
    url, hours = postgres.create_migrated(), Hours()
    services = build(settings_of(url))
    watch = Watch(services, is_serving=lambda: True, monotonic=hours.now)
    try:
        await services.start()
        assert (await watch.readiness()).is_ready
        await asyncio.to_thread(postgres.drop_database, url)
        hours.at = FORGIVENESS - 1
        found = await watch.readiness()
        assert found.is_ready
        assert found.warnings == ("database_url: the database does not answer",)
        hours.at = FORGIVENESS
        assert (await watch.readiness()).checks["database"] is False
    finally:
        await services.stop()


async def test_tables_that_are_missing_are_not_ready(postgres: Postgres) -> None:
    url = await asyncio.to_thread(postgres.create_database)
    services = build(settings_of(url))
    try:
        watch = Watch(services, is_serving=lambda: True)
        checks = (await watch.readiness()).checks
        assert (checks["database"], checks["migrations"]) == (True, False)
    finally:
        await services.stop()
        await asyncio.to_thread(postgres.drop_database, url)


async def test_a_silent_store_is_a_warning(sqlite_database: str) -> None:
    services = build(settings_of(sqlite_database, f"redis://127.0.0.1:{free_port()}"))
    try:
        await services.start()
        found = await Watch(services, is_serving=lambda: True).readiness()
        assert found.is_ready
        assert found.warnings == ("redis_url: the store does not answer, so nobody can sign in",)
    finally:
        await services.stop()
