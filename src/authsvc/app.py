"""The application: routers, problem handlers, the edge, and the loops beside them."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI

from authsvc.abuse import clientip
from authsvc.abuse.service import Addresses
from authsvc.account.routes import router as account_router
from authsvc.account.service import OwnAccount
from authsvc.bootstrap.services import Services, build
from authsvc.kernel.caller import Caller
from authsvc.machine.routes import router as machine_router
from authsvc.platform.http.edge import EdgeRules
from authsvc.platform.http.health import router as health_router
from authsvc.platform.http.install import install_http, problem_schema
from authsvc.platform.http.problems import Problems
from authsvc.platform.http.screening import Network, Screening
from authsvc.platform.http.useragent import warm
from authsvc.settings import Settings
from authsvc.signin.limits import limit_of
from authsvc.signin.routes import SignInDesk
from authsvc.signin.routes import router as sign_in_router
from authsvc.signin.session_routes import SessionDesk
from authsvc.signin.session_routes import router as session_router
from authsvc.tokens.guards import own_verifier
from authsvc.ui.routes import Shell, load_assets
from authsvc.ui.routes import router as ui_router
from authsvc.verify.fastapi import Verifier
from authsvc.worker import reloader_of, worker_of

TITLE = "authsvc"


def create_app(
    services: Services, *, extra: Sequence[APIRouter] = (), more: dict[type, Any] | None = None
) -> FastAPI:
    """The shipped application over built services; ``extra`` is dev mode's routes and services.

    Starting it makes sure of a signing key and runs the loops; the worker loop too, unless one
    runs apart (``worker.apart``).
    """
    dev = services.ground.dev
    app = FastAPI(
        title=TITLE,
        version="1",
        openapi_url="/v1/openapi.json",
        docs_url="/v1/docs" if dev else None,
        redoc_url=None,
        lifespan=_lifespan(services),
        swagger_ui_oauth2_redirect_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.services = _by_type(services) | (more or {})
    auth = guard_of(services)
    assets = load_assets(dev=dev)
    for routes in (
        session_router(auth),
        sign_in_router(),
        account_router(auth),
        _machine(services),
        health_router(),
        *extra,
        ui_router(assets, Shell(assets["index.html"])),
    ):
        app.include_router(routes)
    # The hottest route goes straight to its endpoint.
    straight = {("POST", "/v1/session/resume"): services.resume}
    install_http(app, edge_rules(services), straight=straight)
    _describe(app)
    return app


def openapi_app() -> FastAPI:
    """The production application for reading its description; it connects to nothing."""
    settings = Settings.model_validate(
        {
            "public_url": "https://auth.example.com",
            "database_url": "sqlite:///openapi.sqlite3",
            "secret_key": secrets.token_urlsafe(48),
        }
    )
    return create_app(build(settings))


def guard_of(services: Services) -> Verifier:
    """The verifier that guards the service's own routes."""
    ground = services.ground
    return own_verifier(
        services.signing,
        issuer=ground.settings.public_url,
        settings=ground.settings.tokens,
        clock=ground.clock,
    )


def _machine(services: Services) -> APIRouter:
    settings = services.ground.settings
    return machine_router(
        services.signing,
        issuer=settings.public_url,
        alg=settings.signing.alg,
        security_contact=settings.security_contact,
        clock=services.ground.clock,
    )


def _by_type(services: Services) -> dict[type, Any]:
    return {
        SignInDesk: services.sign_in,
        SessionDesk: services.sessions,
        OwnAccount: services.own_account,
    }


def edge_rules(services: Services) -> EdgeRules:
    """What the edge enforces."""
    ground, settings = services.ground, services.ground.settings
    clients, guard, catalogue = services.rooms.clients, services.rooms.guard, ground.catalogue

    addresses = Addresses(settings.proxy.trusted)

    def negotiate(accept_language: str | None) -> str:
        return catalogue.negotiate(accept_language=accept_language)

    async def admit(method: str, path: str, caller: Caller) -> None:
        await guard.admit(limit_of(method, path), caller.address)

    return EdgeRules(
        screening=Screening(
            public_url=settings.public_url,
            local=settings.is_local,
            max_headers=settings.http.max_headers,
            network=Network(addresses.of, clientip.network_of, clientip.masked),
            negotiate=negotiate,
        ),
        problems=Problems(catalogue, settings.public_url),
        allows_origin=clients.is_allowed_origin,
        admit=admit,
        max_body=settings.http.max_body,
        json_depth=settings.http.json_depth,
        deadline=settings.http.deadline,
        secure=settings.is_secure,
        dev=ground.dev,
        meter=ground.meter,
    )


def _lifespan(services: Services) -> Any:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        warm()
        async with AsyncExitStack() as closing:
            closing.push_async_callback(services.stop)
            await services.start()
            loops = [reloader_of(services)]
            if not services.ground.settings.worker_apart:
                loops.append(worker_of(services))
            tasks = [asyncio.create_task(loop.run()) for loop in loops]
            closing.push_async_callback(_cancel, tasks)
            yield

    return lifespan


async def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _describe(app: FastAPI) -> None:
    """Add the problem schema, and leave out the framework's own 422 shape."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = plain()
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas["Problem"] = problem_schema()
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi
