"""What a comparison stands on: a database of its own for each side, and both servers."""

import asyncio
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from bench.floor import TABLES
from bench.load import ROOT
from bench.machine import Cores, parent, pinned
from bench.sql import Sql
from tests.databases import Postgres, SqliteTemplate
from tests.live import SECRET, Server, free_port, start
from tests.servers import start_postgres

AUTH, SPA, AUDIENCE = "https://auth.example.com", "https://app.example.com", "orders-api"
NOTHING: Mapping[str, str] = {}
FREELY = "100000000"  # calls a minute: limits on addresses are no subject here


@dataclass(frozen=True, slots=True)
class Ground:
    """A database server to make databases in, and where its processes are."""

    kind: str  # postgres or sqlite
    directory: Path
    cores: Cores
    postgres: Postgres | None
    process: int | None  # PostgreSQL's first process
    template: SqliteTemplate | None

    def migrated(self) -> Sql:
        """A fresh database with authsvc's tables."""
        if self.postgres is not None:
            return Sql(self.postgres.create_migrated())
        if self.template is None:
            raise ValueError("no database to copy")
        return Sql(self.template.copy_to(self.directory / f"{uuid.uuid4().hex}.db"))

    def bare(self) -> Sql:
        """A fresh database with the floor's tables."""
        if self.postgres is not None:
            sql = Sql(self.postgres.create_database())
            words = {
                "key": "id uuid",
                "id": "uuid",
                "bytes": "bytea",
                "room": "WITH (fillfactor = 80)",
            }
        else:
            sql = Sql(f"sqlite:///{self.directory / f'{uuid.uuid4().hex}.db'}")
            words = {"key": "id blob", "id": "blob", "bytes": "blob", "room": ""}
        for table in TABLES:
            sql.run(table.format(**words))
        return sql


@contextmanager
def ground(kind: str, *, cores: Cores, directory: Path) -> Iterator[Ground]:
    """PostgreSQL of one's own, pinned to its core; or a directory for SQLite's files."""
    if kind == "sqlite":
        yield Ground(kind, directory, cores, None, None, SqliteTemplate(directory))
        return
    with ExitStack() as closing:
        with pinned(cores.database):
            url = closing.enter_context(start_postgres())
        yield Ground(kind, directory, cores, Postgres(url), _postmaster(url), None)


def _postmaster(url: str) -> int:
    async def ask() -> int:
        connection = await asyncpg.connect(url)
        try:
            backend: int = await connection.fetchval("SELECT pg_backend_pid()")
            return parent(backend)
        finally:
            await connection.close()

    return asyncio.run(ask())


@dataclass(frozen=True, slots=True)
class Serving:
    """A running server: its port and the process that its tree begins with."""

    port: int
    server: Server

    @property
    def process(self) -> int:
        return self.server.process.pid


def settings(
    sql: Sql, *, port: int, management: int, more: Mapping[str, str] = NOTHING
) -> dict[str, str]:
    """The environment of an ``authsvc serve`` as a small company has it, limits raised."""
    limits = ("sign_in", "verify", "refresh", "read", "public", "both")
    values = {
        "public_url": AUTH,
        "database_url": sql.url,
        "secret_key": SECRET,
        "mail__smtp_url": "smtp://127.0.0.1:9",
        "clients__web__origins": f'["{SPA}"]',
        "clients__web__audiences": f'["{AUDIENCE}"]',
        "tokens__access_ttl": "3600",
        "verify__floor": "0",
        "listen__port": str(port),
        "management__port": str(management),
        **{f"limits__{name}": FREELY for name in limits},
    }
    return {f"AUTHSVC_{name.upper()}": value for name, value in {**values, **more}.items()}


@contextmanager
def authsvc(
    place: Ground,
    sql: Sql,
    *,
    workers: int = 1,
    port: int | None = None,
    more: Mapping[str, str] = NOTHING,
) -> Iterator[Serving]:
    """``authsvc serve`` on a migrated database; on a free port unless one is named."""
    port, management = port or free_port(), free_port()
    environ = settings(
        sql, port=port, management=management, more={**more, "workers": str(workers)}
    )
    private = f"http://127.0.0.1:{management}"
    with pinned(place.cores.server if workers == 1 else frozenset()):
        server = start(
            "serve", environ=environ, url=private, directory=place.directory, up="/readyz"
        )
    with _ended(server):
        yield Serving(port, server)


@contextmanager
def bare(place: Ground, app: str, *, workers: int = 1, **environ: str) -> Iterator[Serving]:
    """An application of the bench under uvicorn."""
    port = free_port()
    with pinned(place.cores.server if workers == 1 else frozenset()):
        server = uvicorn(app, port=port, directory=place.directory, workers=workers, **environ)
    with _ended(server):
        server.wait_until_up()
        yield Serving(port, server)


def uvicorn(app: str, *, port: int, directory: Path, workers: int = 1, **environ: str) -> Server:
    """Start it and do not wait."""
    log = directory / f"bare-{port}.log"
    command = [
        *(sys.executable, "-m", "uvicorn", app, "--port", str(port), "--workers", str(workers)),
        *("--no-access-log", "--no-server-header", "--log-level", "warning"),
    ]
    with log.open("ab") as out:
        process = subprocess.Popen(
            command, cwd=ROOT, env=_clean() | environ, stdout=out, stderr=subprocess.STDOUT
        )
    return Server(f"http://127.0.0.1:{port}", process, log)


def _clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("AUTHSVC_")}


@contextmanager
def _ended(server: Server) -> Iterator[None]:
    try:
        yield
    finally:
        server.stop()
