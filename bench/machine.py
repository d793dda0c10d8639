"""The machine under the bench: cores, CPU time and memory of process trees. Linux only."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_PARENT, _TIMES = 1, slice(11, 15)  # of /proc/<pid>/stat, counted after the command's name


@dataclass(frozen=True, slots=True)
class Cores:
    """Which cores the server, the database and the load run on; empty = wherever they like."""

    server: frozenset[int]
    database: frozenset[int]
    load: frozenset[int]

    @property
    def words(self) -> str:
        """For the report."""
        if not self.server:
            return "nothing pinned"
        named = (("server", self.server), ("database", self.database), ("load", self.load))
        return ", ".join(f"{name} on core {min(cores)}" for name, cores in named)


ANYWHERE = Cores(frozenset(), frozenset(), frozenset())


def split_cores() -> Cores:
    """A core for the server alone; with two cores database and load share the other."""
    own = sorted(os.sched_getaffinity(0))
    match len(own):
        case 0 | 1:
            return ANYWHERE
        case 2:
            server, database, load = own[0], own[1], own[1]
        case _:
            server, database, load = own[:3]
    return Cores(frozenset({server}), frozenset({database}), frozenset({load}))


@contextmanager
def pinned(cores: frozenset[int]) -> Iterator[None]:
    """Processes started within the block run on these cores, and so do their children."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def tree(root: int) -> list[int]:
    """The process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            stat = _stat(int(entry.name))
            if stat is not None:
                children.setdefault(int(stat[_PARENT]), []).append(int(entry.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def parent(pid: int) -> int:
    """The process that started this one."""
    stat = _stat(pid)
    if stat is None:
        raise ProcessLookupError(pid)
    return int(stat[_PARENT])


def cpu_seconds(root: int) -> float:
    """What the process, its children and those they have waited for have used so far."""
    ticks = 0
    for pid in tree(root):
        stat = _stat(pid)
        if stat is not None:
            ticks += sum(int(field) for field in stat[_TIMES])
    return ticks / _TICKS


def memory(root: int) -> Mapping[str, float]:
    """Memory of the tree in MB: ``pss`` shares out what several processes map, ``rss`` not."""
    found = {"pss": 0.0, "rss": 0.0}
    for pid in tree(root):
        for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            name, _, rest = line.partition(":")
            if name.lower() in found:
                found[name.lower()] += int(rest.split()[0]) / 1000
    return found


def _stat(pid: int) -> list[str] | None:
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()
