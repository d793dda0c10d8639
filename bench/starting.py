"""W6: from the command to the first healthy answer, memory at rest, and the size on disk."""

import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from importlib.metadata import distribution
from pathlib import Path
from statistics import median
from typing import Any

from packaging.requirements import Requirement

from bench.compare import Plan
from bench.load import Wrong
from bench.machine import memory, pinned
from bench.refreshing import NAMES
from bench.stage import Ground, settings, uvicorn
from tests.live import Server, free_port

_PATIENCE = 60.0
_REST = 1.0  # seconds until memory is read: what belongs to the start has ended
_MEGA = 1_000_000


def begin(place: Ground, plan: Plan) -> list[dict[str, Any]]:
    """W6 on this database, migrations at head."""
    plan.progress(f"W6 start, {NAMES[place.kind]}")
    ours = place.migrated()

    def first() -> Server:
        return uvicorn("bench.floor:app", port=free_port(), directory=place.directory)

    def second() -> Server:
        return _serve(place, settings(ours, port=free_port(), management=free_port()))

    _cold(place, second)  # makes the signing key, and the compiled modules
    floor, found = [], []
    for _ in range(plan.starts):
        floor.append(_cold(place, first))
        found.append(_cold(place, second))
        plan.progress(f"  floor {floor[-1]['seconds']:.2f} s, authsvc {found[-1]['seconds']:.2f} s")
    where = NAMES[place.kind]
    rows = [
        _row(f"cold start, {where}, s", floor, found, name="seconds", digits=2),
        _row(f"memory at rest, {where}, MB (PSS)", floor, found, name="pss", digits=0),
    ]
    if place.kind == "postgres":
        sizes = {
            "floor": _installed("fastapi", "uvicorn[standard]"),
            "authsvc": _installed("authsvc[server]"),
        }
        rows.append({"workload": "W6", "case": "installed, MB", "plain": sizes})
    return rows


def _row(
    case: str,
    floor: list[Mapping[str, float]],
    ours: list[Mapping[str, float]],
    *,
    name: str,
    digits: int,
) -> dict[str, Any]:
    pairs = (("floor", floor), ("authsvc", ours))
    plain = {side: round(median(one[name] for one in found), digits) for side, found in pairs}
    return {"workload": "W6", "case": case, "plain": plain}


def _serve(place: Ground, environ: Mapping[str, str]) -> Server:
    port = environ["AUTHSVC_LISTEN__PORT"]
    log = place.directory / f"cold-{port}.log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "authsvc.cli.main", "serve"],
            env=dict(environ), cwd=place.directory, stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip
    return Server(f"http://127.0.0.1:{port}", process, log)


def _cold(place: Ground, start: Callable[[], Server]) -> Mapping[str, float]:
    """Seconds until the first healthy answer, then the memory at rest."""
    began = time.perf_counter()
    with pinned(place.cores.server):
        server = start()
    try:
        port = int(server.url.rpartition(":")[2])
        while not _is_healthy(port):
            if server.process.poll() is not None or time.perf_counter() > began + _PATIENCE:
                raise Wrong(server.log.read_text()[-2000:])
            time.sleep(0.002)
        seconds = time.perf_counter() - began
        time.sleep(_REST)
        return {"seconds": seconds, **memory(server.process.pid)}
    finally:
        server.stop()


def _is_healthy(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"GET /livez HTTP/1.1\r\nHost: auth.example.com\r\n\r\n")
            return connection.recv(4096).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def _installed(*roots: str) -> int:
    """Megabytes of these distributions and of all that they need."""
    seen: set[tuple[str, frozenset[str]]] = set()
    files: dict[str, int] = {}
    waiting = [Requirement(root) for root in roots]
    for wanted in waiting:
        name = re.sub(r"[-_.]+", "-", wanted.name).lower()
        key = (name, frozenset(wanted.extras))
        if key in seen:
            continue
        seen.add(key)
        found = distribution(name)
        files[name] = _size(name, found)
        for line in found.requires or ():
            needed = Requirement(line)
            if any(
                needed.marker is None or needed.marker.evaluate({"extra": extra})
                for extra in (wanted.extras or {""})
            ):
                waiting.append(needed)
    return round(sum(files.values()) / _MEGA)


def _size(name: str, found: Any) -> int:
    # Installed for development, the package lies in the source tree.
    if name == "authsvc":
        source = Path(__file__).resolve().parent.parent / "src" / "authsvc"
        return sum(file.stat().st_size for file in source.rglob("*") if file.is_file())
    return sum(
        path.stat().st_size for file in found.files or () if (path := Path(file.locate())).is_file()
    )
