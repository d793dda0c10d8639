"""``authsvc users``: support without SQL."""

from collections.abc import Awaitable, Sequence
from typing import Annotated, TypeVar

import typer

from authsvc.cli import output
from authsvc.cli.output import when
from authsvc.cli.running import Failure, run_app
from authsvc.cli.working import BY, with_services
from authsvc.kernel.errors import Code, Refusal

app = typer.Typer(add_completion=False, rich_markup_mode=None, help="Find and support people.")
Result = TypeVar("Result")
Who = Annotated[str, typer.Argument(help="mail address or id")]
Json = Annotated[bool, typer.Option("--json", help="for scripts")]


def run(arguments: Sequence[str]) -> int:
    """Run the group."""
    return run_app(app, arguments, name="users")


async def _known(work: Awaitable[Result], who: str) -> Result:
    try:
        return await work
    except Refusal as refusal:
        if refusal.code is Code.NOT_FOUND:
            raise Failure(f"nobody is known as {who!r}; `authsvc users find` searches") from None
        raise


@app.command()
def find(
    text: Annotated[str, typer.Argument(help="part of an address or name")] = "",
    as_json: Json = False,
) -> None:
    """Up to 50 people, newest first."""
    found = with_services(lambda services: services.people.search(text))
    names = ("id", "email", "name", "status", "roles")
    rows = [
        (one.id, one.email, one.name or "-", one.status.value, " ".join(one.roles) or "-")
        for one in found
    ]
    if as_json:
        output.as_json([dict(zip(names, row, strict=True)) for row in rows])
    elif rows:
        output.table([name.upper() for name in names], rows)
    else:
        typer.echo("Nobody found.")


@app.command()
def show(who: Who) -> None:
    """One person and where they are signed in."""
    found = with_services(lambda services: _known(services.people.show(who), who))
    account = found.account
    output.facts(
        [
            ("id", account.id),
            ("email", account.email),
            ("name", account.name or "-"),
            ("status", account.status.value),
            ("roles", " ".join(account.roles) or "-"),
            ("language", account.locale or "-"),
        ]
    )
    rows = [
        (one.id, one.browser or "-", one.os or "-", one.masked_address, when(one.last_seen_at))
        for one in found.sessions
    ]
    typer.echo("")
    if rows:
        output.table(("SESSION", "BROWSER", "SYSTEM", "ADDRESS", "LAST SEEN (UTC)"), rows)
    else:
        typer.echo("Not signed in anywhere.")


@app.command()
def invite(
    address: Annotated[str, typer.Argument(help="mail address")],
    locale: Annotated[str, typer.Option(help="language of the message")] = "en",
) -> None:
    """Send an invitation; an older one to the same address is void."""
    try:
        sent_to = with_services(
            lambda services: services.people.invite(address, locale=locale, by=BY)
        )
    except Refusal as refusal:
        if refusal.code is Code.VALIDATION_FAILED:
            raise Failure(f"{address!r} is no mail address that can be used") from refusal
        raise
    typer.echo(f"The invitation to {sent_to} is in the outbox; the service sends it.")


@app.command()
def role(
    who: Who,
    name: Annotated[str, typer.Argument(help="the role, e.g. support; admin is built in")],
    remove: Annotated[bool, typer.Option("--remove", help="take the role away")] = False,
) -> None:
    """Give a role, or take it away."""
    if not name.isascii() or not name.replace("-", "").replace("_", "").isalnum() or len(name) > 32:
        raise Failure("a role is up to 32 ASCII letters, digits, - and _")
    roles = with_services(
        lambda services: _known(services.people.change_role(who, name, give=not remove, by=BY), who)
    )
    typer.echo(f"Roles now: {' '.join(roles) or 'none'}.")


@app.command()
def revoke(who: Who) -> None:
    """End all sessions of a person."""
    count = with_services(lambda services: _known(services.people.revoke(who, by=BY), who))
    typer.echo(f"{count} session{'' if count == 1 else 's'} ended.")
