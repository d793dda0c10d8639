"""``make demo``: authsvc in dev mode, a service that checks its tokens, and a page that uses both.

Ctrl-C stops all three.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from urllib.error import URLError
from urllib.request import urlopen

HERE = Path(__file__).parent
PATIENCE = 60.0


class Stopped(Exception):
    """A child ended before its time."""


def main() -> int:
    """Start everything, print where it is, and wait."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--auth-port", type=int, default=8000)
    parser.add_argument("--orders-port", type=int, default=8001)
    parser.add_argument("--spa-port", type=int, default=5173)
    parser.add_argument("--data", type=Path, default=Path("var/demo"), help="where dev mode keeps")
    asked = parser.parse_args()
    auth, orders, spa = (
        f"http://localhost:{port}" for port in (asked.auth_port, asked.orders_port, asked.spa_port)
    )
    signal.signal(signal.SIGTERM, _interrupt)
    children: list[subprocess.Popen[bytes]] = []
    try:
        children.append(_authsvc(asked.auth_port, data=asked.data))
        _wait_for(f"{auth}/livez", children)
        children.append(_orders(asked.orders_port, {"ISSUER": auth, "SPA": spa}))
        children.append(_spa(asked.spa_port, auth=auth, orders=orders))
        _wait_for(f"{orders}/api/catalogue", children)
        _wait_for(spa, children)
        print(_welcome(auth, orders=orders, spa=spa), flush=True)
        _wait_for_the_end(children)
    except KeyboardInterrupt:
        return 0
    except Stopped as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    finally:
        _stop(children)
    return 0


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _start(arguments: Sequence[str], environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    # A session of its own: Ctrl-C reaches this program alone, which then stops them in order.
    return subprocess.Popen(
        [sys.executable, *arguments], env=os.environ | dict(environ), start_new_session=True
    )


def _authsvc(port: int, *, data: Path) -> subprocess.Popen[bytes]:
    words = ["-m", "authsvc.cli.main", "dev", "--port", str(port), "--data", str(data)]
    return _start(words, {})


def _orders(port: int, environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    words = ["-m", "uvicorn", "main:app", "--app-dir", str(HERE / "orders"), "--port", str(port)]
    return _start([*words, "--log-level", "warning"], environ)


def _spa(port: int, *, auth: str, orders: str) -> subprocess.Popen[bytes]:
    words = [str(HERE / "spa" / "serve.py"), "--port", str(port)]
    return _start([*words, "--auth", auth, "--orders", orders], {})


def _wait_for(url: str, children: Sequence[subprocess.Popen[bytes]]) -> None:
    due = time.monotonic() + PATIENCE
    while time.monotonic() < due:
        _require_all(children)
        try:
            with urlopen(url, timeout=1):  # noqa: S310 - an address of ours
                return
        except (URLError, OSError):
            time.sleep(0.1)
    raise Stopped(f"{url} does not answer")


def _require_all(children: Sequence[subprocess.Popen[bytes]]) -> None:
    for child in children:
        if child.poll() is not None:
            raise Stopped("one of the programs ended; is one of the ports in use?")


def _wait_for_the_end(children: Sequence[subprocess.Popen[bytes]]) -> None:
    while True:
        _require_all(children)
        time.sleep(0.5)


def _stop(children: Sequence[subprocess.Popen[bytes]]) -> None:
    for child in reversed(children):
        child.terminate()
    for child in reversed(children):
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()


def _welcome(auth: str, *, orders: str, spa: str) -> str:
    lines = (
        ("1. Open the shop", spa),
        ("2. Sign in as", "ann@example.test"),
        ("3. Read her mail", f"{auth}/dev/mailbox"),
        ("4. Cancel an order", "and see which proof the service asks for"),
        ("The service itself", f"{orders}/docs"),
    )
    width = max(len(name) for name, _ in lines)
    listed = "\n".join(f"  {name:<{width}}  {what}" for name, what in lines)
    return f"\nThe demo is up. Ctrl-C stops it.\n\n{listed}\n"


if __name__ == "__main__":
    sys.exit(main())
