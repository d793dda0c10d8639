"""Bringing a database up to date: by many processes at once, by one, or by hand."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from authsvc.platform.db import migrate
from tests.databases import Postgres, apart

UPGRADE = "import sys; from authsvc.platform.db.migrate import upgrade; upgrade(sys.argv[1])"


@pytest.fixture(params=["sqlite", "postgres"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    url = server.create_database()
    yield url
    server.drop_database(url)


@pytest.fixture
def empty_postgres(postgres: Postgres) -> Iterator[str]:
    """The URL of a PostgreSQL database without tables."""
    url = postgres.create_database()
    yield url
    postgres.drop_database(url)


async def test_replicas_that_start_together_all_succeed(empty: str) -> None:
    started = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", UPGRADE, empty),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        for _ in range(4)
    ]
    said = await asyncio.gather(*(process.communicate() for process in started))
    assert [process.returncode for process in started] == [0] * 4, said
    assert (await asyncio.to_thread(migrate.status, empty)).is_current
    await asyncio.to_thread(migrate.check, empty)


async def test_it_can_run_beside_a_running_loop_again_and_again(empty: str) -> None:
    for _ in range(2):
        await asyncio.to_thread(migrate.upgrade, empty)
    assert (await asyncio.to_thread(migrate.status, empty)).pending == ()


def test_the_status_of_an_empty_database_lists_all_that_is_to_do(empty: str) -> None:
    found = apart(lambda: migrate.status(empty))
    assert found.current is None
    assert found.pending[0] == "0001"
    assert found.pending[-1] == found.head
    assert not found.is_current


def test_the_statements_for_running_by_hand(empty: str) -> None:
    statements = apart(lambda: migrate.sql(empty))
    assert "CREATE TABLE signing_keys" in statements
    assert apart(lambda: migrate.status(empty)).current is None
    apart(lambda: migrate.upgrade(empty))
    assert apart(lambda: migrate.sql(empty)) == ""


async def test_a_lock_held_for_too_long_is_told_in_a_sentence(
    empty_postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "LOCK_WAIT", 0.3)
    other = await asyncpg.connect(empty_postgres)
    await other.execute("SELECT pg_advisory_lock($1)", migrate.LOCK_KEY)
    with pytest.raises(migrate.MigrationsBusy, match="another process"):
        await asyncio.to_thread(migrate.upgrade, empty_postgres)
    await other.close()
    await asyncio.to_thread(migrate.upgrade, empty_postgres)
