"""Databases for the tests: made from a migrated template, gone when the test is over."""

import asyncio
import shutil
import uuid
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import asyncpg
import redis

from authsvc.platform.db.migrate import upgrade

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Backend:
    """What one run of the service keeps its state in: an empty, migrated database and a store.

    ``redis_url`` None means the store in the process's memory; ``key_prefix`` begins every key
    of a shared Redis.
    """

    name: str
    database_url: str
    redis_url: str | None
    key_prefix: str


@dataclass(slots=True)
class Postgres:
    """A PostgreSQL server; ``url`` leads to its maintenance database."""

    url: str
    _template: str | None = field(default=None)

    def dsn(self, database: str) -> str:
        """The URL of one of its databases."""
        return urlsplit(self.url)._replace(path=f"/{database}").geturl()

    def create_database(self, *, template: str = "template0") -> str:
        """The URL of a new database; ``drop_database`` takes it away again."""
        name = f"authsvc_test_{uuid.uuid4().hex}"
        run_sql(self.url, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.dsn(name)

    def create_migrated(self) -> str:
        """The URL of a new database with all tables; the first call migrates a template."""
        if self._template is None:
            url = self.create_database()
            apart(lambda: upgrade(url))
            self._template = _name(url)
        return self.create_database(template=self._template)

    def drop_database(self, url: str) -> None:
        """Take it away, whoever is still connected."""
        run_sql(self.url, f'DROP DATABASE IF EXISTS "{_name(url)}" WITH (FORCE)')

    def close(self) -> None:
        """Take away the template."""
        if self._template is not None:
            self.drop_database(self.dsn(self._template))


@dataclass(frozen=True, slots=True)
class Redis:
    """A Redis server."""

    url: str

    def forget(self, prefix: str) -> None:
        """Take away every key that begins so."""
        with redis.Redis.from_url(self.url) as client:
            for key in client.scan_iter(match=f"{prefix}*", count=1000):
                client.unlink(key)


@dataclass(slots=True)
class SqliteTemplate:
    """A migrated SQLite file to copy from."""

    directory: Path
    _file: Path | None = field(default=None)

    def copy_to(self, target: Path) -> str:
        """The URL of a migrated copy at ``target``; the first call migrates."""
        if self._file is None:
            file = self.directory / "template.db"
            apart(lambda: upgrade(f"sqlite:///{file}"))
            self._file = file
        shutil.copyfile(self._file, target)
        return f"sqlite:///{target}"


def run_sql(url: str, statement: str) -> None:
    """Run one statement outside a transaction."""

    async def run() -> None:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    apart_async(run)


def answers(url: str) -> bool:
    """Whether the server lets us in."""
    try:
        run_sql(url, "SELECT 1")
    except (OSError, asyncpg.PostgresError):
        return False
    return True


def apart(work: Callable[[], Answer]) -> Answer:
    """The answer of work that runs an event loop of its own, so not in a test's thread."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(work).result()


def apart_async(work: Callable[[], Coroutine[object, object, Answer]]) -> Answer:
    """The answer of a coroutine, from code that cannot await."""
    return apart(lambda: asyncio.run(work()))


def _name(url: str) -> str:
    return urlsplit(url).path.lstrip("/")
