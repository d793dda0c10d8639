"""Hot statements on the drivers' own connections: together on disk, each with its own answer."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from authsvc.kernel.errors import Code, Refusal
from authsvc.platform.db.engine import open_database
from authsvc.platform.db.hot import Hot, Statement, open_hot
from tests.databases import Backend, Postgres


def both(text: str) -> Statement:
    return Statement(postgresql=text, sqlite=text.replace("$", "?"))


COUNT = both("UPDATE guesses SET tries = tries + 1 WHERE key = $1 RETURNING tries")
ADD = both("INSERT INTO guesses VALUES ('s', $1, 0, 0) RETURNING tries")
LOOK = both("SELECT tries FROM guesses WHERE key = $1")


@asynccontextmanager
async def hot_on(url: str) -> AsyncIterator[Hot]:
    database = open_database(url)
    hot = open_hot(database, size=2)
    try:
        yield hot
    finally:
        await hot.aclose()
        await database.dispose()


async def test_many_at_once_each_get_their_own_row(backend: Backend) -> None:
    async with hot_on(backend.database_url) as hot:
        await hot.row(ADD, "a")
        rows = await asyncio.gather(*(hot.row(COUNT, "a") for _ in range(40)))
        assert sorted(row[0] for row in rows if row) == list(range(1, 41))
        assert await hot.row(COUNT, "nobody") is None
        assert hot.in_use == 0


async def test_one_that_fails_takes_nobody_along(backend: Backend) -> None:
    async with hot_on(backend.database_url) as hot:
        await hot.row(ADD, "a")
        tries = [hot.row(COUNT, "a"), hot.row(ADD, "a"), hot.row(COUNT, "a")]
        first, second, third = await asyncio.gather(*tries, return_exceptions=True)
        assert isinstance(second, Exception)
        assert not isinstance(second, Refusal)
        assert {first, third} == {(1,), (2,)}
        assert await hot.row(LOOK, "a") == (2,)


async def test_a_caller_who_goes_away_disturbs_nobody(backend: Backend) -> None:
    async with hot_on(backend.database_url) as hot:
        await hot.row(ADD, "a")
        for _ in range(20):
            tasks = [asyncio.create_task(hot.row(COUNT, "a")) for _ in range(6)]
            await asyncio.sleep(0)
            tasks[0].cancel()
            tasks[3].cancel()
            done = await asyncio.gather(*tasks, return_exceptions=True)
            assert sum(isinstance(one, tuple) for one in done) == 4
        assert hot.in_use == 0


async def test_connections_that_were_cut_are_replaced(postgres: Postgres) -> None:
    url = postgres.create_migrated()
    cut = both(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE application_name = 'authsvc hot' AND datname = $1 AND pid <> pg_backend_pid()"
    )
    async with hot_on(url) as hot, hot_on(url) as other:
        await hot.row(ADD, "a")
        assert await other.row(cut, url.rpartition("/")[2]) == (1,)
        assert await hot.row(LOOK, "a") == (0,)
    postgres.drop_database(url)


async def test_a_database_that_is_written_elsewhere_is_away(sqlite_database: str) -> None:
    other = sqlite3.connect(sqlite_database.removeprefix("sqlite:///"), isolation_level=None)
    async with hot_on(sqlite_database) as hot:
        await hot.row(LOOK, "a")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Refusal) as refused:
            await hot.row(ADD, "a")
        assert refused.value.code is Code.STORE_UNAVAILABLE
        other.execute("COMMIT")
        assert await hot.row(ADD, "a") == (0,)
    other.close()
