"""Published test vectors, where this machine has them: a directory beside the repository.

Without it the cases made from them are not there; what a test states by itself remains.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2].parent / "shared" / "vectors"


def load(name: str) -> dict[str, Any]:
    """The document, empty if it is not here."""
    path = FOLDER / name
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def wycheproof(name: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Every (group, test) of a Wycheproof file, none if it is not here."""
    groups = load(f"wycheproof/{name}").get("testGroups", [])
    return [(group, test) for group in groups for test in group["tests"]]


def for_each(
    names: str | tuple[str, ...], cases: Sequence[Any], *, ids: Sequence[str]
) -> Callable[[Callable[..., None]], Callable[..., None] | None]:
    """A test per case; without cases there is no test, rather than one that is left out."""

    def decorate(test: Callable[..., None]) -> Callable[..., None] | None:
        return pytest.mark.parametrize(names, cases, ids=ids)(test) if cases else None

    return decorate
