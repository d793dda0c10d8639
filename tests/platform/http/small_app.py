"""A small application behind the real edge: every kind of route, and every way to fail."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route

from authsvc.abuse import clientip
from authsvc.kernel.caller import Caller
from authsvc.kernel.errors import Code, Refusal
from authsvc.platform.http.cookies import Cookies
from authsvc.platform.http.door import Level, door
from authsvc.platform.http.edge import EdgeRules
from authsvc.platform.http.health import router as health_router
from authsvc.platform.http.install import install_http, problem_schema
from authsvc.platform.http.problems import Problems
from authsvc.platform.http.provide import caller, service
from authsvc.platform.http.screening import Header, Network, Screening
from authsvc.platform.i18n.catalogue import Catalogue
from authsvc.platform.metrics import Meter

AUTH = "https://auth.example.com"
SPA = "https://app.example.com"
CATALOGUE = Catalogue.load()


class Note(BaseModel):
    """What the small application takes."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: str = Field(max_length=20)
    count: int = 1
    inner: dict[str, int] | None = None


@dataclass(slots=True)
class Seen:
    """What reached the handlers; also a service looked up by its type."""

    callers: list[Caller] = field(default_factory=list[Caller])
    cookies: list[str | None] = field(default_factory=list[str | None])
    cancelled: bool = False
    admitted: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    refuse: Refusal | None = None
    meter: Meter = field(default_factory=Meter)


def thin(request: Request) -> Response:
    """A bare route beside the framework's own."""
    if request.headers.get("authorization") == "Bearer stale":
        raise Refusal(Code.TOKEN_EXPIRED)
    return PlainTextResponse(caller(request).request_id)


def plain_routes() -> APIRouter:
    """Reads and writes under the real paths whose rules differ."""
    routes = APIRouter()

    @routes.get("/v1/things/{thing_id}", **door(Level.PUBLIC))
    async def read_thing(request: Request, thing_id: str) -> dict[str, str]:
        service(request, Seen).callers.append(caller(request))
        return {"thing": "found"}

    @routes.post("/v1/notes", **door(Level.ANON, Code.CODE_INCORRECT))
    async def write_note(request: Request, note: Note) -> dict[str, str]:
        seen = service(request, Seen)
        seen.callers.append(caller(request))
        seen.cookies.append(Cookies(secure=True).read(request.scope["headers"]).session)
        return {"text": note.text}

    @routes.get("/v1/notes", **door(Level.PUBLIC))
    async def list_notes(limit: Annotated[int, Query(le=5)] = 5) -> dict[str, int]:
        return {"limit": limit}

    @routes.patch("/v1/account", **door(Level.ACCESS))
    async def change_account(note: Note) -> dict[str, str]:
        return {"text": note.text}

    @routes.post("/v1/logout", status_code=204, **door(Level.COOKIE))
    async def sign_out() -> Response:
        return Response(status_code=204)

    @routes.post("/v1/token", **door(Level.ANON))
    async def native_token() -> dict[str, str]:
        return {"access_token": "…"}

    @routes.get("/.well-known/jwks.json", **door(Level.PUBLIC))
    async def keys() -> Response:
        return PlainTextResponse(
            "{}", headers={"Cache-Control": "public, max-age=300", "Vary": "Accept"}
        )

    return routes


def odd_routes() -> APIRouter:
    """Handlers that fail in every way."""
    routes = APIRouter(prefix="/v1/odd")

    @routes.get("/refusal")
    async def refuses(code: str) -> None:
        raise Refusal(
            Code(code),
            log="private words",
            pointer="#/code",
            extras={"attempts_left": 4},
            params={"n": 2},
        )

    @routes.get("/bug")
    async def breaks() -> None:
        raise ValueError("canary-in-a-message")

    @routes.get("/timeout")
    async def breaks_by_timeout() -> None:
        raise TimeoutError("canary-of-a-driver")

    @routes.get("/slow")
    async def hangs(request: Request) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            service(request, Seen).cancelled = True
            raise

    @routes.get("/halfway")
    async def hangs_halfway() -> Response:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"begun"
            await asyncio.Event().wait()

        return StreamingResponse(chunks())

    return routes


def rules_for(
    seen: Seen, *, url: str = AUTH, local: bool = False, deadline: float = 5.0
) -> EdgeRules:
    """The shipped rules around one listed origin."""

    def client_address(peer: str | None, headers: Sequence[Header]) -> str:
        return clientip.locate(peer, headers, trusted=()).address

    def negotiate(accept_language: str | None) -> str:
        return CATALOGUE.negotiate(accept_language=accept_language)

    async def admit(method: str, path: str, caller: Caller) -> None:
        seen.admitted.append((method, path))
        if seen.refuse is not None:
            raise seen.refuse

    network = Network(client_address, clientip.network_of, clientip.masked)
    return EdgeRules(
        screening=Screening(url, local, 16 * 1024, network, negotiate),
        problems=Problems(CATALOGUE, url, spread=lambda: 0),
        allows_origin=lambda origin: origin in (SPA, url),
        admit=admit,
        max_body=16 * 1024,
        json_depth=16,
        deadline=deadline,
        secure=url.startswith("https"),
        dev=local,
        meter=seen.meter,
    )


def make_app(seen: Seen, **rules: Any) -> FastAPI:
    """The small application with the edge around it."""
    app = FastAPI(openapi_url=None)
    app.state.services = {Seen: seen}
    app.router.routes.insert(0, Route("/v1/session/resume", thin, methods=["POST"]))
    app.include_router(plain_routes())
    app.include_router(odd_routes())
    app.include_router(health_router())
    files = Mount("/ui", routes=[Route("/lib/authsvc.js", thin), Route("/{name}", thin)])
    app.router.routes.append(files)
    install_http(app, rules_for(seen, **rules))
    return app


def document(app: FastAPI) -> dict[str, Any]:
    """The application's OpenAPI document with the shared component."""
    whole = app.openapi()
    whole["components"]["schemas"]["Problem"] = problem_schema()
    return whole
