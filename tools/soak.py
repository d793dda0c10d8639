"""`make soak`: the heavy tests at full count, and docs/soak.md from what they saw.

A run of some of them (`make soak ARGS=tests/races`) renews their lines and leaves the others.
"""

import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, cast

ROOT = Path(__file__).resolve().parent.parent
SEEN = ROOT / ".make" / "soak.jsonl"
PAGE = ROOT / "docs" / "soak.md"
HEAVY = ["tests/races", "tests/faults"]
HEAD = """# Soak report

What the heavy tests saw at full count. `make test` runs the same tests with small counts;
`make soak` runs them all and writes this page. A test that fails leaves no line here.

"""


def main(arguments: list[str]) -> int:
    """Run the tests named, else all; write the page; the exit code is pytest's."""
    SEEN.parent.mkdir(exist_ok=True)
    environ = os.environ | {"AUTHSVC_SCALE": "soak", "AUTHSVC_SOAK_REPORT": str(SEEN)}
    words = ["-m", "pytest", "-n", "0", "-v", "--durations=0", *(arguments or HEAVY)]
    code = subprocess.run([sys.executable, *words], cwd=ROOT, env=environ, check=False).returncode
    PAGE.write_text(page(_seen()), encoding="utf-8")
    return code


def page(seen: dict[str, dict[str, Any]]) -> str:
    """The report as Markdown: a line for each test, newest figures."""
    rows = [
        f"| {name} | {time.strftime('%Y-%m-%d', time.gmtime(line['at']))} |"
        f" {_figures(line['figures'])} |"
        for name, line in sorted(seen.items())
    ]
    table = ["| test | day | seen |", "|---|---|---|", *rows]
    return HEAD + f"Machine: {machine()}.\n\n" + "\n".join(table) + "\n"


def machine() -> str:
    """The machine in a few words."""
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    memory = round(pages * size / 2**30)
    return (
        f"{os.cpu_count()} cores, {memory} GiB, {platform.system()} {platform.machine()},"
        f" Python {platform.python_version()}; servers, database, store and load share it"
    )


def _figures(figures: dict[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {_value(value)}" for name, value in figures.items())


def _value(value: Any) -> str:
    if isinstance(value, dict):
        parts = cast(dict[str, Any], value)
        return "(" + ", ".join(f"{name} {count}" for name, count in sorted(parts.items())) + ")"
    return f"**{value}**"


def _seen() -> dict[str, dict[str, Any]]:
    if not SEEN.exists():
        return {}
    lines = [json.loads(line) for line in SEEN.read_text(encoding="utf-8").splitlines()]
    return {line["name"]: line for line in lines}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
