"""Several workers: a scrape hits one of them and tells of all."""

import os
import re
import signal
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cli.test_serve import HOST, fetch, serve, settings_of, until, workers_of
from tests.databases import Backend
from tests.live import Server

FETCHES = 60
LIVEZ = re.compile(r'authsvc_http_requests_total\{method="GET",route="/livez",status="200"\} (\S+)')


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place where the processes may write temporary files."""
    place = tmp_path / "scratch"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    return place


def counted(server: Server) -> float:
    """How many answers the whole service counts, whichever process tells."""
    found = LIVEZ.search(fetch(f"{server.url}/metrics")[2].decode())
    return float(found[1]) if found else 0.0


def files(scratch: Path) -> set[str]:
    return {path.name for path in scratch.glob("authsvc-metrics-*/*.db")}


def test_a_scrape_adds_up_every_worker(
    two_process_backend: Backend, tmp_path: Path, scratch: Path
) -> None:
    environ = settings_of(two_process_backend, workers="2")
    public = f"http://127.0.0.1:{environ['AUTHSVC_LISTEN__PORT']}/livez"
    server = serve(environ, tmp_path)
    try:
        until(lambda: files(scratch), lambda found: {"counter_0.db", "counter_1.db"} <= found)
        (directory,) = scratch.glob("authsvc-metrics-*")
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda _: fetch(public, HOST), range(FETCHES)))
        assert {status for status, *_ in answers} == {200}
        until(lambda: counted(server), lambda count: count == FETCHES)
        assert {counted(server) for _ in range(20)} == {FETCHES}
        first = workers_of(server)
        os.kill(first[0], signal.SIGKILL)
        # A total that runs back looks like a restart and is counted twice by rate().
        seen = [counted(server)]
        while len(set(workers_of(server)) - {first[0]}) < 2:
            seen.append(counted(server))
        until(lambda: fetch(f"{server.url}/startupz")[0], lambda status: status == 200)
        fetch(public, HOST)
        until(lambda: counted(server), lambda count: count == FETCHES + 1)
        assert set(seen) == {FETCHES}
        assert {name.rpartition("_")[2] for name in files(scratch)} == {"0.db", "1.db"}
    finally:
        server.stop()
    assert server.process.returncode == 0
    assert list(scratch.iterdir()) == []


def test_one_process_needs_no_directory(
    sqlite_database: str, tmp_path: Path, scratch: Path
) -> None:
    server = serve(settings_of(Backend("lite", sqlite_database, None, "x:")), tmp_path)
    try:
        assert b"authsvc_sessions_active 0.0" in fetch(f"{server.url}/metrics")[2]
        assert list(scratch.iterdir()) == []
    finally:
        server.stop()
