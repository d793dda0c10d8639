"""What commands print: aligned tables and JSON for people and scripts."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import typer

from authsvc.kernel.wire import timestamp


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows in aligned columns under a head."""
    lines = [list(head), *(list(row) for row in rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(head))]
    for line in lines:
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        typer.echo("  ".join(cells).rstrip())


def facts(pairs: Sequence[tuple[str, str]]) -> None:
    """Print names and values in two aligned columns."""
    width = max(len(name) for name, _ in pairs)
    for name, value in pairs:
        typer.echo(f"{name.ljust(width)}  {value}".rstrip())


def as_json(value: Any) -> None:
    """Print a value as JSON for scripts."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def when(instant: datetime | None) -> str:
    """An instant for people: ``2026-11-24 09:20``, in UTC; a dash for none."""
    return "-" if instant is None else f"{instant:%Y-%m-%d %H:%M}"


def plain(value: str | datetime | None) -> str | None:
    """A value as JSON has it: instants as RFC 3339."""
    return timestamp(value) if isinstance(value, datetime) else value
