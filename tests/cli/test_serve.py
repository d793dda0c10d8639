"""``authsvc serve``: real processes on real ports, and the set-ups it refuses."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.cli.conftest import SECRET, Authsvc
from tests.databases import Backend, Postgres
from tests.live import Server, free_port, start

Environ = Callable[..., None]
HOST = {"Host": "auth.example.com"}


def settings_of(backend: Backend, **more: str) -> dict[str, str]:
    """A small production installation on free ports."""
    values = {
        "public_url": "https://auth.example.com",
        "database_url": backend.database_url,
        "secret_key": SECRET,
        "store__prefix": backend.key_prefix,
        "mail__smtp_url": "smtp://127.0.0.1:2525",
        "listen__port": str(free_port()),
        "management__port": str(free_port()),
    }
    if backend.redis_url is not None:
        values["redis_url"] = backend.redis_url
    return {f"AUTHSVC_{name.upper()}": value for name, value in (values | more).items()}


def serve(environ: dict[str, str], directory: Path, *words: str) -> Server:
    """A started service; its ``url`` is the private port, which has no Host rule."""
    url = f"http://127.0.0.1:{environ['AUTHSVC_MANAGEMENT__PORT']}"
    return start("serve", *words, environ=environ, url=url, directory=directory, up="/readyz")


def fetch(url: str, headers: dict[str, str] | None = None) -> tuple[int, dict[str, str], bytes]:
    try:
        with urlopen(Request(url, headers=headers or {}), timeout=5) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except HTTPError as error:
        return error.code, dict(error.headers), error.read()


@pytest.fixture
def served(backend: Backend, tmp_path: Path) -> Iterator[tuple[Server, str]]:
    environ = settings_of(backend)
    server = serve(environ, tmp_path)
    yield server, f"http://127.0.0.1:{environ['AUTHSVC_LISTEN__PORT']}"
    server.stop()


def test_it_serves_both_ports_and_ends_on_sigterm(served: tuple[Server, str]) -> None:
    server, public = served
    status, headers, body = fetch(f"{public}/.well-known/jwks.json", HOST)
    assert status == 200
    assert len(json.loads(body)["keys"]) == 2
    assert "server" not in {name.lower() for name in headers}
    assert fetch(f"{public}/livez")[0] == 400, "the public port answers to its own name only"
    assert fetch(f"{public}/readyz", HOST)[0] == 404
    for path in ("/livez", "/startupz", "/readyz"):
        assert fetch(server.url + path)[0] == 200
    assert fetch(f"{public}/dev/people.json", HOST)[0] == 404
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(15) == 0
    for line in server.log.read_text().splitlines():
        assert json.loads(line)["level"] == "info"


def test_it_migrates_first_unless_told_not_to(postgres: Postgres, tmp_path: Path) -> None:
    bare = Backend("bare", postgres.create_database(), None, "authsvc-test:")
    environ = os.environ | settings_of(bare)
    command = [sys.executable, "-m", "authsvc.cli.main", "serve", "--no-migrate"]
    refused = subprocess.run(command, env=environ, cwd=tmp_path, check=False, timeout=60)
    assert refused.returncode != 0
    server = serve(settings_of(bare), tmp_path)
    server.stop()
    postgres.drop_database(bare.database_url)


def test_not_ready_while_it_ends(sqlite_database: str, tmp_path: Path) -> None:
    environ = settings_of(Backend("sqlite", sqlite_database, None, "authsvc-test:"))
    server = serve(environ, tmp_path)
    port = int(environ["AUTHSVC_LISTEN__PORT"])
    # A request that is not finished yet keeps the process up for its grace.
    with socket.create_connection(("127.0.0.1", port)) as slow:
        slow.sendall(b"POST /v1/logout HTTP/1.1\r\nHost: auth.example.com\r\n"
                     b"Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{")  # fmt: skip
        server.process.send_signal(signal.SIGTERM)
        answers = [fetch(f"{server.url}/readyz")]
        due = time.monotonic() + 5
        while answers[-1][0] == 200 and time.monotonic() < due:
            answers.append(fetch(f"{server.url}/readyz"))
        assert answers[-1][0] == 503
        assert json.loads(answers[-1][2])["checks"]["serving"] == "failed"
    assert server.process.wait(25) == 0


def test_a_killed_worker_is_replaced(two_process_backend: Backend, tmp_path: Path) -> None:
    environ = settings_of(two_process_backend, workers="2")
    server = serve(environ, tmp_path)
    try:
        first = workers_of(server)
        assert len(first) == 2
        os.kill(first[0], signal.SIGKILL)
        now = until(lambda: workers_of(server), lambda found: len(set(found) - {first[0]}) == 2)
        assert first[1] in now
        until(lambda: fetch(f"{server.url}/readyz")[0], lambda status: status == 200)
    finally:
        server.stop()
    assert server.process.returncode == 0
    assert workers_of(server) == []


Found = TypeVar("Found")


def until(look: Callable[[], Found], is_enough: Callable[[Found], bool]) -> Found:
    """What was found as soon as it is enough; fails after a minute."""
    due = time.monotonic() + 60
    while not is_enough(found := look()):
        assert time.monotonic() < due, found
        time.sleep(0.05)
    return found


def workers_of(server: Server) -> list[int]:
    """The serving processes below the supervisor."""
    if Path("/proc/self/stat").exists():
        lines = [_proc_line(entry) for entry in Path("/proc").glob("[0-9]*")]
    else:
        listed = ["ps", "-axo", "pid=,ppid=,command="]
        lines = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split(
            "\n"
        )
    mine = [line.split(maxsplit=2) for line in lines if "multiprocessing-fork" in line]
    return sorted(int(pid) for pid, parent, _ in mine if int(parent) == server.process.pid)


def _proc_line(entry: Path) -> str:
    try:
        parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
        command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:  # it is gone
        return ""
    return f"{entry.name} {parent} {command}"


@pytest.fixture
def almost(environ: Environ) -> None:
    """A set-up with nothing wrong yet; its database is never reached."""
    environ(
        public_url="https://auth.example.com",
        database_url=f"postgresql://127.0.0.1:{free_port()}/authsvc",
        secret_key=SECRET,
        mail__smtp_url="smtp://127.0.0.1:2525",
        listen__port="0",
        management__port="0",
    )


@pytest.mark.usefixtures("almost")
@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"secret_key": None}, "secret_key is not set"),
        ({"secret_key": "short"}, "AUTHSVC_SECRET_KEY: must have at least 32 bytes"),
        ({"secret_key": "example-" * 8}, "secret_key looks like an example"),
        ({"workers": "2"}, "workers is 2, but without redis_url"),
        ({"public_url": "http://auth.example.com"}, "AUTHSVC_PUBLIC_URL: must begin with https"),
        ({"env": "dev"}, "env is dev, so public_url must be on localhost"),
        ({"env": "dev", "public_url": "http://localhost:8000"}, "env is dev: use `authsvc dev`"),
        ({"mail__smtp_url": None}, "mail.smtp_url is not set"),
        ({"mail__smtp_ulr": "x"}, "did you mean AUTHSVC_MAIL__SMTP_URL?"),
        (
            {"clients": '{"web": {"origins": ["https://app.example.org"], "audiences": ["a"]}}'},
            "clients.web.origins: https://app.example.org is another site",
        ),
    ],
)
def test_an_unsafe_set_up_is_refused_in_one_sentence(
    authsvc: Authsvc, environ: Environ, changes: dict[str, str | None], sentence: str
) -> None:
    environ(**changes)
    said = authsvc("serve")
    assert said.status == 2
    assert sentence in said.sentence


@pytest.mark.usefixtures("almost")
def test_a_port_in_use_is_named(authsvc: Authsvc, environ: Environ) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        environ(listen__port=str(port))
        said = authsvc("serve")
    assert (said.status, said.sentence) == (
        1,
        f"authsvc serve: listen: 127.0.0.1 port {port}: address already in use",
    )
