"""A small application behind the real edge, and ways to call it byte by byte."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import httpx2
import pytest
import structlog
from fastapi import APIRouter, FastAPI, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route

from authsvc.abuse import clientip
from authsvc.kernel.caller import Caller
from authsvc.kernel.errors import Code, Refusal
from authsvc.platform import telemetry
from authsvc.platform.http.cookies import Cookies
from authsvc.platform.http.door import Level, door
from authsvc.platform.http.edge import EdgeRules
from authsvc.platform.http.health import router as health_router
from authsvc.platform.http.install import install_http, problem_schema
from authsvc.platform.http.problems import Problems
from authsvc.platform.http.provide import caller, service
from authsvc.platform.http.screening import Header, Network, Screening
from authsvc.platform.i18n.catalogue import Catalogue

AUTH = "https://auth.example.com"
SPA = "https://app.example.com"
CATALOGUE = Catalogue.load()
Pairs = list[tuple[bytes, bytes]]


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
        return clientip.client_address(peer, headers, trusted=())

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


@dataclass(slots=True)
class Raw:
    """An answer as it left the application: nothing parsed, nothing corrected."""

    status: int
    headers: Pairs
    body: bytes

    def values(self, name: bytes) -> list[bytes]:
        """Each line of a header."""
        return [value for found, value in self.headers if found == name]

    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


@dataclass(slots=True)
class Wire:
    """Calls the application like a server would, with whatever bytes."""

    app: Any

    async def call(
        self,
        method: str = "GET",
        path: str = "/v1/things/1",
        *,
        headers: Iterable[tuple[bytes, bytes]] = (),
        host: bytes = b"auth.example.com",
        query: bytes = b"",
        body: Sequence[bytes | None] = (b"",),
        peer: str | None = "203.0.113.9",
    ) -> Raw | None:
        """The answer, or None if there was none. A body part None: the client goes away."""
        sent: list[Any] = []
        incoming = [_message(part, more=i + 1 < len(body)) for i, part in enumerate(body)]

        async def receive() -> dict[str, Any]:
            if not incoming:  # the client waits for its answer
                await asyncio.Event().wait()
            return incoming.pop(0)

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1",
            "method": method, "path": path, "raw_path": path.encode("utf-8", "replace"),
            "query_string": query, "root_path": "", "scheme": "https",
            "headers": [(b"host", host), *headers],
            "client": (peer, 1) if peer else None, "server": ("127.0.0.1", 8000),
        }  # fmt: skip
        await self.app(scope, receive, send)
        if not sent:
            return None
        content = b"".join(message.get("body", b"") for message in sent[1:])
        return Raw(sent[0]["status"], list(sent[0]["headers"]), content)


def _message(part: bytes | None, *, more: bool) -> dict[str, Any]:
    if part is None:
        return {"type": "http.disconnect"}
    return {"type": "http.request", "body": part, "more_body": more}


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def app(seen: Seen) -> FastAPI:
    return make_app(seen)


@pytest.fixture
def wire(app: FastAPI) -> Wire:
    return Wire(app)


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=app, client=("203.0.113.9", 40000))
    async with httpx2.AsyncClient(transport=transport, base_url=AUTH) as client:
        yield client


@pytest.fixture
def page() -> dict[str, str]:
    """The headers of a page that may call."""
    return {
        "Origin": SPA,
        "Sec-Fetch-Site": "same-site",
        "X-Authsvc-Client": "test/1",
        "Content-Type": "application/json",
    }


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """The lines logged since the last look, as production writes them."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    telemetry.set_up(dev=False)
    capsys.readouterr()

    def lines() -> list[dict[str, Any]]:
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    yield lines
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()
