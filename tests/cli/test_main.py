"""The command line itself: help, typing errors, and a start that loads next to nothing."""

import importlib
import subprocess
import sys
from importlib.metadata import version

import pytest

from authsvc.cli.main import COMMANDS
from tests.cli.conftest import Authsvc

HEAVY = ("sqlalchemy", "pydantic", "fastapi", "typer", "uvicorn", "alembic", "asyncio")


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",), ("help",)])
def test_help_lists_every_command(authsvc: Authsvc, words: tuple[str, ...]) -> None:
    said = authsvc(*words)
    assert said.status == 0
    assert all(f"  {name} " in said.out for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_module(name: str) -> None:
    assert callable(importlib.import_module(f"authsvc.cli.{name}").run)


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "version"])
def test_every_command_explains_itself(authsvc: Authsvc, name: str) -> None:
    said = authsvc(name, "--help")
    assert said.status == 0
    assert said.out.lstrip().startswith(f"Usage: authsvc {name}")


def test_a_mistyped_command_is_told_its_name(authsvc: Authsvc) -> None:
    said = authsvc("serv")
    assert (said.status, said.sentence) == (
        2,
        "authsvc: serv is not a command; did you mean serve?",
    )
    assert "authsvc --help" in authsvc("fly").sentence


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("users", "show"), "who"),
        (("users", "fnd"), "find"),
        (("keys", "list", "--jsn"), "--json"),
        (("dev", "--port", "eight"), "--port"),
        (("version", "now"), "now"),
    ],
)
def test_a_wrong_argument_is_named_in_one_sentence(
    authsvc: Authsvc, words: tuple[str, ...], named: str
) -> None:
    said = authsvc(*words)
    assert said.status == 2
    assert named in said.sentence.lower()


def test_version_is_printed(authsvc: Authsvc) -> None:
    assert authsvc("version").out.startswith(f"authsvc {version('authsvc')} (Python 3.")
    assert authsvc("--version").out == authsvc("version").out


def test_version_loads_nothing_heavy() -> None:
    program = (
        "import sys; from authsvc.cli.main import run; run(['version']);"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.splitlines()[-1] == b"[]"
