"""The shape of the source: empty package files, and nothing longer than the eye takes in."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "authsvc"
FILES = sorted(SOURCE.rglob("*.py"))
# The verifier's names are its interface: people import them from here.
SPEAKING = {SOURCE / "verify" / "__init__.py"}
MAX_FILE = 300
MAX_FUNCTION = 60


def ids(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Each function of a file with its length in lines."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            yield f"{ids(path)}:{node.lineno} {node.name}", node.end_lineno - node.lineno + 1


def test_every_folder_with_code_is_a_package() -> None:
    folders = {path.parent for path in FILES}
    assert {ids(folder) for folder in folders if not (folder / "__init__.py").exists()} == set()


@pytest.mark.parametrize(
    "path", [p for p in FILES if p.name == "__init__.py" and p not in SPEAKING], ids=ids
)
def test_packages_are_empty(path: Path) -> None:
    assert path.read_text().strip() == ""


def test_no_file_is_too_long() -> None:
    lengths = {ids(path): len(path.read_text().splitlines()) for path in FILES}
    assert len(lengths) > 50
    assert {name: lines for name, lines in lengths.items() if lines > MAX_FILE} == {}


def test_no_function_is_too_long() -> None:
    lengths = dict(entry for path in FILES for entry in functions(path))
    assert len(lengths) > 100
    assert {name: lines for name, lines in lengths.items() if lines > MAX_FUNCTION} == {}
