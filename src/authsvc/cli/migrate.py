"""``authsvc migrate``: show or bring up to date the database's tables."""

from collections.abc import Sequence

import typer

from authsvc.cli import output
from authsvc.cli.running import FAILED, needs_database, run_app, settings
from authsvc.platform.db import migrate

app = typer.Typer(add_completion=False, rich_markup_mode=None, help="The database's tables.")


def run(arguments: Sequence[str]) -> int:
    """Run the group."""
    return run_app(app, arguments, name="migrate")


@app.command()
def status() -> None:
    """Where the tables stand; exit status 1 while migrations are waiting."""
    with needs_database():
        found = migrate.status(_url())
    output.facts(
        [
            ("current", found.current or "no tables yet"),
            ("newest", found.head or "-"),
            ("waiting", ", ".join(found.pending) or "nothing"),
        ]
    )
    if found.is_ahead:
        typer.echo(_ahead(found))
    if found.pending:
        raise typer.Exit(FAILED)


@app.command()
def up() -> None:
    """Bring the tables up to date, under a lock: several may be started at once."""
    with needs_database():
        for name in migrate.status(_url()).pending:
            typer.echo(f"→ {name}")
        found = migrate.upgrade(_url(), tell=typer.echo)
    typer.echo(_ahead(found) if found.is_ahead else "The tables are up to date.")


@app.command()
def sql() -> None:
    """Print the statements of the waiting migrations instead of running them."""
    with needs_database():
        typer.echo(migrate.sql(_url()))


def _ahead(found: migrate.Status) -> str:
    return (
        f"The tables are newer ({found.current}) than this version knows ({found.head});"
        " they are left as they are."
    )


def _url() -> str:
    return settings().database_url.get_secret_value()
