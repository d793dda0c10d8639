"""Rules about the import graph that the contracts in pyproject.toml cannot say."""

import subprocess
import sys
from functools import cache

import grimp
import pytest

PRIVATE = ("repo", "tables")


@cache
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("authsvc", cache_dir=None)


def trespasses(found: grimp.ImportGraph) -> list[str]:
    """Imports of a room's ``repo`` or ``tables`` from outside the room."""
    return sorted(
        f"{importer} imports {module}"
        for module in found.modules
        if module.count(".") > 1 and module.rpartition(".")[2] in PRIVATE
        for importer in found.find_modules_that_directly_import(module)
        if not importer.startswith(module.rpartition(".")[0] + ".") and importer != "authsvc.tables"
    )


def test_a_room_keeps_its_tables_to_itself() -> None:
    assert any(module.endswith(".repo") for module in graph().modules)
    assert trespasses(graph()) == []


def test_trespassers_are_seen() -> None:
    small = grimp.ImportGraph()
    for importer in ("authsvc.signin.service", "authsvc.sessions.service", "authsvc.tables"):
        small.add_import(importer=importer, imported="authsvc.sessions.tables")
    assert trespasses(small) == ["authsvc.signin.service imports authsvc.sessions.tables"]


LIGHT = """
import sys
before = set(sys.modules)
import authsvc.verify
print("\\n".join(sorted(set(sys.modules) - before)))
"""
ALLOWED = ("authsvc", "authsvc.verify")


def loaded() -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", LIGHT], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split())


def test_the_verifier_loads_nothing_else_of_ours() -> None:
    ours = {name for name in loaded() if name.split(".")[0] == "authsvc"}
    assert "authsvc.verify" in ours
    assert {name for name in ours if ".".join(name.split(".")[:2]) not in ALLOWED} == set()


@pytest.mark.parametrize("server", ["sqlalchemy", "fastapi", "starlette", "pydantic", "redis"])
def test_the_verifier_loads_no_server(server: str) -> None:
    assert server not in {name.split(".")[0] for name in loaded()}
