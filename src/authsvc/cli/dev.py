"""``authsvc dev``: everything on this machine, with a mailbox, demo people and a clock."""

import json
import os
import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
import uvicorn
from fastapi import APIRouter, FastAPI

from authsvc.app import create_app, guard_of
from authsvc.bootstrap.services import Services, build
from authsvc.cli.gauges import Gauges
from authsvc.cli.running import needs_database, run_app
from authsvc.cli.serve import refuse_unsafe
from authsvc.cli.serving import bind, knobs
from authsvc.dev.mailbox import Mailbox
from authsvc.dev.people import fixed_code
from authsvc.dev.playground import Playground
from authsvc.dev.routes import router
from authsvc.kernel.clock import ShiftedClock
from authsvc.platform import telemetry
from authsvc.platform.db.migrate import upgrade
from authsvc.platform.http.door import Level, door
from authsvc.platform.http.health import metrics_page
from authsvc.platform.secrets.building import SettingsError
from authsvc.platform.secrets.building import build as build_settings
from authsvc.platform.secrets.sources import CONFIG_VARIABLE, Setting, Toml, gather
from authsvc.settings import Settings, find_toml
from authsvc.ui.routes import Shell, load_assets

app = typer.Typer(add_completion=False, rich_markup_mode=None, help="Start for development.")

DATABASE, SECRET = "authsvc.sqlite3", "secret.key"
CLIENTS = {
    "AUTHSVC_CLIENTS": json.dumps(
        {
            "web": {
                "origins": ["http://localhost:5173"],
                "return_to": ["http://localhost:5173/"],
                "audiences": ["orders-api"],
                "account_api": True,
            },
            "cli": {"native": True, "audiences": ["orders-api"], "account_api": True},
        }
    )
}


def run(arguments: Sequence[str]) -> int:
    """Run the command."""
    return run_app(app, arguments, name="dev")


@app.command()
def dev(
    port: Annotated[int, typer.Option(help="port on localhost")] = 8000,
    data: Annotated[Path, typer.Option(help="where database and secret are kept")] = Path(
        "var/dev"
    ),
    reset: Annotated[bool, typer.Option("--reset", help="begin with nothing")] = False,
) -> None:
    """Start everything: SQLite, an in-process store, a mailbox page and people to sign in as."""
    found = dev_settings(os.environ, port=port, data=data, reset=reset)
    refuse_unsafe(found, command="dev")
    with bind("--port", found.listen.host, port) as public:
        with needs_database():
            upgrade(found.database_url.get_secret_value())
        telemetry.set_up(dev=True, level="warning")
        clock = ShiftedClock()
        mailbox = Mailbox(clock, tell=lambda line: typer.echo(f"\n✉  {line}"))
        services = build(found, clock=clock, mailer=mailbox, fixed_code=fixed_code)
        typer.echo(_welcome(found))
        application = dev_app(services, clock=clock, mailbox=mailbox)
        uvicorn.Server(knobs(application, grace=2)).run(sockets=[public])


def dev_settings(
    environ: Mapping[str, str], *, port: int, data: Path, reset: bool = False
) -> Settings:
    """The settings of dev mode: file and environment over defaults for this machine.

    The secret is made and kept in ``data``; ``reset`` forgets it and the database first.

    Raises SettingsError where something asks for production.
    """
    chosen = gather(Settings, environ, toml=_named_toml(environ))
    env = chosen.values.setdefault(("env",), Setting("dev", "authsvc dev"))
    if env.value != "dev":
        name = "AUTHSVC_ENV" if env.source == "AUTHSVC_ENV" else f"env in {env.source}"
        raise SettingsError(f"{name} is not dev: dev mode has fixed codes and never runs there")
    data.mkdir(parents=True, exist_ok=True)
    if reset:
        _forget(data)
    defaults = gather(
        Settings,
        {
            "AUTHSVC_PUBLIC_URL": f"http://localhost:{port}",
            "AUTHSVC_DATABASE_URL": f"sqlite:///{(data / DATABASE).absolute()}",
            "AUTHSVC_SECRET_KEY": _kept_secret(data / SECRET),
            "AUTHSVC_APP_NAME": "Acme",
            **({} if any(path[0] == "clients" for path in chosen.values) else CLIENTS),
        },
    )
    for path, setting in defaults.values.items():
        chosen.values.setdefault(path, setting)
    return build_settings(Settings, chosen)


def _named_toml(environ: Mapping[str, str]) -> Toml | None:
    # A settings file that merely lies here belongs to another installation.
    return find_toml(environ) if CONFIG_VARIABLE in environ else None


def _forget(data: Path) -> None:
    """Remove our own files only: the directory may be one that holds more."""
    for old in (*data.glob(f"{DATABASE}*"), data / SECRET):
        old.unlink(missing_ok=True)


def _kept_secret(path: Path) -> str:
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(48))
    return path.read_text().strip()


def dev_app(services: Services, *, clock: ShiftedClock, mailbox: Mailbox) -> FastAPI:
    """The shipped application with dev mode's doors beside it."""
    playground = Playground(
        uow=services.ground.uow,
        accounts=services.rooms.accounts,
        sessions=services.rooms.sessions,
        people=services.people,
        minter=services.rooms.minter,
        ring=services.ground.ring,
        clock=clock,
        mailbox=mailbox,
        audiences=_audiences(services.ground.settings),
        stores=(services.ground.store, services.rooms.guard.local),
    )
    shell = Shell(load_assets()["index.html"])
    application = create_app(
        services,
        extra=[router(guard_of(services), shell=shell), _metrics(services)],
        more={Mailbox: mailbox, Playground: playground},
    )
    started = application.router.lifespan_context

    @asynccontextmanager
    async def seeded(one: FastAPI) -> AsyncGenerator[Any]:
        async with started(one) as state:
            await playground.seed()
            yield state

    application.router.lifespan_context = seeded
    return application


def _metrics(services: Services) -> APIRouter:
    """``/metrics`` on the one port that dev mode has."""
    routes = APIRouter()
    page = metrics_page(Gauges(services).metrics)
    routes.add_api_route("/metrics", page, include_in_schema=False, **door(Level.PUBLIC))
    return routes


def _audiences(settings: Settings) -> tuple[str, ...]:
    """Every API that a client calls, in the order of the settings."""
    named = [name for client in settings.clients.values() for name in client.audiences]
    return tuple(dict.fromkeys(named))


def _welcome(found: Settings) -> str:
    url = found.public_url
    links = (
        ("Sign in", f"{url}/ui/sign-in"),
        ("Mailbox", f"{url}/dev/mailbox"),
        ("Dev page", f"{url}/dev"),
        ("API", f"{url}/v1/docs"),
    )
    lines = [f"  {name:<9} {link}" for name, link in links]
    head = "authsvc dev: nothing here is safe for production. Ctrl-C stops it."
    people = "  People    ann, bob, cy, root @example.test (code 000000)"
    return "\n".join(["", head, "", *lines, "", people, ""])
