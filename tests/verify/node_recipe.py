"""Runs the Node recipe against an issuer: what it says about tokens, as a service would.

``verdicts`` blocks; in an event loop call it through ``asyncio.to_thread``.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).parent / "node"
FILES = ("package.json", "package-lock.json", ".npmrc", "recipe.mjs", "verify.mjs")
CACHE = Path(__file__).parents[2] / ".make" / "node-recipe"


class NodeMissing(Exception):
    """There is no Node.js here, or its packages could not be installed."""


def verdicts(
    tokens: Sequence[str],
    *,
    issuer: str,
    audience: str,
    roles: Sequence[str] = (),
    acr: str | None = None,
    max_age: int | None = None,
) -> list[dict[str, Any]]:
    """One verdict per token, by one process: ``{"me": claims}`` or ``{"refusal": answer}``."""
    arguments = ["--issuer", issuer, "--audience", audience]
    arguments += [part for role in roles for part in ("--role", role)]
    arguments += ["--acr", acr] if acr else []
    arguments += ["--max-age", str(max_age)] if max_age else []
    run = subprocess.run(
        [program("node"), "verify.mjs", *arguments],
        cwd=installed(), input="".join(f"{token}\n" for token in tokens), capture_output=True,
        text=True, encoding="utf-8", timeout=60, check=False,
    )  # fmt: skip
    if run.returncode:
        raise AssertionError(run.stderr)
    return [json.loads(line) for line in run.stdout.splitlines()]


def installed() -> Path:
    """The recipe with its packages, installed once for each version of its files."""
    digest = hashlib.sha256(b"\0".join((SOURCE / name).read_bytes() for name in FILES))
    home = CACHE / digest.hexdigest()[:16]
    if home.exists():
        return home
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        fresh = Path(scratch) / "recipe"
        fresh.mkdir()
        for name in FILES:
            shutil.copy(SOURCE / name, fresh / name)
        _npm_ci(fresh)
        try:
            fresh.rename(home)
        except OSError:
            if not home.exists():  # else another process was faster
                raise
    return home


def _npm_ci(folder: Path) -> None:
    paths = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    run = subprocess.run(
        [program("npm"), "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"],
        cwd=folder, env=os.environ | {"PATH": paths}, capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip
    if run.returncode:
        raise NodeMissing(f"npm ci failed: {run.stderr or run.stdout}")


def program(name: str) -> str:
    """The one beside this Python, else the one on PATH."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise NodeMissing(f"{name} is missing: run `make setup`")
    return found
