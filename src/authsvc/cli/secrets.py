"""``authsvc secrets``: the secret key list. Prints key ids and counts, never a secret."""

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from authsvc.admin.secrets import KeyUse, Progress
from authsvc.bootstrap.services import Services
from authsvc.cli import output
from authsvc.cli.output import when
from authsvc.cli.running import Failure, run_app
from authsvc.cli.working import with_services
from authsvc.platform.db.sealed import Need

app = typer.Typer(add_completion=False, rich_markup_mode=None, help="The secret key list.")


def run(arguments: Sequence[str]) -> int:
    """Run the group."""
    return run_app(app, arguments, name="secrets")


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="for scripts")] = False,
) -> None:
    """What each secret key is still needed for, and whether an old one can leave the list."""
    uses, settle = with_services(_uses)
    if as_json:
        output.as_json([_as_json(use) for use in uses])
        return
    columns = list(uses[0].sealed)
    head = ["KEY", "LIST", *columns, "sessions", "invitations"]
    rows = [
        [use.id, _place(use), *map(str, use.sealed.values()),
         _count(use.sessions), _count(use.invitations)]
        for use in uses
    ]  # fmt: skip
    output.table([name.upper() for name in head], rows)
    for use in uses[1:]:
        typer.echo(f"{use.id}: {_verdict(use, settle=settle)}")


@app.command()
def reseal() -> None:
    """Seal everything under the first key of the list, while the service runs.

    May be interrupted and run again.
    """
    done = with_services(lambda services: services.secrets.reseal(_tell))
    (first, *older), _ = with_services(_uses)
    typer.echo(f"{_counted(done.count, 'value')} sealed anew under {first.id}.")
    left = next((use for use in older[::-1] if use.sealed_values), None)
    if left is not None:
        raise Failure(_why_left(left, damaged=done.unopenable))
    if not done.count:
        typer.echo("There was nothing to do.")


async def _uses(services: Services) -> tuple[list[KeyUse], int]:
    """The keys, and for how many minutes sign-in codes made under one are good."""
    return await services.secrets.uses(), services.ground.settings.onetime.sign_in // 60


def _tell(progress: Progress) -> None:
    line = f"{progress.column}: {progress.done} of {progress.total}"
    if not progress.total:
        line = f"{progress.column}: nothing to do"
    if not sys.stdout.isatty():
        typer.echo(line)
        return
    begin = "\r" if progress.done else ""
    typer.echo(begin + line, nl=progress.done >= progress.total)


def _why_left(use: KeyUse, *, damaged: int) -> str:
    values = f"{_counted(use.sealed_values, 'value')} under {use.id}"
    if use.place is None:
        return f"{values} cannot be opened: put that key back on the list of secret_key"
    if damaged:
        return f"{values} cannot be opened: damaged, or moved to other rows"
    return f"{values} came meanwhile: start every process with the new key first, then run again"


def _verdict(use: KeyUse, *, settle: int) -> str:
    if use.place is None:
        lost = "what it signed has ended"
        return _why_left(use, damaged=0) if use.sealed_values else f"is not on the list: {lost}"
    if use.sealed_values:
        return "run `authsvc secrets reseal`"
    if use.needed_until is None:
        return f"can leave the list, {settle} minutes after it was last first in any process"
    needs = (("session", use.sessions), ("invitation", use.invitations))
    lost = " and ".join(_counted(need.count, name) for name, need in needs if need is not None)
    date = when(use.needed_until)
    return f"can leave the list at {date} UTC at the latest; today that would end {lost}"


def _counted(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"


def _place(use: KeyUse) -> str:
    if use.place is None:
        return "not on it"
    return "first" if use.place == 1 else str(use.place)


def _count(need: Need | None) -> str:
    return "0" if need is None else str(need.count)


def _as_json(use: KeyUse) -> dict[str, Any]:
    return {
        "key": use.id,
        "place": use.place,
        "sealed": dict(use.sealed),
        "sessions": 0 if use.sessions is None else use.sessions.count,
        "invitations": 0 if use.invitations is None else use.invitations.count,
        "needed_until": output.plain(use.needed_until),
    }
