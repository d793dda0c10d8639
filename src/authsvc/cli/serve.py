"""``authsvc serve``: the service, for production."""

from collections.abc import Sequence
from typing import Annotated

import typer
import uvicorn

from authsvc.cli.running import Failure, run_app, settings
from authsvc.platform.db.migrate import upgrade
from authsvc.settings import Env, Settings, unsafe

app = typer.Typer(add_completion=False, rich_markup_mode=None, help="Start the service.")
GRACE = 20  # seconds that requests may finish in after SIGTERM


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
        raise Failure("env is dev: use `authsvc dev`, or set AUTHSVC_ENV=production")
    if migrate:
        upgrade(found.database_url.get_secret_value())
    uvicorn.run(
        "authsvc.app:from_environment",
        factory=True,
        host=found.listen.host,
        port=found.listen.port,
        workers=found.workers,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        log_config=None,
        timeout_graceful_shutdown=GRACE,
        h11_max_incomplete_event_size=found.http.max_headers,
    )


def refuse_unsafe(found: Settings, *, command: str) -> None:
    """Raise Failure with the first reason not to start."""
    reasons = unsafe(found, command=command)
    if reasons:
        raise Failure(reasons[0])
