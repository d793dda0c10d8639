"""Several serving processes on the same sockets, started again when one falls."""

import multiprocessing
import signal
import socket
import time
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from types import FrameType

from authsvc.cli.running import Failure
from authsvc.cli.serving import process

YOUNG = 10.0  # seconds: a process that ends before never worked
_PULSE = 0.5


def supervise(count: int, public: socket.socket, management: socket.socket) -> None:
    """Keep so many processes running until SIGTERM or SIGINT, then let them finish.

    Raises Failure when a process ends right after its start: starting it again helps nobody.
    """
    stopping: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        stopping.append(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    running = {_start(public, management): time.monotonic() for _ in range(count)}
    try:
        while not stopping:
            wait([one.sentinel for one in running], timeout=_PULSE)
            for fallen in [one for one in running if not one.is_alive()]:
                if stopping:
                    break
                if time.monotonic() - running.pop(fallen) < YOUNG:
                    raise Failure("workers: a process ended at its start; its log says why")
                running[_start(public, management)] = time.monotonic()
    finally:
        for one in running:
            one.terminate()
        for one in running:
            one.join()


def _start(public: socket.socket, management: socket.socket) -> SpawnProcess:
    # Spawned, not forked: no thread, lock or connection of the parent comes along.
    context = multiprocessing.get_context("spawn")
    child = context.Process(target=process, args=(public, management), name="authsvc")
    child.start()
    return child
