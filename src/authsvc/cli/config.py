"""``authsvc config``: check, print and explain the settings."""

import json
import os
from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import urlsplit, urlunsplit

import typer
from pydantic import BaseModel, SecretStr

from authsvc.cli import output
from authsvc.cli.example import example
from authsvc.cli.running import WRONG, run_app
from authsvc.platform.secrets.building import SettingsError, build
from authsvc.platform.secrets.sources import gather
from authsvc.platform.secrets.tree import ANY, Leaf, Path, dotted, leaves
from authsvc.settings import Settings, find_toml, unsafe

app = typer.Typer(add_completion=False, rich_markup_mode=None, help="Settings.")


def run(arguments: Sequence[str]) -> int:
    """Run the group."""
    return run_app(app, arguments, name="config")


@app.command()
def check() -> None:
    """Say whether the service would start with these settings, and every reason why not."""
    try:
        settings = build(Settings, gather(Settings, os.environ, toml=find_toml(os.environ)))
    except SettingsError as error:
        problems = list(error.problems)
    else:
        problems = unsafe(settings, command="serve")
    for problem in problems:
        typer.echo(problem, err=True)
    if problems:
        raise typer.Exit(WRONG)
    typer.echo("The settings are in order.")


@app.command("print")
def print_settings(
    as_json: Annotated[bool, typer.Option("--json", help="for scripts")] = False,
) -> None:
    """Every setting in force: its value, with secrets masked, and where it was set."""
    gathered = gather(Settings, os.environ, toml=find_toml(os.environ))
    rows: list[tuple[str, str, str]] = []
    for leaf, path, value in _in_force(build(Settings, gathered)):
        setting = gathered.values.get(path)
        source = "default" if setting is None else setting.source
        rows.append((dotted(path), _shown(leaf, value), source))
    if as_json:
        output.as_json([dict(zip(("setting", "value", "source"), r, strict=True)) for r in rows])
    else:
        output.table(("SETTING", "VALUE", "SOURCE"), rows)


@app.command("example")
def print_example() -> None:
    """A settings file with every setting, its default and what it does."""
    typer.echo(example(Settings), nl=False)


@app.command()
def schema() -> None:
    """The settings as a JSON Schema, for editors."""
    output.as_json(Settings.model_json_schema())


def _in_force(settings: Settings) -> list[tuple[Leaf, Path, Any]]:
    found: list[tuple[Leaf, Path, Any]] = []
    for leaf in leaves(Settings):
        way = list(zip(leaf.path, leaf.attributes, strict=True))
        found += [(leaf, path, value) for path, value in _values(settings, way, ())]
    return found


def _values(node: Any, way: list[tuple[str, str]], at: Path) -> list[tuple[Path, Any]]:
    if not way:
        return [(at, node)]
    (name, attribute), rest = way[0], way[1:]
    if name == ANY:
        return [pair for key, inner in node.items() for pair in _values(inner, rest, (*at, key))]
    return _values(getattr(node, attribute), rest, (*at, name))


def _shown(leaf: Leaf, value: Any) -> str:
    if value is None:
        return "-"
    if leaf.is_secret:
        return ", ".join(map(_masked, value)) if isinstance(value, tuple) else _masked(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return _plain(value)


def _masked(secret: SecretStr) -> str:
    """A URL without its user, password and query; anything else as stars."""
    text = secret.get_secret_value()
    parts = urlsplit(text)
    if not parts.scheme or "://" not in text:
        return "***"
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _plain(value: Any) -> str:
    if isinstance(value, BaseModel):
        return value.model_dump_json()
    if isinstance(value, list | tuple | set | frozenset):
        return json.dumps([str(item) for item in value], ensure_ascii=False)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return str(value).lower() if isinstance(value, bool) else str(value)
