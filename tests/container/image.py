"""Carries out a Dockerfile's steps in fresh root directories, without an engine."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from tests.container.dockerfile import Stage, Step, context, stages
from tests.container.jail import BASE, Base, Jail

ROOT = Path(__file__).resolve().parents[2]
PATH = "/usr/local/bin:/usr/bin:/bin"
LOCKS = ("requirements-build.lock", "requirements-image.lock")


@dataclass(slots=True)
class Image:
    """What the last stage made."""

    jail: Jail
    entrypoint: list[str] = field(default_factory=list[str])
    default: list[str] = field(default_factory=list[str])
    health: list[str] = field(default_factory=list[str])
    ports: list[str] = field(default_factory=list[str])

    def files(self) -> Iterator[PurePosixPath]:
        """Every file that the steps put there, the base image's aside."""
        root = self.jail.root
        for path in sorted(root.rglob("*")):
            relative = PurePosixPath(path.relative_to(root).as_posix())
            if relative.parts[0] not in BASE and not path.is_dir():
                yield relative


def wheels(target: Path) -> Path:
    """The locked distributions, by this machine's own pip, so that the steps need no network."""
    locks = [word for lock in LOCKS for word in ("-r", str(ROOT / lock))]
    download = ["-m", "pip", "download", "--quiet", "--require-hashes", "--dest", str(target)]
    subprocess.run([sys.executable, *download, *locks], check=True, timeout=300)
    return target


def build(directory: Path) -> Image:
    """The image of the tree as it is; raises CalledProcessError when a step fails."""
    base = Base(directory / "base")
    base.furnish()
    build = _Build(base, directory, wheels(directory / "wheels"), _context(directory / "context"))
    done: dict[str, Path] = {}
    *before, last = stages((ROOT / "Dockerfile").read_text())
    for stage in before:
        done[stage.name] = build.stage(stage, done).jail.root
    return build.stage(last, done)


def _context(target: Path) -> Path:
    for path in context(ROOT, (ROOT / ".dockerignore").read_text()):
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, target / path)
    return target


@dataclass(frozen=True, slots=True)
class _Build:
    base: Base
    directory: Path
    wheels: Path
    context: Path

    def stage(self, stage: Stage, done: dict[str, Path]) -> Image:
        """Carry out the steps of one stage on an empty base."""
        assert stage.base.startswith("python:")
        root = self.directory / f"stage-{stage.name or 'last'}"
        root.mkdir(mode=0o755)
        self.base.lay_out(root)
        image = Image(Jail(self.base, root, {"PATH": PATH}))
        for step in stage.steps:
            self._step(image, step, done)
        return image

    def _step(self, image: Image, step: Step, done: dict[str, Path]) -> None:
        jail = image.jail
        match step.word:
            case "ENV":
                jail.environ |= step.pairs()
            case "WORKDIR":
                jail.directory = step.rest
                (jail.root / step.rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
            case "USER":
                jail.user = step.rest
            case "COPY":
                self._copy(jail, step, done)
            case "RUN":
                self._run(jail, ["/bin/sh", "-c", step.rest])
            case "EXPOSE":
                image.ports = step.rest.split()
            case "HEALTHCHECK":
                image.health = Step("CMD", step.rest.partition(" CMD ")[2]).exec_form()
            case "ENTRYPOINT":
                image.entrypoint = step.exec_form()
            case "CMD":
                image.default = step.exec_form()
            case other:
                raise AssertionError(other)

    def _run(self, jail: Jail, words: Sequence[str]) -> None:
        index = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/wheels", "PYTHONPATH": "/pip"}
        inside = Jail(jail.base, jail.root, jail.environ | index, jail.directory)
        command = inside.building(words, binds={"wheels": self.wheels})
        subprocess.run(command, check=True, timeout=300)

    def _copy(self, jail: Jail, step: Step, done: dict[str, Path]) -> None:
        flags, words = step.flags()
        source = done[flags["from"]] if "from" in flags else self.context
        target = jail.root / jail.directory.lstrip("/") / words[-1]
        if words[-1].startswith("/"):
            target = jail.root / words[-1].lstrip("/")
        for word in words[:-1]:
            _copied(source / word.lstrip("/"), target, into=words[-1].endswith("/"))
        owner = flags.get("chown", "0:0").split(":")
        for path in (target, *target.rglob("*")):
            os.chown(path, int(owner[0]), int(owner[1]), follow_symlinks=False)


def _copied(source: Path, target: Path, *, into: bool) -> None:
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
        return
    into = into or target.is_dir()
    target.mkdir(parents=True, exist_ok=True) if into else None
    shutil.copy2(source, target / source.name if into else target, follow_symlinks=False)
