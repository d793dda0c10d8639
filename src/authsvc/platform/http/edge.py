"""The edge: one pure ASGI layer that every request passes on its way in and out."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from authsvc.kernel.caller import Caller
from authsvc.kernel.errors import Code, Refusal
from authsvc.kernel.ids import REQUEST, new_id
from authsvc.platform.http import bodies, cors, csrf
from authsvc.platform.http.headers import Header, merged, standard_headers
from authsvc.platform.http.problems import Problems
from authsvc.platform.http.requestlog import cors_refused, known_method, request_line
from authsvc.platform.http.routetable import RouteTable
from authsvc.platform.http.screening import Head, Screening
from authsvc.platform.metrics import Meter

Admit = Callable[[str, str, Caller], Awaitable[None]]
NOTHING: Mapping[tuple[str, str], ASGIApp] = {}
CLIENT_GONE = 499  # only for us; nobody is left to read an answer

log: Any = structlog.get_logger("authsvc.http")


@dataclass(frozen=True, slots=True)
class EdgeRules:
    """What the edge enforces; sizes in bytes, the deadline in seconds.

    ``allows_origin``: whether pages of an origin may call with credentials, our own included.
    ``admit(method, path, caller)`` may refuse before the body is read: limits per address.
    ``secure``: browsers come by https.
    """

    screening: Screening
    problems: Problems
    allows_origin: Callable[[str], bool]
    admit: Admit
    max_body: int
    json_depth: int
    deadline: float
    secure: bool
    dev: bool
    meter: Meter


@dataclass(slots=True)
class Exchange:
    """One request on its way through."""

    scope: Scope
    request_id: str
    method: str
    path: str
    started: float
    cors: list[Header] = field(default_factory=list[Header])
    caller: Caller | None = None
    status: int = 0


class Edge:
    """Request id, host, CORS, CSRF, limits, body, deadline, standard headers, one log line.

    ``straight``: endpoints by method and path that are called without passing the framework's
    router. Refusals they raise are answered here like all others.
    """

    def __init__(
        self,
        app: ASGIApp,
        rules: EdgeRules,
        *,
        routes: Callable[[], RouteTable],
        straight: Mapping[tuple[str, str], ASGIApp] = NOTHING,
    ) -> None:
        self.app = app
        self.straight = straight
        self.rules = rules
        self.routes = routes
        self.standard = standard_headers(secure=rules.secure, dev=rules.dev)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = Exchange(
            scope={**scope, "state": {**scope.get("state", {})}},
            request_id=new_id(REQUEST),
            method=scope["method"],
            path=scope["path"],
            started=time.perf_counter(),
        )
        outward = self._outward(exchange, send)
        try:
            await self._guarded(exchange, receive, outward)
        finally:
            self._tell(exchange)

    def _tell(self, exchange: Exchange) -> None:
        seconds = time.perf_counter() - exchange.started
        meter, refusal = self.rules.meter, exchange.scope["state"].get("refusal")
        route = self.routes().template(exchange.path)
        method = known_method(exchange.method)
        status = exchange.status or CLIENT_GONE
        meter.answered(route=route, method=method, status=status, seconds=seconds)
        if refusal is not None:
            meter.refused(refusal)
        request_line(
            route=route,
            method=method,
            status=exchange.status,
            ms=round(seconds * 1000, 1),
            request_id=exchange.request_id,
            caller=exchange.caller,
            refusal=refusal,
        )

    async def _guarded(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        try:
            await self._inward(exchange, receive, send)
        except Refusal as refusal:
            await self._refuse(refusal, exchange, receive, send)
        except (ClientDisconnect, bodies.Disconnected):
            exchange.status = exchange.status or CLIENT_GONE
        except Exception as error:
            name = type(error).__name__
            log.exception("unhandled", request_id=exchange.request_id, error=name)
            await self._refuse(Refusal(Code.INTERNAL_ERROR), exchange, receive, send)

    async def _inward(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        rules, scope = self.rules, exchange.scope
        head = rules.screening.look(scope, request_id=exchange.request_id)
        exchange.caller = head.caller
        scope["state"] |= {"request_id": exchange.request_id, "caller": head.caller}
        rules.screening.admit(head, path=exchange.path, query=scope["query_string"])
        origin = head.headers.get("origin")
        if exchange.method == "OPTIONS" and "access-control-request-method" in head.headers:
            await self._preflight(exchange, origin, send)
            return
        allows = rules.allows_origin
        exchange.cors = cors.headers_for(exchange.path, origin, allows=allows)
        question = csrf.Question(exchange.method, exchange.path, head.headers)
        refusal = csrf.judge(question, allows=allows)
        if refusal is not None:
            raise refusal
        if head.caller.origin is None and exchange.method not in csrf.SAFE_METHODS:
            scope["headers"] = [pair for pair in scope["headers"] if pair[0] != b"cookie"]
        if exchange.method == "HEAD":
            scope["method"] = "GET"
        await self._within_deadline(exchange, head, receive, send)

    async def _within_deadline(
        self, exchange: Exchange, head: Head, receive: Receive, send: Send
    ) -> None:
        limit = asyncio.timeout(self.rules.deadline)
        try:
            async with limit:
                await self.rules.admit(exchange.method, exchange.path, head.caller)
                if bodies.expects_json(exchange.method, exchange.path):
                    receive = await self._body(exchange, head, receive)
                app = self.straight.get((exchange.method, exchange.path), self.app)
                await app(exchange.scope, receive, send)
        except TimeoutError:
            if not limit.expired():
                raise
            raise Refusal(Code.BUSY, log="the deadline passed") from None

    async def _body(self, exchange: Exchange, head: Head, receive: Receive) -> Receive:
        declared = head.headers.get("content-length")
        body = await bodies.read(receive, declared=declared, cap=self.rules.max_body)
        from_a_page = csrf.is_checked(exchange.method, exchange.path) and "origin" in head.headers
        bodies.check(
            body,
            content_type=head.headers.get("content-type"),
            required=from_a_page,
            depth=self.rules.json_depth,
        )
        return bodies.again(body, receive)

    async def _preflight(self, exchange: Exchange, origin: str | None, send: Send) -> None:
        allows = self.rules.allows_origin
        exchange.cors, allowed = cors.preflight_for(exchange.path, origin, allows=allows)
        if not allowed:
            self.rules.meter.cors_refused()
            cors_refused(origin, request_id=exchange.request_id)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def _refuse(
        self, refusal: Refusal, exchange: Exchange, receive: Receive, send: Send
    ) -> None:
        response = self.rules.problems.response(refusal, exchange.scope)
        if exchange.status == 0:  # else the answer had begun, and all that is left is to stop
            await response(exchange.scope, receive, send)

    def _outward(self, exchange: Exchange, send: Send) -> Send:
        is_head = exchange.method == "HEAD"
        identity: Header = (b"x-request-id", exchange.request_id.encode("ascii"))

        async def outward(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                own = list(message.get("headers", ()))
                headers = [*merged(own, self.standard, exchange.cors), identity]
                message = {**message, "headers": headers}
            elif is_head and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        return outward
