"""Read source files and find what breaks a house rule."""

import ast
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from tools.lint.rule import Finding, Module
from tools.lint.rules import RULES

PACKAGE = "authsvc"


def check_source(source: str, *, path: str) -> list[Finding]:
    """The findings in one file's text; ``path`` is relative to the package."""
    module = Module(PurePosixPath(path), ast.parse(source))
    return [
        Finding(path=path, line=node.lineno, rule=rule.name, right_way=rule.right_way)
        for rule in RULES
        if rule.holds_in(module.path)
        for node in rule.find(module)
    ]


def check_tree(directory: Path) -> Iterator[Finding]:
    """The findings in every file below ``<directory>/authsvc``, in order."""
    package = directory / PACKAGE
    for file in sorted(package.rglob("*.py")):
        yield from check_source(file.read_text(), path=file.relative_to(package).as_posix())
