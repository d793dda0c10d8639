"""The demo as its own start script runs it: authsvc, the orders service and the page."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from tests.live import free_port

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Demo:
    """Where the three are."""

    auth: str
    orders: str
    spa: str

    def mail(self, address: str) -> dict[str, Any]:
        """The newest message to an address, waiting for it a moment."""
        due = time.monotonic() + 10
        while time.monotonic() < due:
            found = httpx2.get(f"{self.auth}/dev/mailbox.json", params={"to": address}).json()
            if found["items"]:
                return found["items"][0]
            time.sleep(0.05)
        raise AssertionError(f"no mail for {address}")

    def forget_mail(self) -> None:
        """Empty the mailbox."""
        httpx2.delete(f"{self.auth}/dev/mailbox.json")

    def advance(self, seconds: int) -> None:
        """Move the service's clock."""
        httpx2.post(f"{self.auth}/dev/clock", json={"advance": seconds}).raise_for_status()


@contextmanager
def running_demo(directory: Path) -> Iterator[Demo]:
    """The demo on free ports, stopped afterwards."""
    auth, orders, spa = free_port(), free_port(), free_port()
    words = ["--auth-port", auth, "--orders-port", orders, "--spa-port", spa]
    environ = {name: value for name, value in os.environ.items() if "AUTHSVC" not in name}
    log = directory / "demo.log"
    command = [sys.executable, "examples/demo.py", *map(str, words)]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, "--data", str(directory / "data")],
            cwd=ROOT,
            env=environ,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    demo = Demo(f"http://localhost:{auth}", f"http://localhost:{orders}", f"http://localhost:{spa}")
    try:
        _wait_until_up(process, log)
        yield demo
    finally:
        process.terminate()
        process.wait(30)


def _wait_until_up(process: subprocess.Popen[bytes], log: Path) -> None:
    due = time.monotonic() + PATIENCE
    while time.monotonic() < due and process.poll() is None:
        if "The demo is up" in log.read_text():
            return
        time.sleep(0.1)
    raise AssertionError(log.read_text()[-4000:])
