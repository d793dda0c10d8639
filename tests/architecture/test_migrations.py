"""What the migrations build is what the tables in code say, on both databases."""

import re
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from authsvc.platform.db.engine import async_url
from authsvc.platform.db.migrate import directory, upgrade
from authsvc.tables import metadata
from tests.databases import Postgres, apart, apart_async


def differences(connection: Connection) -> list[Any]:
    """What Alembic would change to make the database like the tables in code."""
    context = MigrationContext.configure(
        connection, opts={"compare_type": True, "compare_server_default": True}
    )
    return list(compare_metadata(context, metadata))


def rebuilt(connection: Connection) -> tuple[set[str], list[Any]]:
    """The tables found, so that an empty comparison proves something, and the differences."""
    names = set(connection.dialect.get_table_names(connection))
    return names - {"alembic_version"}, differences(connection)


async def looked_at(url: str) -> tuple[set[str], list[Any]]:
    engine = create_async_engine(async_url(url))
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(rebuilt)
    finally:
        await engine.dispose()


@pytest.fixture(params=["sqlite", "postgres"])
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    url = server.create_database()
    yield url
    server.drop_database(url)


def test_migrations_equal_tables(empty_database: str) -> None:
    apart(lambda: upgrade(empty_database))
    tables, found = apart_async(lambda: looked_at(empty_database))
    assert tables == set(metadata.tables)
    assert found == []


def test_upgrading_twice_changes_nothing(empty_database: str) -> None:
    for _ in range(2):
        apart(lambda: upgrade(empty_database))
    assert apart_async(lambda: looked_at(empty_database)) == (set(metadata.tables), [])


def test_a_table_without_a_migration_is_seen() -> None:
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        assert len(differences(connection)) >= len(metadata.tables)
    engine.dispose()


def test_migrations_are_one_numbered_line() -> None:
    names = sorted(path.name for path in (directory() / "versions").glob("*.py"))
    assert names
    for number, name in enumerate(names, start=1):
        assert re.fullmatch(rf"{number:04}_[a-z0-9_]+\.py", name), name
