"""The one distribution: what is in the wheel, and that its base install is the verifier alone."""

import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVER = ("fastapi", "sqlalchemy", "redis", "pydantic", "structlog", "jinja2", "joserfc", "typer")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the tree as it is."""
    target = tmp_path_factory.mktemp("wheel")
    # fmt: off
    subprocess.run([
        sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
        "--no-index", "--disable-pip-version-check", "--wheel-dir", str(target), str(ROOT),
    ], check=True, timeout=120)
    # fmt: on
    (built,) = target.glob("authsvc-*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as packed:
        return set(packed.namelist())


@pytest.mark.parametrize(
    "pattern",
    [
        r"authsvc/py\.typed",
        r"authsvc/migrations/env\.py",
        r"authsvc/migrations/versions/0001_\w+\.py",
        r"authsvc/ui/static/lib/authsvc\.js",
        r"authsvc/platform/i18n/en\.json",
        r"authsvc/verify/__init__\.py",
        r"authsvc-[\d.]+\.dist-info/licenses/LICENSE",
    ],
)
def test_it_carries(names: set[str], pattern: str) -> None:
    assert [name for name in names if re.fullmatch(pattern, name)]


def test_it_carries_every_file_of_the_package_and_no_other(names: set[str]) -> None:
    source = ROOT / "src"
    mine = {
        path.relative_to(source).as_posix()
        for path in (source / "authsvc").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    carried = {name for name in names if name.startswith("authsvc/")}
    assert {name for name in carried - mine if not name.startswith("authsvc/migrations/")} == set()
    assert mine - carried == set()


def test_no_machine_made_file_is_in_it(names: set[str]) -> None:
    assert [name for name in names if "__pycache__" in name or name.endswith(".pyc")] == []


def test_the_base_install_needs_two_distributions(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        (metadata,) = [name for name in packed.namelist() if name.endswith("/METADATA")]
        lines = packed.read(metadata).decode().splitlines()
    needs = {line for line in lines if line.startswith("Requires-Dist") and "extra ==" not in line}
    assert {re.split(r"[^\w-]", line.partition(": ")[2])[0] for line in needs} == {
        "httpx2",
        "pyjwt",
    }


def test_the_base_install_is_the_verifier(wheel: Path, tmp_path: Path) -> None:
    """A path with the wheel and what it needs, and nothing else: no site-packages of ours."""
    place = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(place)
    for name in closure(["pyjwt", "cryptography", "httpx2"]):
        link_distribution(name, place)
    shown = "import authsvc.verify as v; from authsvc.verify import Verifier; print(v.__file__)"
    done = isolated(place, shown)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(place / "authsvc" / "verify" / "__init__.py")
    for server in SERVER:
        assert isolated(place, f"import {server}").returncode != 0, server


def isolated(place: Path, program: str) -> subprocess.CompletedProcess[str]:
    """Run with the standard library and ``place``: ``-S`` leaves this environment out."""
    return subprocess.run(
        [sys.executable, "-S", "-c", program],
        cwd=place,
        env={"PATH": os.defpath, "PYTHONPATH": str(place), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def closure(names: list[str]) -> set[str]:
    """The distributions that these need, as installed here, extras of others left out."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        try:
            needs = distribution(name).requires or []
        except PackageNotFoundError:
            continue  # needed on another platform or Python only
        found.add(name)
        for need in needs:
            if match := re.match(r"[A-Za-z0-9._-]+", need):
                waiting += [] if "extra ==" in need else [match.group().lower()]
    return found


def link_distribution(name: str, place: Path) -> None:
    """Put an installed distribution's files into ``place`` too."""
    site = Path(sysconfig.get_path("purelib"))
    tops = {Path(file).parts[0] for file in distribution(name).files or []}
    for top in tops - {"..", "__pycache__"}:
        for base in (site, Path(sysconfig.get_path("platlib"))):
            if (base / top).exists() and not (place / top).exists():
                (place / top).symlink_to(base / top)
