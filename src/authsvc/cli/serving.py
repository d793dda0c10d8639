"""One serving process: the public port and the private one on one event loop."""

import asyncio
import gc
import os
import signal
import socket
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn

from authsvc.app import create_app
from authsvc.bootstrap.services import build
from authsvc.cli.gauges import Gauges
from authsvc.cli.readiness import Watch
from authsvc.cli.running import Failure
from authsvc.platform import metrics, telemetry
from authsvc.platform.http.health import management_app
from authsvc.settings import find_toml, load

GRACE = 20  # seconds that requests may finish in after SIGTERM
BACKLOG = 2048


def bind(setting: str, host: str, port: int) -> socket.socket:
    """A listening socket; raises Failure naming the setting when the port cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise Failure(f"{setting}: {host} port {port}: {reason}") from error


@dataclass(frozen=True, slots=True)
class Slot:
    """The place of one of several processes: where it keeps its counts, and as which number."""

    directory: str
    number: int


def process(public: socket.socket, management: socket.socket, slot: Slot | None = None) -> None:
    """Serve on both sockets until SIGTERM, with the settings of this process's environment."""
    if slot is not None:
        metrics.share(slot.directory, slot.number)
    settings = load(os.environ, toml=find_toml(os.environ))
    telemetry.set_up(dev=False, level=settings.log.level)
    services = build(settings)
    server = _Server(knobs(create_app(services), grace=GRACE))
    # What stands now stands until the end: the collector need not look at it again and again.
    gc.collect()
    gc.freeze()
    watch = Watch(services, is_serving=lambda: server.started and not server.should_exit)
    private = management_app(
        started=watch.started, readiness=watch.readiness, metrics=Gauges(services).metrics
    )
    side = _Server(knobs(private, grace=1))
    with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
        runner.run(_both(server, public, side, management))


def knobs(app: Any, *, grace: int) -> uvicorn.Config:
    """How uvicorn runs: our own log lines, no server header, no forwarded headers."""
    return uvicorn.Config(
        app,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        log_config=None,
        timeout_graceful_shutdown=grace,
    )


class _Server(uvicorn.Server):
    """A server that leaves signals to whoever runs it, so that SIGTERM is a good end."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


async def _both(
    server: _Server, public: socket.socket, side: _Server, management: socket.socket
) -> None:
    """The private port tells "not ready" while the public one finishes its requests."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.handle_exit, number, None)
    beside = asyncio.create_task(side.serve(sockets=[management]))
    try:
        await server.serve(sockets=[public])
    finally:
        side.should_exit = True
        await beside
