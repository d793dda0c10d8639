"""Where settings come from: the file, then variables, then files that hold secrets."""

import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, TypeGuard

from pydantic import BaseModel

from authsvc.platform.secrets.files import ReadFile, Unreadable, read_text
from authsvc.platform.secrets.tree import (
    PREFIX,
    Leaf,
    Path,
    below,
    closest,
    dotted,
    leaves,
    matching,
    variable,
)

CONFIG_VARIABLE = "AUTHSVC_CONFIG"
_FILE = "_file"
_KUBERNETES = re.compile(
    r"AUTHSVC(_[A-Z0-9_]+)?_SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)"
    r"|AUTHSVC(_[A-Z0-9_]+)?_PORT(_[0-9]+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?)?"
)
_ADDRESS_OF_A_SERVICE = re.compile(r"(tcp|udp|sctp)://")


@dataclass(frozen=True, slots=True)
class Toml:
    """A settings file: its text, its name for messages, and where its file names start from."""

    text: str
    name: str = "authsvc.toml"
    directory: FilePath = FilePath()


@dataclass(frozen=True, slots=True)
class Setting:
    """A value that was set, and where."""

    value: Any = field(repr=False)
    source: str


@dataclass(slots=True)
class Gathered:
    """What the sources say, by path, and every name in them that is no setting."""

    values: dict[Path, Setting] = field(default_factory=dict[Path, Setting])
    problems: list[str] = field(default_factory=list[str])

    def nested(self) -> dict[str, Any]:
        """The values as tables within tables."""
        top: dict[str, Any] = {}
        for path, setting in self.values.items():
            table = top
            for part in path[:-1]:
                table = table.setdefault(part, {})
            table[path[-1]] = setting.value
        return top


def gather(
    model: type[BaseModel],
    environ: Mapping[str, str],
    *,
    toml: Toml | None = None,
    read_file: ReadFile = read_text,
) -> Gathered:
    """The settings given in a file and in the environment; later sources win.

    Order: the file, ``AUTHSVC_<SECTION>__<KEY>``, the same with ``_FILE``. A name that no
    setting has, an unreadable file and broken JSON become problems. Reads nothing else.
    """
    reader = _Reader(leaves(model), read_file)
    if toml is not None:
        reader.take_toml(toml)
    reader.take_environment({n: v for n, v in environ.items() if n.startswith(PREFIX)})
    return reader.gathered


@dataclass(slots=True)
class _Reader:
    tree: tuple[Leaf, ...]
    read_file: ReadFile
    gathered: Gathered = field(default_factory=Gathered)

    def take_toml(self, toml: Toml) -> None:
        try:
            tables = tomllib.loads(toml.text)
        except tomllib.TOMLDecodeError as error:
            self._problem(f"{toml.name} is not valid TOML: {error}")
            return
        for path, value in self._walk(tables, ()):
            self._place(path, value, source=toml.name, directory=toml.directory)

    def take_environment(self, environ: Mapping[str, str]) -> None:
        from_files: list[tuple[str, Path]] = []
        for name in sorted(environ.keys() - {CONFIG_VARIABLE}):
            path = tuple(part.lower() for part in name.removeprefix(PREFIX).split("__"))
            leaf = matching(self.tree, path)
            if leaf is not None:
                self._set_text(leaf, path, environ[name], source=name)
            elif below(self.tree, path):
                self._set_table(path, environ[name], source=name)
            elif self._of_file(path) is not None:
                from_files.append((name, path))
            elif not _is_injected(name, environ[name]):
                self._unknown(name, path, spelled=variable)
        for name, path in from_files:
            named = environ[name]
            names = self._json(named, source=name) if named.startswith("[") else named
            self._place(path, names, source=name, directory=FilePath())

    def _walk(self, table: Mapping[str, Any], at: Path) -> Iterator[tuple[Path, Any]]:
        for key, value in table.items():
            path = (*at, key)
            if _is_table(value) and value and below(self.tree, path):
                yield from self._walk(value, path)
            else:
                yield path, value

    def _place(self, path: Path, value: Any, *, source: str, directory: FilePath) -> None:
        named = self._of_file(path)
        if matching(self.tree, path) is not None or (value == {} and below(self.tree, path)):
            self.gathered.values[path] = Setting(value, source)
        elif named is not None:
            self._set_from_file(named, value, source=source, directory=directory)
        elif below(self.tree, path):
            self._problem(f"{dotted(path)} in {source} must be a table")
        else:
            self._unknown(f"{dotted(path)} in {source}", path, spelled=dotted)

    def _of_file(self, path: Path) -> Path | None:
        """The setting that ``<setting>_file`` stands for."""
        bare = (*path[:-1], path[-1].removesuffix(_FILE))
        known = bare != path and matching(self.tree, bare) is not None
        return bare if known else None

    def _set_text(self, leaf: Leaf, path: Path, text: str, *, source: str) -> None:
        value: Any = text
        if leaf.is_container and text.lstrip().startswith(("[", "{")):
            value = self._json(text, source=source)
        self.gathered.values[path] = Setting(value, source)

    def _set_table(self, path: Path, text: str, *, source: str) -> None:
        table = self._json(text, source=source)
        if not _is_table(table):
            self._problem(f"{source} must be a JSON table")
            return
        for inner, value in self._walk(table, path):
            self._place(inner, value, source=source, directory=FilePath())

    def _set_from_file(self, path: Path, names: Any, *, source: str, directory: FilePath) -> None:
        listed: list[Any] = [names] if isinstance(names, str) else names
        if not isinstance(names, str | list) or not all(isinstance(name, str) for name in listed):
            self._problem(f"{source} must name a file")
            return
        texts = [self._text_of(directory / name, source=source) for name in listed]
        if None in texts:
            return
        self.gathered.values[path] = Setting(texts[0] if len(texts) == 1 else texts, source)

    def _text_of(self, path: FilePath, *, source: str) -> str | None:
        try:
            return self.read_file(path).strip()
        except Unreadable as error:
            self._problem(f"{source} names {path}, which {error}")
            return None

    def _json(self, text: str, *, source: str) -> Any:
        try:
            return json.loads(text)
        except ValueError:
            self._problem(f"{source} is not valid JSON")
            return text

    def _unknown(self, name: str, path: Path, *, spelled: Callable[[Path], str]) -> None:
        meant = closest(self.tree, path)
        hint = "" if meant is None else f"; did you mean {spelled(meant)}?"
        self._problem(f"{name} is not a setting{hint}")

    def _problem(self, sentence: str) -> None:
        self.gathered.problems.append(sentence)


def _is_table(value: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _is_injected(name: str, value: str) -> bool:
    """Whether Kubernetes made the variable for a service whose name begins with authsvc."""
    if not _KUBERNETES.fullmatch(name):
        return False
    plain_port = name.endswith("_PORT") and not name.endswith("_SERVICE_PORT")
    return name == "AUTHSVC_PORT" or not plain_port or bool(_ADDRESS_OF_A_SERVICE.match(value))
