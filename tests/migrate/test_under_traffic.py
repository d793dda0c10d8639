"""Migrations beside requests: who waits for a table gives way. Spec: security.md C62."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import pytest

from authsvc.bootstrap.services import build
from authsvc.cli.readiness import Watch
from authsvc.platform.db import migrate
from authsvc.platform.db.online import STATEMENT_LOCK
from authsvc.settings import Settings
from tests.databases import Backend, Postgres
from tests.live import SECRET
from tests.migrate.chains import NextVersion, hears, migrating, next_version, started
from tests.races.rows import ask
from tests.scale import within

COLUMN = 'op.add_column("users", sa.Column("nickname", sa.String(64), nullable=True))'
INDEX = 'create_index("ix_users_created_at", "users", ["created_at"])'
ENOUGH = 100  # statements that show that nothing stops them
WRITE = "UPDATE users SET name = 'Ann' WHERE locale = 'nowhere'"
VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('ix_users_created_at')::oid"


@pytest.fixture
def coming(tmp_path: Path) -> NextVersion:
    """The next version, without a migration yet."""
    return next_version(tmp_path / "next")


@dataclass(slots=True)
class Traffic:
    """One statement after the other, each as patient for a lock as a request is."""

    slowest: float = 0.0
    statements: int = 0
    busy: asyncio.Event = field(default_factory=asyncio.Event)
    _stop: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def flowing(self, url: str, statement: str) -> AsyncIterator[None]:
        """For the length of a block; the first failure shows at its end."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._run(url, statement))
            try:
                yield
            finally:
                self._stop.set()

    async def _run(self, url: str, statement: str) -> None:
        connection = await asyncpg.connect(url, server_settings={"lock_timeout": "1000"})
        try:
            while not self._stop.is_set():
                began = time.monotonic()
                await connection.execute(statement)
                self.slowest = max(self.slowest, time.monotonic() - began)
                self.statements += 1
                if self.statements == ENOUGH:
                    self.busy.set()
                await asyncio.sleep(0)
        finally:
            await connection.close()


async def test_a_change_lets_those_go_first_who_queue_behind_it(
    postgres_database: str, coming: NextVersion
) -> None:
    coming.chain.add(COLUMN)
    traffic = Traffic()
    backup = await asyncpg.connect(postgres_database)
    reading = backup.transaction()
    await reading.start()
    await backup.execute("SELECT 1 FROM users")
    async with (
        traffic.flowing(postgres_database, WRITE),
        migrating(coming, postgres_database) as process,
    ):
        await hears(process, "waiting for a lock on users, attempt 4")
        await reading.rollback()
    await backup.close()
    assert STATEMENT_LOCK / 2 < traffic.slowest < within(1.0)
    assert await ask(postgres_database, "SELECT nickname FROM users") == []


async def test_an_index_waits_for_a_reader_and_stops_no_writer(
    postgres_database: str, coming: NextVersion
) -> None:
    coming.chain.add(INDEX)
    traffic = Traffic()
    backup = await asyncpg.connect(postgres_database)
    reading = backup.transaction(isolation="repeatable_read")
    await reading.start()
    await backup.execute("SELECT 1 FROM users")
    with pytest.raises(asyncpg.LockNotAvailableError):
        await leave_half_an_index(postgres_database)
    assert await ask(postgres_database, VALID) == [(False,)]
    async with migrating(coming, postgres_database):
        await builds_an_index(postgres_database)
        async with traffic.flowing(postgres_database, WRITE):
            await traffic.busy.wait()
        await reading.rollback()
    await backup.close()
    assert traffic.slowest < within(STATEMENT_LOCK)
    assert await ask(postgres_database, VALID) == [(True,)]


async def leave_half_an_index(url: str) -> None:
    """What is left by a build that was given up."""
    connection = await asyncpg.connect(url, server_settings={"lock_timeout": "50"})
    try:
        await connection.execute(
            "CREATE INDEX CONCURRENTLY ix_users_created_at ON users (created_at)"
        )
    finally:
        await connection.close()


async def builds_an_index(url: str) -> None:
    """Until the migration waits for somebody's transaction to end."""
    waiting = (
        "SELECT 1 FROM pg_stat_activity WHERE application_name = 'authsvc migrations'"
        " AND wait_event = 'virtualxid' AND datname = current_database()"
    )
    due = time.monotonic() + 30
    while not await ask(url, waiting):
        assert time.monotonic() < due, "it never built the index"
        await asyncio.sleep(0.01)


async def test_sqlite_waits_for_its_turn_to_write(
    sqlite_database: str, coming: NextVersion
) -> None:
    coming.chain.add(COLUMN)
    path = sqlite_database.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        async with migrating(coming, sqlite_database) as process:
            await hears(process, "waiting for a lock on the database, attempt 2")
            writer.execute("ROLLBACK")
    assert await ask(sqlite_database, "SELECT nickname FROM users") == []


async def test_sqlite_readers_read_on(sqlite_database: str, coming: NextVersion) -> None:
    coming.chain.add(COLUMN)
    path = sqlite_database.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("PRAGMA journal_mode = WAL")
        reader.execute("BEGIN")
        before = reader.execute("SELECT version_num FROM alembic_version").fetchall()
        async with migrating(coming, sqlite_database):
            pass
        assert reader.execute("SELECT version_num FROM alembic_version").fetchall() == before
        assert reader.execute("SELECT count(*) FROM users").fetchall() == [(0,)]
        reader.execute("COMMIT")
        assert reader.execute("SELECT version_num FROM alembic_version").fetchall() != before


async def test_a_table_that_nobody_lets_go_is_told_in_a_sentence(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "LOCK_WAIT", 0.3)
    url = await asyncio.to_thread(postgres.create_database)
    other = await asyncpg.connect(url)
    await other.execute("BEGIN")
    await other.execute("CREATE TABLE users (id integer)")
    with pytest.raises(migrate.MigrationsBusy, match="has held users for a minute"):
        await asyncio.to_thread(migrate.upgrade, url)
    await other.close()
    await asyncio.to_thread(migrate.upgrade, url)
    await asyncio.to_thread(postgres.drop_database, url)


async def test_sqlite_whose_writer_does_not_end_is_told_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "LOCK_WAIT", 0.1)
    monkeypatch.setattr(migrate, "SQLITE_LOCK", 0.2)
    path = tmp_path / "held.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(migrate.MigrationsBusy, match="has held the database"):
            await asyncio.to_thread(migrate.upgrade, f"sqlite:///{path}")


async def test_newer_tables_are_left_alone_and_serve(backend: Backend, coming: NextVersion) -> None:
    url = backend.database_url
    known = (await asyncio.to_thread(migrate.status, url)).head
    newer = coming.chain.add(COLUMN)
    async with migrating(coming, url):
        pass
    for stood in (migrate.upgrade, migrate.status):
        found = await asyncio.to_thread(stood, url)
        assert (found.current, found.head, found.pending) == (newer, known, ())
        assert found.is_ahead
    assert await asyncio.to_thread(migrate.sql, url) == ""
    assert await ask(url, "SELECT nickname FROM users") == []
    assert await ask(url, "SELECT version_num FROM alembic_version") == [(newer,)]
    made = {"public_url": "https://auth.example.com", "database_url": url, "secret_key": SECRET}
    services = build(Settings.model_validate(made))
    try:
        await services.start()
        ready = await Watch(services, is_serving=lambda: True).readiness()
        assert ready.is_ready
        assert any("newer than this version" in warning for warning in ready.warnings)
    finally:
        await services.stop()


async def test_the_statements_of_a_step_to_come(
    postgres_database: str, coming: NextVersion
) -> None:
    coming.chain.add(COLUMN)
    coming.chain.add(INDEX)
    said, _ = await (await started(coming, postgres_database, "sql")).communicate()
    written = said.decode()
    assert written.startswith("SET lock_timeout = '500ms';")
    connection = await asyncpg.connect(postgres_database)
    try:
        for statement in filter(None, map(str.strip, written.split(";"))):
            await connection.execute(statement)
    finally:
        await connection.close()
    assert await ask(postgres_database, VALID) == [(True,)]
    newest = [(coming.chain.newest,)]
    assert await ask(postgres_database, "SELECT version_num FROM alembic_version") == newest
