"""``make check``: every check, one after the other, and in the end which of them failed."""

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent

CHECKS: dict[str, list[str]] = {
    "ruff, rules": [f"{BIN}/ruff", "check", "."],
    "ruff, format": [f"{BIN}/ruff", "format", "--check", "--quiet", "."],
    "types": [f"{BIN}/pyright", "--warnings"],
    "import floors": [f"{BIN}/lint-imports", "--no-cache", "--no-logo"],
    "house rules": [sys.executable, "-m", "tools.lint", "src"],
    "openapi": [sys.executable, "-m", "tools.openapi", "--check"],
    "architecture": [sys.executable, "-m", "pytest", "-q", "tests/architecture"],
}


def main() -> int:
    """Run them all, print what fails; the exit code."""
    failed = [name for name, command in CHECKS.items() if not _passes(name, command)]
    if failed:
        print(f"make check: failed: {', '.join(failed)}")
        return 1
    print("make check: all is well")
    return 0


def _passes(name: str, command: list[str]) -> bool:
    start = time.monotonic()
    done = subprocess.run(
        command,
        cwd=ROOT,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
    )
    verdict = "ok" if done.returncode == 0 else "FAILED"
    print(f"{name:15} {verdict:6} {time.monotonic() - start:5.1f} s", flush=True)
    if done.returncode != 0:
        print(done.stdout, flush=True)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
