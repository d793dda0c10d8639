"""The results as a file for programs and a table for people."""

import json
import os
import platform
import time
from pathlib import Path
from typing import Any

from bench.machine import Cores

Result = dict[str, Any]
_HEAD = (
    "| | work | floor | authsvc | ratio | CPU µs floor | CPU µs authsvc | CPU ratio | p99 ms |",
    "|---|---|---|---|---|---|---|---|---|",
)


def machine(cores: Cores) -> str:
    """The machine in a few words."""
    model = _model()
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return (
        f"{len(os.sched_getaffinity(0))} cores ({model}), {memory:.0f} GiB, {platform.system()},"
        f" Python {platform.python_version()}; {cores.words}"
    )


def _model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def write(directory: Path, results: list[Result], *, cores: Cores, words: str) -> None:
    """Write results.json and results.md. Workloads that were not run keep their older rows."""
    file = directory / "results.json"
    older: list[Result] = json.loads(file.read_text())["results"] if file.exists() else []
    renewed = {(one["workload"], one["case"]) for one in results}
    kept = [one for one in older if (one["workload"], one["case"]) not in renewed]
    whole = sorted([*kept, *results], key=lambda one: one["workload"])
    about = {"machine": machine(cores), "how": words, "results": whole}
    file.write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (directory / "results.md").write_text(render(about), encoding="utf-8")


def today() -> str:
    """The day, as results carry it."""
    return time.strftime("%Y-%m-%d", time.gmtime())


def render(about: dict[str, Any]) -> str:
    """The report as Markdown."""
    results: list[Result] = about["results"]
    compared = [_compared(one) for one in results if "ratio" in one]
    grown = [_grown(one) for one in results if "against_fewest" in one]
    plain = [_plain(one) for one in results if "plain" in one]
    days = sorted({one["at"] for one in results})
    lines = [
        "# Bench", "", f"Machine: {about['machine']}.", f"{about['how']} {', '.join(days)}.",
        "Answers a second: median (least to most). CPU: server + database, for one request.",
        "", *_HEAD, *compared,
    ]  # fmt: skip
    if grown:
        head = "| | work | answers a second | CPU µs | server CPU, times the fewest |"
        lines += ["", head, "|---|---|---|---|---|", *grown]
    if plain:
        lines += ["", "| | what | floor | authsvc |", "|---|---|---|---|", *plain]
    return "\n".join(lines) + "\n"


def _compared(one: Result) -> str:
    floor, ours, ratio = one["floor"], one["authsvc"], one["ratio"]
    cells = (
        one["workload"], one["case"], _rate(floor), _rate(ours),
        f"**{ratio['rate']:.2f}** ({ratio['rate_min']:.2f}–{ratio['rate_max']:.2f})",
        _cpu(floor), _cpu(ours), f"{ratio['cpu']:.2f}", f"{floor['p99_ms']} · {ours['p99_ms']}",
    )  # fmt: skip
    return _line(cells)


def _grown(one: Result) -> str:
    ours = one["authsvc"]
    times = f"{one['against_fewest']:.2f}"
    return _line((one["workload"], one["case"], _rate(ours), _cpu(ours), times))


def _plain(one: Result) -> str:
    found = one["plain"]
    return _line((one["workload"], one["case"], str(found.get("floor", "")), str(found["authsvc"])))


def _rate(side: dict[str, Any]) -> str:
    return f"{side['rate']} ({side['rate_min']}–{side['rate_max']})"


def _cpu(side: dict[str, Any]) -> str:
    return f"{side['server_cpu_us']} + {side['database_cpu_us']}"


def _line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"
