"""Replicas that start at once on an empty database: one migrates, all of them serve."""

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from tests.cli.test_serve import HOST, fetch, serve, settings_of
from tests.databases import Backend, Postgres, Redis, apart_async
from tests.live import Server
from tests.scale import report

# Notes which connection made each table; the first one of them makes the note's own table.
WATCH = """
CREATE SCHEMA watch;
CREATE TABLE watch.made (pid integer, what text);
CREATE FUNCTION watch.note() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO watch.made VALUES (pg_backend_pid(), tg_tag); END $$;
CREATE EVENT TRIGGER watch_tables ON ddl_command_end
  WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION watch.note();
"""


def start_all(backends: list[Backend], directory: Path) -> list[tuple[Server, str]]:
    """The started replicas, each with its public address."""
    environs = [settings_of(backend) for backend in backends]
    places = [directory / str(number) for number in range(len(environs))]
    for place in places:
        place.mkdir()
    with ThreadPoolExecutor(len(environs)) as threads:
        servers = list(threads.map(serve, environs, places))
    ports = [environ["AUTHSVC_LISTEN__PORT"] for environ in environs]
    return [
        (server, f"http://127.0.0.1:{port}") for server, port in zip(servers, ports, strict=True)
    ]


def check_all(replicas: list[tuple[Server, str]]) -> None:
    """They agree on the keys, and said nothing of trouble; ends them."""
    try:
        sets = {fetch(f"{public}/.well-known/jwks.json", HOST)[2] for _, public in replicas}
        assert len(sets) == 1
        assert len(json.loads(sets.pop())["keys"]) == 2
        for server, _ in replicas:
            levels = [json.loads(line)["level"] for line in server.log.read_text().splitlines()]
            assert set(levels) <= {"info"}
    finally:
        for server, _ in replicas:
            server.stop()


def run(url: str, statement: str) -> list[asyncpg.Record]:
    """The rows of a statement."""

    async def ask() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(url)
        try:
            if statement == WATCH:
                await connection.execute(statement)
                return []
            return await connection.fetch(statement)
        finally:
            await connection.close()

    return apart_async(ask)


def test_four_on_postgresql(
    postgres: Postgres, redis_server: Redis, key_prefix: str, tmp_path: Path
) -> None:
    url = postgres.create_database()
    try:
        run(url, WATCH)
        backend = Backend("postgres-redis", url, redis_server.url, key_prefix)
        replicas = start_all([backend] * 4, tmp_path)
        check_all(replicas)
        made = run(url, "SELECT pid, count(*) FROM watch.made GROUP BY pid")
        assert len(made) == 1, "more than one replica made tables"
        assert made[0]["count"] > 10
        states = run(url, "SELECT state FROM signing_keys ORDER BY state")
        assert [row["state"] for row in states] == ["active", "next"]
        report("Replicas on an empty PostgreSQL", started=4, migrated=1)
    finally:
        postgres.drop_database(url)


def test_two_on_one_sqlite_file(tmp_path: Path) -> None:
    file = tmp_path / "empty.db"
    backend = Backend("sqlite-memory", f"sqlite:///{file}", None, "authsvc-test:")
    replicas = start_all([backend] * 2, tmp_path)
    check_all(replicas)
    with sqlite3.connect(urlsplit(backend.database_url).path) as connection:
        (versions,) = connection.execute("SELECT count(*) FROM alembic_version").fetchone()
        rows = connection.execute("SELECT state FROM signing_keys ORDER BY state").fetchall()
    connection.close()
    assert versions == 1
    assert [state for (state,) in rows] == ["active", "next"]
    report("Replicas on an empty SQLite file", started=2, migrated=1)
