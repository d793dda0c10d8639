"""What every test may ask for: real servers, fresh migrated databases, the two back ends."""

import shutil
import signal
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.databases import Backend, Postgres, Redis, SqliteTemplate
from tests.servers import NoServer, Urls, started

pytest_plugins = ("tests.no_skips",)

SHARED = pytest.StashKey[dict[str, str]]()
CLOSING = pytest.StashKey[ExitStack]()
PREFIX = f"authsvc-test-{uuid.uuid4().hex}:"  # one for each process that runs tests


def pytest_configure(config: pytest.Config) -> None:
    config.stash[CLOSING] = ExitStack()
    if not hasattr(config, "workerinput"):
        # Whoever stops a run by SIGTERM wants its servers gone too, as after Ctrl-C.
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[CLOSING].close()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """xdist: the controller starts the servers once and tells each worker where they are."""
    node.workerinput["servers"] = _servers(node.config)


def _servers(config: pytest.Config) -> dict[str, str]:
    told: dict[str, Any] | None = getattr(config, "workerinput", None)
    if told is not None:
        return told["servers"]
    if SHARED not in config.stash:
        try:
            urls = config.stash[CLOSING].enter_context(started())
            config.stash[SHARED] = {"postgres": urls.postgres, "redis": urls.redis}
        except NoServer as error:
            config.stash[SHARED] = {"error": str(error)}
    return config.stash[SHARED]


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest) -> Urls:
    """Where PostgreSQL and Redis answer; a test that needs them fails when there are none."""
    found = _servers(request.config)
    if "error" in found:
        pytest.fail(found["error"], pytrace=False)
    return Urls(**found)


@pytest.fixture(scope="session")
def postgres(servers: Urls) -> Iterator[Postgres]:
    """A real PostgreSQL: ``dsn(name)``, ``create_database()``, ``create_migrated()``."""
    server = Postgres(servers.postgres)
    yield server
    server.close()


@pytest.fixture(scope="session")
def redis_server(servers: Urls) -> Iterator[Redis]:
    """A real Redis with its ``url``; begin every key with ``key_prefix``."""
    server = Redis(servers.redis)
    yield server
    server.forget(PREFIX)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> SqliteTemplate:
    """A migrated SQLite file to copy."""
    return SqliteTemplate(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture
def key_prefix() -> str:
    """The beginning of every key this test writes to a Redis; such keys are gone in the end."""
    return f"{PREFIX}{uuid.uuid4().hex}:"


@pytest.fixture
def sqlite_database(sqlite_template: SqliteTemplate, tmp_path: Path) -> str:
    """The URL of a fresh, migrated SQLite database."""
    return sqlite_template.copy_to(tmp_path / "authsvc.db")


@pytest.fixture
def postgres_database(postgres: Postgres) -> Iterator[str]:
    """The URL of a fresh, migrated PostgreSQL database."""
    url = postgres.create_migrated()
    yield url
    postgres.drop_database(url)


@pytest.fixture(params=["sqlite-memory", "postgres-redis"])
def backend(request: pytest.FixtureRequest, key_prefix: str) -> Backend:
    """Both back ends that authsvc supports, one after the other, each fresh and migrated."""
    return _backend(request, name=request.param, prefix=key_prefix)


@pytest.fixture(params=["sqlite-redis", "postgres-redis"])
def two_process_backend(request: pytest.FixtureRequest, key_prefix: str) -> Backend:
    """Both databases with a shared store: for tests that run two processes."""
    return _backend(request, name=request.param, prefix=key_prefix)


def _backend(request: pytest.FixtureRequest, *, name: str, prefix: str) -> Backend:
    database, _, store = name.partition("-")
    url = request.getfixturevalue(f"{database}_database")
    shared = request.getfixturevalue("redis_server").url if store == "redis" else None
    return Backend(name=name, database_url=url, redis_url=shared, key_prefix=prefix)


@pytest.fixture(scope="session")
def node() -> str:
    """Node.js: the one beside this Python, else the one on PATH."""
    beside = Path(sys.executable).parent / "node"
    found = str(beside) if beside.exists() else shutil.which("node")
    if found is None:
        pytest.fail("Node.js is missing: run `make setup`.", pytrace=False)
    return found
