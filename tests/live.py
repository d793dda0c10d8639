"""Real servers: ``authsvc`` as a process of its own, on a free port of the loopback."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

SECRET = "k3UoFz7rXn5tQw9yBd1eGh4jLm6pRs8vKx2zCa0uEi0"
_CHANCE = random.SystemRandom()
PATIENCE = 90.0  # a busy machine takes its time to start a process


def free_port() -> int:
    """A port that nothing listens on right now.

    Not one of those the kernel gives to outgoing connections: somebody's call could take it
    before it is listened on.
    """
    while True:
        port = _CHANCE.randrange(15_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@dataclass(slots=True)
class Server:
    """A started server; ``kill`` is kill -9, ``stop`` is SIGTERM."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def wait_until_up(self, path: str = "/livez") -> None:
        """Until the path answers; fails with the log when the process ends or takes too long."""
        due = time.monotonic() + PATIENCE
        while time.monotonic() < due:
            if self.process.poll() is not None:
                break
            try:
                with urlopen(self.url + path, timeout=1) as answer:
                    if answer.status == 200:
                        return
            except (URLError, OSError):
                time.sleep(0.05)
        raise AssertionError(f"no answer from {self.url}: {self.log.read_text()[-4000:]}")

    def kill(self) -> None:
        """End it as a crash would."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> None:
        """End it as an operator would."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.kill()


def start(
    *arguments: str, environ: Mapping[str, str], url: str, directory: Path, up: str = "/livez"
) -> Server:
    """Start ``authsvc <arguments>`` and wait until it answers."""
    log = directory / f"authsvc-{url.rpartition(':')[2]}.log"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AUTHSVC_")}
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "authsvc.cli.main", *arguments],
            env=clean | dict(environ),
            cwd=directory,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    server = Server(url, process, log)
    try:
        server.wait_until_up(up)
    except AssertionError:
        server.kill()
        raise
    return server


@contextmanager
def running(*arguments: str, **how: object) -> Iterator[Server]:
    """A server for the length of a block."""
    server = start(*arguments, **how)  # type: ignore[arg-type]
    try:
        yield server
    finally:
        server.stop()
