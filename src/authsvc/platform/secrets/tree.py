"""Which settings a model has, and what each is called in the file and in the environment."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Any, TypeGuard, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

Path = tuple[str, ...]
PREFIX = "AUTHSVC_"
ANY = "*"  # a name of the operator's choice, such as a client's id
_CONTAINERS = (list, tuple, dict, set, frozenset)


@dataclass(frozen=True, slots=True)
class Leaf:
    """One setting: where it is in the tree, and its field with type, default and description."""

    path: Path
    attributes: Path  # the same way in Python's names
    field: FieldInfo

    @property
    def is_container(self) -> bool:
        """Whether it holds a list or a table, written as JSON in a variable."""
        return any(get_origin(kind) in _CONTAINERS for kind in _alternatives(self.field.annotation))

    @property
    def is_secret(self) -> bool:
        """Whether its value must never be shown."""
        return SecretStr in _mentioned(self.field.annotation)


def leaves(model: type[BaseModel], at: Path = (), by: Path = ()) -> tuple[Leaf, ...]:
    """Every setting of a tree of models, in the order in which they are declared."""
    found: list[Leaf] = []
    for attribute, field in model.model_fields.items():
        path, way = (*at, field.alias or attribute), (*by, attribute)
        kind = field.annotation
        inner = _table_of(kind)
        if inner is not None:
            found += leaves(inner, (*path, ANY), (*way, ANY))
        elif _is_model(kind):
            found += leaves(kind, path, way)
        else:
            found.append(Leaf(path, way, field))
    return tuple(found)


def variable(path: Path) -> str:
    """The environment variable of a setting."""
    return PREFIX + "__".join(part.upper() for part in path)


def dotted(path: Path) -> str:
    """The setting's name as documentation writes it: ``mail.smtp_url``."""
    return ".".join(path)


def matching(tree: Iterable[Leaf], path: Path) -> Leaf | None:
    """The setting at a path; a chosen name stands where the tree says ANY."""
    return next((leaf for leaf in tree if _fits(leaf.path, path)), None)


def below(tree: Iterable[Leaf], path: Path) -> bool:
    """Whether the path is a table that holds settings."""
    return any(len(leaf.path) > len(path) and _fits(leaf.path[: len(path)], path) for leaf in tree)


def closest(tree: Sequence[Leaf], path: Path) -> Path | None:
    """The setting that was probably meant, for "did you mean"."""
    wanted = dotted(path)
    known: dict[str, Path] = {}
    for leaf in tree:
        chosen = [
            path[at] if part == ANY and at < len(path) else part
            for at, part in enumerate(leaf.path)
        ]
        known[".".join(chosen)] = tuple(chosen)
    # A single underscore where two belong is the commonest slip.
    flat = {name.replace(".", "_"): name for name in known}
    exact = flat.get(wanted.replace(".", "_"))
    if exact is not None:
        return known[exact]
    similar = difflib.get_close_matches(wanted, known, n=1, cutoff=0.75)
    return known[similar[0]] if similar else None


def _fits(pattern: Path, path: Path) -> bool:
    return len(pattern) == len(path) and all(
        wanted in (ANY, part) for wanted, part in zip(pattern, path, strict=True)
    )


def _is_model(kind: Any) -> TypeGuard[type[BaseModel]]:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _table_of(kind: Any) -> type[BaseModel] | None:
    """The model of a table of tables, such as ``dict[str, ClientSettings]``."""
    if get_origin(kind) is not dict:
        return None
    inner = get_args(kind)[1]
    return inner if _is_model(inner) else None


def _alternatives(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)


def _mentioned(kind: Any) -> set[Any]:
    return {kind}.union(*(_mentioned(part) for part in get_args(kind)))
