"""In CI a test that is left out fails the run; elsewhere it does not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SKIPS = "import pytest\ndef test_fine(): pass\ndef test_out(): pytest.skip('no server')\n"
EXPECTS = "import pytest\n@pytest.mark.xfail\ndef test_bad(): assert False\n"
FINE = "def test_fine(): pass\n"


def run(directory: Path, source: str, *options: str, ci: str) -> subprocess.CompletedProcess[str]:
    (directory / "test_it.py").write_text(source)
    (directory / "pytest.ini").write_text("[pytest]\n")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "tests.no_skips", *options, "test_it.py"],
        cwd=directory,
        env=clean | {"CI": ci, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("options", [(), ("-p", "xdist", "-n", "1")], ids=["alone", "xdist"])
@pytest.mark.parametrize("source", [SKIPS, EXPECTS], ids=["skip", "xfail"])
def test_left_out_fails_in_ci(tmp_path: Path, source: str, options: tuple[str, ...]) -> None:
    done = run(tmp_path, source, *options, ci="true")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "not run: test_it.py::test_" in done.stdout


@pytest.mark.parametrize(("source", "ci"), [(SKIPS, ""), (FINE, "true")])
def test_otherwise_it_passes(tmp_path: Path, source: str, ci: str) -> None:
    done = run(tmp_path, source, ci=ci)
    assert done.returncode == pytest.ExitCode.OK, done.stdout
    assert "not run" not in done.stdout
