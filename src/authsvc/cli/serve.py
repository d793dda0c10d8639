"""``authsvc serve``: the service, for production."""

from collections.abc import Sequence
from typing import Annotated

import typer

from authsvc.cli.running import needs_database, run_app, settings
from authsvc.cli.serving import bind, process
from authsvc.cli.supervisor import supervise
from authsvc.platform.db.migrate import upgrade
from authsvc.platform.secrets.building import SettingsError
from authsvc.settings import Env, Settings, unsafe

app = typer.Typer(add_completion=False, rich_markup_mode=None, help="Start the service.")


def run(arguments: Sequence[str]) -> int:
    """Run the command."""
    return run_app(app, arguments, name="serve")


@app.command()
def serve(
    migrate: Annotated[
        bool, typer.Option("--migrate/--no-migrate", help="bring the tables up to date first")
    ] = True,
) -> None:
    """Start the service with the settings of authsvc.toml and the environment."""
    found = settings()
    refuse_unsafe(found, command="serve")
    if found.env is Env.DEV:
        raise SettingsError("env is dev: use `authsvc dev`, or set AUTHSVC_ENV=production")
    with (
        bind("listen", found.listen.host, found.listen.port) as public,
        bind("management", found.management.host, found.management.port) as management,
    ):
        if migrate:
            with needs_database():
                upgrade(found.database_url.get_secret_value(), tell=_tell)
        if found.workers == 1:
            process(public, management)
        else:
            supervise(found.workers, public, management)


def _tell(sentence: str) -> None:
    typer.echo(f"authsvc serve: {sentence}", err=True)


def refuse_unsafe(found: Settings, *, command: str) -> None:
    """Raise SettingsError with the reasons not to start."""
    reasons = unsafe(found, command=command)
    if reasons:
        raise SettingsError(*reasons)
