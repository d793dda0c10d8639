"""Several serving processes on the same sockets, started again when one falls."""

import multiprocessing
import signal
import socket
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from types import FrameType

from authsvc.cli.running import Failure
from authsvc.cli.serving import process

_PULSE = 0.5


def supervise(count: int, public: socket.socket, management: socket.socket) -> None:
    """Keep so many processes running until SIGTERM or SIGINT, then let them finish.

    One that was killed is replaced. Raises Failure when one ends by itself: whatever it found
    wrong at its start, the next one would find too.
    """
    stopping: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        stopping.append(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    running = [_start(public, management) for _ in range(count)]
    try:
        while not stopping:
            wait([one.sentinel for one in running], timeout=_PULSE)
            for fallen in [one for one in running if not one.is_alive()]:
                if stopping:
                    break
                if (fallen.exitcode or 0) >= 0:
                    raise Failure("workers: a process ended by itself; its log says why")
                running.remove(fallen)
                running.append(_start(public, management))
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
