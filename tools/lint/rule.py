"""What a house rule is: a name, the right way, where it holds, and how to see it broken."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

Node = ast.expr | ast.stmt


@dataclass(frozen=True, slots=True)
class Module:
    """A source file; ``path`` is relative to the package, such as ``platform/db/uow.py``."""

    path: PurePosixPath
    tree: ast.Module


@dataclass(frozen=True, slots=True)
class Rule:
    """``find`` yields the lines that break it; ``homes`` are the files where it does not hold.

    A home is a file, a directory, or (without a slash) a file name that is a role in every room.
    """

    name: str
    right_way: str
    find: Callable[[Module], Iterator[Node]]
    homes: tuple[str, ...] = ()

    def holds_in(self, path: PurePosixPath) -> bool:
        """Whether the rule speaks about that file."""
        inside = {path.as_posix(), path.name, *(parent.as_posix() for parent in path.parents)}
        return inside.isdisjoint(self.homes)


@dataclass(frozen=True, slots=True)
class Finding:
    """A line that breaks a rule."""

    path: str
    line: int
    rule: str
    right_way: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.right_way}"
