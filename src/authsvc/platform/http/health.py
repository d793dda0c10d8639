"""Health checks and metrics: one for the public port, four for the private one.

Spec: api.md §13, experience.md §9.4.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from authsvc.platform.http.door import Level, door

# Text and media type for an Accept header.
Metrics = Callable[[str], Awaitable[tuple[bytes, str]]]
NO_STORE = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class Readiness:
    """Each check by name, true if it passed, and sentences about what needs looking after."""

    checks: Mapping[str, bool]
    warnings: tuple[str, ...] = ()

    @property
    def is_ready(self) -> bool:
        """Whether every check passed."""
        return all(self.checks.values())


async def livez(_: Request) -> Response:
    """Answers while the process can; looks at nothing else."""
    return PlainTextResponse("ok", headers=NO_STORE)


def router() -> APIRouter:
    """``/livez`` for the public port."""
    routes = APIRouter()
    described = door(Level.PUBLIC)
    routes.add_api_route("/livez", livez, response_class=PlainTextResponse, **described)
    return routes


def management_app(
    *,
    started: Callable[[], bool],
    readiness: Callable[[], Awaitable[Readiness]],
    metrics: Metrics,
) -> Starlette:
    """The private port's application: ``/livez``, ``/startupz``, ``/readyz``, ``/metrics``.

    ``started``: migrated and keys loaded. ``readiness`` must come to an end by itself.
    """

    async def startupz(_: Request) -> Response:
        return _answer(started(), {})

    async def readyz(_: Request) -> Response:
        found = await readiness()
        checks = {name: "ok" if passed else "failed" for name, passed in found.checks.items()}
        return _answer(found.is_ready, {"checks": checks, "warnings": list(found.warnings)})

    return Starlette(
        routes=[
            Route("/livez", livez),
            Route("/startupz", startupz),
            Route("/readyz", readyz),
            Route("/metrics", metrics_page(metrics)),
        ]
    )


def metrics_page(metrics: Metrics) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint that Prometheus reads."""

    async def page(request: Request) -> Response:
        text, media_type = await metrics(request.headers.get("accept", ""))
        return Response(text, headers=NO_STORE | {"Content-Type": media_type})

    return page


def _answer(is_good: bool, more: dict[str, object]) -> Response:
    status = {"status": "ok" if is_good else "unavailable"}
    return JSONResponse(status | more, status_code=200 if is_good else 503, headers=NO_STORE)
