"""The image: what is in it, and that it serves read-only as nobody special. security.md C65."""

import gzip
import io
import json
import re
import socket
import tarfile
import time
from collections.abc import Iterator
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest

from tests.container.conftest import Container, Yard
from tests.container.image import Image
from tests.databases import Backend, Postgres, Redis
from tests.mail import Inbox
from tests.scale import report

pytestmark = pytest.mark.xdist_group("container")
MEGABYTE = 1024 * 1024
SLIM = 45 * MEGABYTE  # the base image, compressed, by its publisher's own figure
MAX = 120 * MEGABYTE
HIDDEN = re.compile(r"\.pyc$|(^|/)(__pycache__|\.git|\.env|\.npmrc|\.netrc|authsvc\.toml)(/|$)")
PRIVATE = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/]{40}")


@pytest.fixture
def backend(postgres: Postgres, redis_server: Redis, key_prefix: str) -> Iterator[Backend]:
    """Bare: the container brings its own tables."""
    url = postgres.create_database()
    yield Backend("postgres-redis", url, redis_server.url, key_prefix)
    postgres.drop_database(url)


def test_what_is_in_it(image: Image) -> None:
    names = [str(path) for path in image.files()]
    assert any(name.endswith("/authsvc/migrations/env.py") for name in names)
    assert [name for name in names if HIDDEN.search(name)] == []
    tops = {
        name.split("/site-packages/")[1].split("/")[0]
        for name in names
        if "/site-packages/" in name
    }
    assert {"authsvc", "fastapi", "asyncpg"} <= tops
    assert tops & {"pip", "setuptools", "pytest", "hatchling", "playwright", "uv"} == set()
    root = image.jail.root
    files = [root / name for name in names if not (root / name).is_symlink()]
    assert [file for file in files if PRIVATE.search(file.read_bytes())] == []
    modes = {(found.st_uid, found.st_mode & 0o6022) for found in (file.stat() for file in files)}
    assert modes == {(0, 0)}, "root's, no setuid, and nobody else may write"
    assert (root / "var/lib/authsvc").stat().st_uid == 10001


def test_its_size(image: Image) -> None:
    packed = io.BytesIO()
    with (
        gzip.open(packed, "wb", compresslevel=1) as out,
        tarfile.open(fileobj=out, mode="w") as tar,
    ):
        for name in ("opt", "var"):
            tar.add(image.jail.root / name, arcname=name)
    size = packed.tell()
    report("Container image", compressed_megabytes=round(size / MEGABYTE, 1))
    assert size + SLIM < MAX


def test_what_it_runs_needs_no_shell(image: Image) -> None:
    assert (image.entrypoint, image.default) == (["authsvc"], ["serve"])
    assert image.jail.user == "10001:10001"
    assert image.ports == ["8000", "9090"]
    assert image.health[0] == "python"


LOOK = """
import json, os, pathlib
def writes(place):
    try:
        (pathlib.Path(place) / "x").write_text("x")
    except OSError as error:
        return error.strerror
    return "written"
status = pathlib.Path("/proc/self/status").read_text()
print(json.dumps({
    "pid": os.getpid(), "uid": os.getuid(), "groups": os.getgroups(),
    "capabilities": [line.split()[1] for line in status.splitlines() if "CapEff" in line],
    "shell": [name for name in ("sh", "bash", "dash", "busybox") if os.path.exists(f"/bin/{name}")],
    "writes": {p: writes(p) for p in ("/", "/opt/authsvc", "/var/lib/authsvc", "/etc", "/tmp")},
}))
"""


def test_what_a_process_in_it_can_do(yard: Yard) -> None:
    done = yard.plain("python", "-c", LOOK)
    assert done.returncode == 0, done.stderr
    closed = "Read-only file system"
    assert json.loads(done.stdout) == {
        "pid": 1,
        "uid": 10001,
        "groups": [],
        "capabilities": ["0" * 16],
        "shell": [],
        "writes": {
            "/": closed, "/opt/authsvc": closed, "/var/lib/authsvc": closed, "/etc": closed,
            "/tmp": "written",
        },
    }  # fmt: skip


def test_one_image_for_every_command(yard: Yard) -> None:
    before = yard.run("migrate", "status")
    assert before.returncode == 1, before.stderr
    assert yard.run("migrate", "up").returncode == 0
    after = yard.run("migrate", "status")
    assert after.returncode == 0, after.stdout + after.stderr
    worked = yard.run("worker", "--once")
    assert worked.returncode == 0, worked.stderr
    assert '"action": "activated"' in worked.stdout, "the first signing key was made"


@pytest.mark.parametrize("workers", ["1", "2"])
def test_it_serves_and_ends_well(yard: Yard, inbox: Inbox, workers: str) -> None:
    began = time.monotonic()
    with yard.serving(AUTHSVC_WORKERS=workers) as container:
        started = time.monotonic() - began
        _ask_for_mail(container)
        _wait_for_mail(inbox, "ann@example.com")
        with urlopen(f"{container.url}/metrics") as answer:
            assert b'authsvc_sign_in_started_total{method="email"} 1.0' in answer.read()
        port = container.url.rpartition(":")[2]
        healthy = yard.plain(*yard.image.health, AUTHSVC_MANAGEMENT__PORT=port)
        assert healthy.returncode == 0, healthy.stderr
        with _begun(container) as connection:
            container.terminate()
            _wait_until_it_leaves(container)
            connection.sendall(b"}")
            assert connection.recv(1024).startswith(b"HTTP/1.1 401 ")
        assert container.process.wait(20) == 0
        unwell = yard.plain(*yard.image.health, AUTHSVC_MANAGEMENT__PORT=port)
        assert unwell.returncode != 0
    lines = [json.loads(line) for line in container.log.read_text().splitlines()]
    assert {line["level"] for line in lines} == {"info"}
    report(f"Container, {workers} workers", seconds_until_ready=round(started, 1))


def _ask_for_mail(container: Container) -> None:
    headers = {"Host": "auth.example.com", "Content-Type": "application/json"}
    body = json.dumps({"email": "ann@example.com"}).encode()
    page = {
        "Origin": "https://auth.example.com",
        "X-Authsvc-Client": "test/1",
        "Sec-Fetch-Site": "same-origin",
    }
    asked = Request(f"{container.public}/v1/sign-in/email", data=body, headers=headers | page)
    with urlopen(asked, timeout=10) as answer:
        assert answer.status == 202


def _wait_for_mail(inbox: Inbox, address: str) -> None:
    due = time.monotonic() + 30
    while not inbox.to(address):
        assert time.monotonic() < due, "no mail came"
        time.sleep(0.05)


def _begun(container: Container) -> socket.socket:
    """A connection whose request lacks its last byte."""
    parts = urlsplit(container.public)
    connection = socket.create_connection((parts.hostname or "", parts.port or 0), timeout=20)
    connection.sendall(b"POST /v1/logout HTTP/1.1\r\nHost: auth.example.com\r\n"
                       b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{")  # fmt: skip
    return connection


def _wait_until_it_leaves(container: Container) -> None:
    """Until the private port says that no more requests should come."""
    due = time.monotonic() + 10
    while True:
        try:
            with urlopen(f"{container.url}/readyz", timeout=5):
                assert time.monotonic() < due, "it is still ready"
        except OSError:
            return
