"""Several serving processes on the same sockets, started again when one falls."""

import multiprocessing
import signal
import socket
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from types import FrameType

from authsvc.cli.running import Failure
from authsvc.cli.serving import Slot, process

_PULSE = 0.5


@dataclass(frozen=True, slots=True)
class Sockets:
    """What every process listens on."""

    public: socket.socket
    management: socket.socket

    def close(self) -> None:
        """Let go of our own half: what connects from now on is refused and goes elsewhere."""
        self.public.close()
        self.management.close()


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
    with _counts() as directory:
        _run(
            [Slot(directory, number) for number in range(count)],
            Sockets(public, management),
            stopping,
        )


@contextmanager
def _counts() -> Generator[str]:
    """A directory for the counts of all processes, gone when they are."""
    try:
        held = tempfile.TemporaryDirectory(prefix="authsvc-metrics-")
    except OSError as error:
        raise Failure("TMPDIR: several workers need a directory that can be written") from error
    with held as directory:
        yield directory


def _run(slots: list[Slot], sockets: Sockets, stopping: list[int]) -> None:
    running = {slot: _start(slot, sockets) for slot in slots}
    try:
        while not stopping:
            wait([one.sentinel for one in running.values()], timeout=_PULSE)
            for slot, one in running.items():
                if stopping or one.is_alive():
                    continue
                if (one.exitcode or 0) >= 0:
                    raise Failure("workers: a process ended by itself; its log says why")
                running[slot] = _start(slot, sockets)
    finally:
        for one in running.values():
            one.terminate()
        sockets.close()
        for one in running.values():
            one.join()


def _start(slot: Slot, sockets: Sockets) -> SpawnProcess:
    # Spawned, not forked: no thread, lock or connection of the parent comes along.
    context = multiprocessing.get_context("spawn")
    child = context.Process(
        target=process, args=(sockets.public, sockets.management, slot), name="authsvc"
    )
    child.start()
    return child
