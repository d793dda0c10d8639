"""``make bench``: floor and authsvc side by side; a report, never a test.

``python -m bench --only W2 --db postgres --reps 3`` renews some rows and leaves the others.
"""

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.checking import check
from bench.compare import QUICK, Plan
from bench.growing import grow
from bench.machine import Cores, split_cores
from bench.refreshing import refresh
from bench.report import machine, render, today, write
from bench.signing_in import sign_in
from bench.stage import Ground, ground
from bench.starting import begin

Result = dict[str, Any]
HERE = Path(__file__).resolve().parent
WORKLOADS = ("W1", "W2", "W5", "W6", "W7")
ON_POSTGRES = ("W1", "W7")  # no database in it; or about PostgreSQL alone


def _refresh(place: Ground, plan: Plan) -> list[Result]:
    return [refresh(place, plan, workers=workers) for workers in plan.workers]


WORK: dict[str, Callable[[Ground, Plan], list[Result]]] = {
    "W1": check,
    "W2": _refresh,
    "W5": sign_in,
    "W6": begin,
    "W7": grow,
}


def run(
    plan: Plan,
    *,
    only: tuple[str, ...],
    kinds: tuple[str, ...],
    cores: Cores,
    keep: Callable[[list[Result]], None] = lambda results: None,
) -> list[Result]:
    """The results of these workloads on these databases; ``keep`` gets those of each workload
    at once, so that a run that is stopped loses little. Raises Wrong.
    """
    results: list[Result] = []
    for kind in kinds:
        chosen = [name for name in only if kind == "postgres" or name not in ON_POSTGRES]
        with (
            tempfile.TemporaryDirectory(prefix="authsvc-bench-", dir="/tmp") as directory,
            ground(kind, cores=cores, directory=Path(directory)) as place,
        ):
            for name in chosen:
                found = [one | {"at": today()} for one in WORK[name](place, plan)]
                keep(found)
                results += found
    return results


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    """Run what is asked for, print and write the report; the exit code."""
    words = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    words.add_argument("--only", nargs="+", choices=WORKLOADS, default=WORKLOADS)
    words.add_argument("--db", nargs="+", choices=("postgres", "sqlite"))
    words.add_argument("--reps", type=int, help="repetitions")
    words.add_argument("--seconds", type=float, help="length of a run")
    words.add_argument(
        "--quick", action="store_true", help="small counts; results to a directory of --out"
    )
    words.add_argument("--out", type=Path, help="where results.md and results.json go")
    asked = words.parse_args(arguments)
    if not sys.platform.startswith("linux"):
        _say("make bench counts CPU time by /proc, which only Linux has.")
        return 1
    # Whoever stops it by SIGTERM wants its servers gone too, as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    plan = replace(QUICK if asked.quick else Plan(), progress=_say)
    if asked.reps:
        plan = replace(plan, repetitions=asked.reps)
    if asked.seconds:
        plan = replace(plan, seconds=asked.seconds)
    cores = split_cores()
    _say(f"{machine(cores)}; load average {os.getloadavg()[0]:.1f}")
    how = f"{plan.repetitions} repetitions in turn, 16 connections."
    out = asked.out or (None if asked.quick else HERE)

    def keep(found: list[Result]) -> None:
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            write(out, found, cores=cores, words=how)

    kinds = tuple(asked.db or ("postgres", "sqlite"))
    results = run(plan, only=tuple(asked.only), kinds=kinds, cores=cores, keep=keep)
    _say(render({"machine": machine(cores), "how": how, "results": results}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
