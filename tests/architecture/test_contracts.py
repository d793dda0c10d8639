"""The import contracts hold, and each of them breaks when somebody trespasses."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TRESPASSES = {
    "floors": ("kernel/clock.py", "from authsvc.signin import service"),
    "pure": ("tokens/rotation.py", "import sqlalchemy"),
    "no-web-below-the-door": ("sessions/service.py", "import fastapi"),
    "verify-alone": ("verify/claims.py", "import pydantic"),
    "no-circles": ("verify/claims.py", "from authsvc.verify import verifier"),
}


def lint(directory: Path) -> str:
    """What import-linter says about the package below ``directory``."""
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=directory,
        env=os.environ | {"PYTHONPATH": str(directory / "src")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return done.stdout + done.stderr


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The project's package and contracts, to spoil."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    only_code = shutil.ignore_patterns("static", "__pycache__")
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=only_code)
    return tmp_path


def test_the_contracts_hold() -> None:
    assert re.search(rf"{len(TRESPASSES)} kept, 0 broken", lint(ROOT))


def test_each_contract_sees_its_trespasser(copy: Path) -> None:
    for file, line in TRESPASSES.values():
        path = copy / "src" / "authsvc" / file
        path.write_text(f"{path.read_text()}\n{line}\n")
    assert f"0 kept, {len(TRESPASSES)} broken" in lint(copy)


def test_a_room_without_a_floor_is_seen(copy: Path) -> None:
    room = copy / "src" / "authsvc" / "annex"
    room.mkdir()
    (room / "__init__.py").touch()
    said = lint(copy)
    assert f"{len(TRESPASSES) - 1} kept, 1 broken" in said
    assert "authsvc.annex" in said
