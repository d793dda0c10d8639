"""How much of everything the heavy tests do: little in CI, all of it by `make soak`."""

import json
import os
import time
from pathlib import Path
from typing import TypeVar

Value = TypeVar("Value")

SOAK = os.environ.get("AUTHSVC_SCALE") == "soak"
REPORT = os.environ.get("AUTHSVC_SOAK_REPORT")
_GENEROUS = 10


def pick(*, ci: Value, soak: Value) -> Value:
    """The count for this run."""
    return soak if SOAK else ci


def within(seconds: float) -> float:
    """A time bound: exact in the soak, generous in CI, where the machine has other work."""
    return seconds if SOAK else seconds * _GENEROUS


def report(name: str, **figures: object) -> None:
    """Keep what a heavy test saw, for docs/soak.md; the newest of a name counts."""
    if REPORT is not None:
        line = {"name": name, "at": int(time.time()), "figures": figures}
        with Path(REPORT).open("a", encoding="utf-8") as out:
            out.write(json.dumps(line) + "\n")


PARALLEL = 16
PROOFS = pick(ci=250, soak=5_000)  # doubled links, and as many codes, on each back end
DOUBLED = pick(ci=500, soak=10_000)  # doubled refreshes on each back end
REFRESHES = pick(ci=250, soak=5_000)  # refreshes while servers are killed
KILLS = pick(ci=5, soak=100)  # kill -9 of a server meanwhile
CRASHES = pick(ci=1, soak=3)  # crashes of PostgreSQL meanwhile
RESTARTS = pick(ci=2, soak=20)  # restarts of PostgreSQL under load
REFUSED = pick(ci=60, soak=2_000)  # sign-ins that meet a store that is away
ROTATIONS = pick(ci=5, soak=300)  # rotations of the signing key
UNKNOWN_KIDS = pick(ci=500, soak=10_000)  # tokens with a key id nobody has
