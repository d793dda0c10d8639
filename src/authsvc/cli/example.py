"""A settings file to start from, written from the settings themselves. Pure."""

import json
from collections.abc import Mapping
from enum import Enum
from itertools import groupby
from typing import Any

from pydantic import BaseModel

from authsvc.platform.secrets.tree import ANY, Leaf, Path, leaves

_HEAD = """\
# authsvc settings. A line that begins with "#" shows a default; uncomment it to change it.
# Each can be set as AUTHSVC_<SECTION>__<KEY> instead, secrets also with _FILE at the end.
"""
_SAMPLES: Mapping[Path, object] = {
    ("public_url",): "https://auth.example.com",
    ("database_url",): "postgresql+asyncpg://authsvc@db/authsvc",
    ("clients", ANY, "origins"): ["https://app.example.com"],
    ("clients", ANY, "return_to"): ["https://app.example.com/"],
    ("clients", ANY, "audiences"): ["orders-api"],
    ("clients", ANY, "account_api"): True,
    ("mail", "smtp_url"): "smtps://user@mail.example.com:465",
    ("mail", "from"): "Acme <no-reply@example.com>",
}
_HINTS: Mapping[Path, object] = {
    ("redis_url",): "redis://redis:6379/0",
    ("security_contact",): "mailto:security@example.com",
}
_SECRET_FILE = 'secret_key_file = "secrets/authsvc.key"'


def example(model: type[BaseModel]) -> str:
    """The file's text; it loads as it is once its secret file exists."""
    sections = [
        (section, list(members))
        for section, members in groupby(leaves(model), key=lambda leaf: leaf.path[:-1])
    ]
    lines = [_HEAD]
    # Dotted keys go first: below a table's head they would belong to that table.
    for section, members in sections:
        if not section or _is_single(section, members):
            lines += [_line(leaf, name=".".join(leaf.path)) for leaf in members]
    for section, members in sections:
        if section and not _is_single(section, members):
            lines.append(f"\n[{'.'.join('web' if part == ANY else part for part in section)}]\n")
            lines += [_line(leaf, name=leaf.path[-1]) for leaf in members]
    return "".join(lines)


def _is_single(section: Path, members: list[Leaf]) -> bool:
    return len(members) == 1 and ANY not in section


def _line(leaf: Leaf, *, name: str) -> str:
    note = leaf.field.description or ""
    if leaf.path == ("secret_key",):
        return f"{_SECRET_FILE}  # {note}\n"
    if leaf.path in _SAMPLES:
        return f"{name} = {_toml(_SAMPLES[leaf.path])}  # {note}\n"
    default: Any = _HINTS.get(leaf.path, leaf.field.get_default(call_default_factory=True))
    return f"#{name} = {_toml(default)}  # {note}\n"


def _toml(value: Any) -> str:
    match value:
        case None:
            return '""'
        case Enum():
            return _toml(value.value)
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case list() | tuple() | set() | frozenset():
            return f"[{', '.join(_toml(item) for item in value)}]"  # pyright: ignore[reportUnknownVariableType]
        case _:
            return json.dumps(str(value), ensure_ascii=False)
