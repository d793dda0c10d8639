"""Reads a Dockerfile and a .dockerignore, as far as ours go."""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

_KNOWN = frozenset(
    "FROM ARG ENV WORKDIR COPY RUN USER EXPOSE HEALTHCHECK ENTRYPOINT CMD".split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction: its word and the rest of its line."""

    word: str
    rest: str

    def exec_form(self) -> list[str]:
        """The words of a JSON array; fails for the shell form, which needs a shell."""
        words = json.loads(self.rest)
        assert isinstance(words, list), self
        return words

    def pairs(self) -> dict[str, str]:
        """``NAME=value`` words."""
        return dict(word.split("=", 1) for word in shlex.split(self.rest))

    def flags(self) -> tuple[dict[str, str], list[str]]:
        """The leading ``--name=value`` words, and the words after them."""
        words = shlex.split(self.rest)
        flags = dict(word[2:].split("=", 1) for word in words if word.startswith("--"))
        return flags, [word for word in words if not word.startswith("--")]


@dataclass(slots=True)
class Stage:
    """What one ``FROM`` begins."""

    base: str
    name: str
    steps: list[Step] = field(default_factory=list[Step])


def stages(text: str) -> list[Stage]:
    """The stages in their order, with build arguments filled in."""
    arguments: dict[str, str] = {}
    found: list[Stage] = []
    for step in _steps(text):
        assert step.word in _KNOWN, f"{step.word}: teach the test this instruction"
        if step.word == "ARG":
            arguments |= step.pairs()
        elif step.word == "FROM":
            base, _, name = _filled(step.rest, arguments).partition(" AS ")
            found.append(Stage(base, name))
        else:
            found[-1].steps.append(step)
    return found


def _filled(text: str, arguments: dict[str, str]) -> str:
    return re.sub(r"\$\{(\w+)\}", lambda found: arguments[found[1]], text)


def _steps(text: str) -> Iterator[Step]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            yield Step(word.upper(), rest.strip())


def context(root: Path, ignore: str) -> Iterator[PurePosixPath]:
    """The files that the engine would be sent: the last rule that matches decides."""
    rules = [line.strip() for line in ignore.splitlines()]
    rules = [line for line in rules if line and not line.startswith("#")]
    assert all("/" not in rule.removeprefix("!").removeprefix("**/") for rule in rules)
    # No rule lets a part of a directory in that another one keeps out.
    tops = [
        top for top in sorted(root.iterdir()) if not _is_ignored(PurePosixPath(top.name), rules)
    ]
    for path in [inner for top in tops for inner in (top, *sorted(top.rglob("*")))]:
        relative = PurePosixPath(path.relative_to(root).as_posix())
        if path.is_file() and not _is_ignored(relative, rules):
            yield relative


def _is_ignored(path: PurePosixPath, rules: list[str]) -> bool:
    ignored = False
    for rule in rules:
        pattern = rule.removeprefix("!")
        if any(_matches(part, pattern) for part in (path, *path.parents)):
            ignored = not rule.startswith("!")
    return ignored


def _matches(path: PurePosixPath, pattern: str) -> bool:
    if pattern.startswith("**/"):
        return fnmatchcase(path.name, pattern[3:])
    return path.parent == PurePosixPath() and fnmatchcase(path.name, pattern)
