"""Sides measured in turn, several times, so that a busy moment of the machine meets them all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from bench.load import Measured, measure
from bench.loader import Job, Outcome
from bench.machine import Cores


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is done: seconds of a run, repetitions, sessions of W2 and W7, small counts."""

    seconds: float = 3.0
    repetitions: int = 5
    workers: tuple[int, ...] = (1, 2)
    sessions: int = 20_000
    sizes: tuple[int, ...] = (1_000, 20_000, 1_000_000)
    turns: int = 1_000  # refreshes of a run of W7
    sign_ins: int = 300
    starts: int = 5
    progress: Callable[[str], None] = print


QUICK = Plan(
    seconds=1.0, repetitions=3, sessions=6_000, sizes=(1_000, 100_000), sign_ins=100, starts=2
)


@dataclass(frozen=True, slots=True)
class Side:
    """A server under load: what is sent at it, and what to do with the answers."""

    name: str
    server: int
    job: Callable[[], Job]
    after: Callable[[Outcome], None] = lambda outcome: None


def in_turn(
    sides: Sequence[Side], *, repetitions: int, database: int | None, cores: Cores, plan: Plan
) -> dict[str, list[Measured]]:
    """Every side once to warm up, then each in turn. Raises Wrong."""
    found: dict[str, list[Measured]] = {side.name: [] for side in sides}
    for number in range(repetitions + 1):
        for side in sides:
            measured, outcome = measure(
                side.job(), server=side.server, database=database, cores=cores.load
            )
            side.after(outcome)
            if number == 0:
                continue
            found[side.name].append(measured)
            plan.progress(
                f"  {side.name:<22} {measured.rate:7.0f}/s"
                f"  {measured.server_cpu:5.0f} + {measured.database_cpu:4.0f} µs CPU"
                f"  p99 {measured.p99:6.1f} ms"
            )
    return found


def summary(runs: Sequence[Measured]) -> dict[str, Any]:
    """Median and spread of the runs."""
    rates = [run.rate for run in runs]
    return {
        "rate": round(median(rates)),
        "rate_min": round(min(rates)),
        "rate_max": round(max(rates)),
        "server_cpu_us": round(median(run.server_cpu for run in runs)),
        "database_cpu_us": round(median(run.database_cpu for run in runs)),
        "p50_ms": round(median(run.p50 for run in runs), 1),
        "p99_ms": round(median(run.p99 for run in runs), 1),
        "answered": sum(run.answered for run in runs),
    }


def against(floor: Sequence[Measured], ours: Sequence[Measured]) -> dict[str, float]:
    """Ours as a multiple of the floor, run by run: rate, and CPU of server and database."""
    pairs = list(zip(floor, ours, strict=True))
    rates = [mine.rate / theirs.rate for theirs, mine in pairs]
    cpus = [_cpu(mine) / _cpu(theirs) for theirs, mine in pairs if _cpu(theirs)]
    return {
        "rate": round(median(rates), 2),
        "rate_min": round(min(rates), 2),
        "rate_max": round(max(rates), 2),
        "cpu": round(median(cpus), 2) if cpus else 0.0,
    }


def _cpu(run: Measured) -> float:
    return run.server_cpu + run.database_cpu
