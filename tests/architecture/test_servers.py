"""The servers and databases that tests ask for: real, fresh, apart from each other, and gone."""

from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
import redis

from tests.conftest import PREFIX
from tests.databases import Postgres, Redis, answers, apart_async
from tests.servers import NoServer, start_postgres, start_redis
from tools import servers


async def names(url: str) -> set[str]:
    """The databases of a server."""
    connection = await asyncpg.connect(url)
    try:
        return {row["datname"] for row in await connection.fetch("SELECT datname FROM pg_database")}
    finally:
        await connection.close()


def test_a_database_is_new_and_goes_away(postgres: Postgres) -> None:
    made = [postgres.create_database() for _ in range(2)]
    mine = {urlsplit(url).path.lstrip("/") for url in made}
    assert len(mine) == 2
    assert mine <= apart_async(lambda: names(postgres.url))
    assert all(map(answers, made))
    for url in made:
        postgres.drop_database(url)
    assert not mine & apart_async(lambda: names(postgres.url))


def test_a_migrated_database_has_tables(postgres: Postgres, postgres_database: str) -> None:
    async def count() -> int:
        connection = await asyncpg.connect(postgres_database)
        try:
            return await connection.fetchval("SELECT count(*) FROM users")
        finally:
            await connection.close()

    assert apart_async(count) == 0


def test_redis_keys_go_away(redis_server: Redis, key_prefix: str) -> None:
    assert key_prefix.startswith(PREFIX)
    with redis.Redis.from_url(redis_server.url) as client:
        client.set(f"{key_prefix}one", "1", ex=60)
        client.set(f"other-{key_prefix}", "1", ex=60)
        redis_server.forget(key_prefix)
        assert client.exists(f"{key_prefix}one") == 0
        assert client.delete(f"other-{key_prefix}") == 1


def test_a_running_server_is_taken_at_its_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTHSVC_TEST_REDIS_URL", "redis://127.0.0.1:1/0")
    assert servers.named(servers.REDIS) == "redis://127.0.0.1:1/0"
    assert servers.REDIS not in servers.missing()


@pytest.mark.parametrize(
    ("start", "variable"),
    [
        (start_postgres, "AUTHSVC_TEST_POSTGRES_URL"),
        (start_redis, "AUTHSVC_TEST_REDIS_URL"),
    ],
)
def test_a_missing_server_says_how_to_get_it(
    start: type, variable: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tests.servers.installed", lambda kind: None)
    monkeypatch.setattr(servers, "WHEELS", tmp_path)
    with pytest.raises(NoServer, match=variable), start():
        pass
