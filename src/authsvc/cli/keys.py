"""``authsvc keys``: the signing keys."""

from collections.abc import Sequence
from typing import Annotated

import typer

from authsvc.cli import output
from authsvc.cli.output import when
from authsvc.cli.running import run_app
from authsvc.cli.working import with_services
from authsvc.keys.lifecycle import State

app = typer.Typer(add_completion=False, rich_markup_mode=None, help="The signing keys.")


def run(arguments: Sequence[str]) -> int:
    """Run the group."""
    return run_app(app, arguments, name="keys")


@app.command("list")
def list_keys(
    as_json: Annotated[bool, typer.Option("--json", help="for scripts")] = False,
) -> None:
    """Every published key with its dates (UTC)."""
    keys = with_services(lambda services: services.keys.list())
    names = ("kid", "alg", "state", "published", "signs_from", "retired", "removed")
    rows = [
        (
            key.kid,
            key.alg.value,
            key.state.value,
            key.published_at,
            key.activated_at or key.activate_at,
            key.retired_at,
            key.remove_at,
        )
        for key in keys
    ]
    if as_json:
        output.as_json([dict(zip(names, map(output.plain, row), strict=True)) for row in rows])
    elif rows:
        head = [name.upper().replace("_", " ") for name in names]
        output.table(head, [(*row[:3], *map(when, row[3:])) for row in rows])
    else:
        typer.echo("There is no key yet; the service makes one when it starts.")


@app.command()
def rotate(
    emergency: Annotated[
        bool,
        typer.Option("--emergency", help="a key made now signs in a minute; the old ones go soon"),
    ] = False,
) -> None:
    """Let the next key take over as soon as verifiers know it."""
    key = with_services(lambda services: services.keys.rotate(emergency=emergency))
    if emergency:
        typer.echo(f"{key.kid} signs within 90 seconds.")
    elif key.state is State.ACTIVE:
        typer.echo(f"{key.kid} signs now.")
    else:
        typer.echo(f"{key.kid} takes over at {when(key.activate_at)} UTC, when it is known widely.")
