"""Sends load at a server and counts what each request cost whom."""

import pickle
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE
from typing import IO

from bench.loader import Job, Outcome
from bench.machine import cpu_seconds, pinned

ROOT = Path(__file__).resolve().parent.parent
CONNECTIONS = 16
_MICRO = 1_000_000
_LOADER = [sys.executable, "-c", "from bench.loader import main; main()"]


class Wrong(RuntimeError):
    """Answers that were not as expected: such a run measures nothing."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One run. CPU in microseconds a request, waits in milliseconds."""

    answered: int
    rate: float
    server_cpu: float
    database_cpu: float
    p50: float
    p99: float


def dealt(items: Iterable[tuple[str, ...]]) -> tuple[tuple[tuple[str, ...], ...], ...]:
    """The items shared out among the connections."""
    listed = list(items)
    return tuple(tuple(listed[number::CONNECTIONS]) for number in range(CONNECTIONS))


def gathered(hands: Sequence[Sequence[str]]) -> list[str]:
    """The cookies of all connections, in the order of the items that were dealt."""
    longest = max((len(hand) for hand in hands), default=0)
    return [hand[turn] for turn in range(longest) for hand in hands if turn < len(hand)]


def measure(
    job: Job, *, server: int, database: int | None, cores: frozenset[int]
) -> tuple[Measured, Outcome]:
    """Run the job from a process on these cores. Raises Wrong."""
    words = pickle.dumps(job)
    with pinned(cores):
        loader = subprocess.Popen(_LOADER, stdin=PIPE, stdout=PIPE, cwd=ROOT)
    with loader:
        said, told = _pipes(loader)
        said.write(b"%d\n" % len(words) + words)
        said.flush()
        if told.readline() != b"ready\n":
            raise Wrong("the load could not connect")
        before = _used(server), _used(database)
        said.write(b"go\n")
        said.flush()
        result = told.read()
        after = _used(server), _used(database)
    outcome: Outcome = pickle.loads(result)  # noqa: S301 our own child's words
    if outcome.wrong or not outcome.answered:
        raise Wrong("\n".join(outcome.wrong) or "no answer at all")
    waits = sorted(outcome.waits)
    count = outcome.answered
    return Measured(
        answered=count,
        rate=count / outcome.seconds,
        server_cpu=(after[0] - before[0]) / count * _MICRO,
        database_cpu=(after[1] - before[1]) / count * _MICRO,
        p50=waits[count // 2] * 1000,
        p99=waits[count * 99 // 100] * 1000,
    ), outcome


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    if process.stdin is None or process.stdout is None:
        raise Wrong("the load has no pipes")
    return process.stdin, process.stdout


def _used(root: int | None) -> float:
    return 0.0 if root is None else cpu_seconds(root)
