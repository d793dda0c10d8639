"""``python -m bench``: floor and authsvc side by side; a report, never a test."""

import argparse
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.compare import QUICK, Plan
from bench.machine import split_cores
from bench.refreshing import refresh
from bench.stage import Ground, ground

Result = dict[str, Any]


def w2(place: Ground, plan: Plan) -> list[Result]:
    return [refresh(place, plan, workers=workers) for workers in (1, 2)]


def main(arguments: list[str]) -> int:
    for kind in ("postgres", "sqlite"):
        with (
            tempfile.TemporaryDirectory(dir="/tmp") as directory,
            ground(kind, cores=split_cores(), directory=Path(directory)) as place,
        ):
            for r in w2(place, QUICK):
                print(r)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
