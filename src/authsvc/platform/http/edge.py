"""The edge: one pure-ASGI layer that every request passes, in and out."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from authsvc.kernel.caller import Caller
from authsvc.kernel.errors import Code, Refusal
from authsvc.kernel.ids import REQUEST, new_id
from authsvc.platform.http import bodies, cors, csrf
from authsvc.platform.http.problems import Problems
from authsvc.platform.http.screening import Screening

Header = tuple[bytes, bytes]
Admit = Callable[[str, str, Caller], Awaitable[None]]

log: Any = structlog.get_logger("authsvc.http")


@dataclass(frozen=True, slots=True)
class EdgeRules:
    """What the edge enforces; sizes in bytes, the deadline in seconds."""

    screening: Screening
    problems: Problems
    allows_origin: Callable[[str], bool]
    admit: Admit
    max_body: int
    json_depth: int
    deadline: float
    secure: bool
    dev: bool


@dataclass(slots=True)
class _Exchange:
    """One request on its way through."""

    request_id: str
    path: str
    method: str
    started: float
    extra: list[Header]
    status: int = 0


class Edge:
    """Request id, host, CORS, CSRF, limits, body, deadline, security headers, one log line."""

    def __init__(self, app: ASGIApp, rules: EdgeRules) -> None:
        self.app = app
        self.rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = _Exchange(
            request_id=new_id(REQUEST),
            path=scope["path"],
            method=scope["method"],
            started=time.perf_counter(),
            extra=[],
        )
        scope.setdefault("state", {})["request_id"] = exchange.request_id
        outward = self._outward(exchange, send)
        try:
            await self._inward(scope, receive, outward, exchange)
        except Refusal as refusal:
            await self._refuse(refusal, scope, receive, outward, exchange)
        except (ClientDisconnect, bodies.Disconnected):
            exchange.status = exchange.status or 499
        except Exception:
            log.exception("unhandled", request_id=exchange.request_id)
            refusal = Refusal(Code.INTERNAL_ERROR)
            await self._refuse(refusal, scope, receive, outward, exchange)
        finally:
            self._log(scope, exchange)

    async def _inward(
        self, scope: Scope, receive: Receive, send: Send, exchange: _Exchange
    ) -> None:
        rules = self.rules
        headers = rules.screening.headers(scope["headers"])
        peer = scope["client"][0] if scope.get("client") else None
        caller = rules.screening.caller(
            headers, scope["headers"], peer=peer, request_id=exchange.request_id
        )
        scope["state"]["caller"] = caller
        rules.screening.require_host(headers)
        origin = caller.origin
        if exchange.method == "OPTIONS" and "access-control-request-method" in headers:
            granted = cors.preflight_for(exchange.path, origin, allows=rules.allows_origin)
            exchange.extra = granted
            await _empty(send, 204)
            return
        exchange.extra = cors.headers_for(exchange.path, origin, allows=rules.allows_origin)
        question = csrf.Question(exchange.method, exchange.path, headers)
        refusal = csrf.judge(question, allows=rules.allows_origin)
        if refusal is not None:
            raise refusal
        if origin is None and exchange.method not in csrf.SAFE_METHODS:
            scope["headers"] = [pair for pair in scope["headers"] if pair[0] != b"cookie"]
        try:
            async with asyncio.timeout(rules.deadline):
                await rules.admit(exchange.method, exchange.path, caller)
                receive = await self._body(receive, headers, exchange)
                await self.app(scope, receive, send)
        except TimeoutError as error:
            raise Refusal(Code.BUSY, log="deadline passed") from error

    async def _body(
        self, receive: Receive, headers: dict[str, str], exchange: _Exchange
    ) -> Receive:
        if not bodies.expects_json(exchange.method, exchange.path):
            return receive
        declared = headers.get("content-length")
        body = await bodies.read(receive, declared=declared, cap=self.rules.max_body)
        content_type = headers.get("content-type")
        bodies.check(body, content_type=content_type, depth=self.rules.json_depth)
        return bodies.again(body, receive)

    async def _refuse(
        self,
        refusal: Refusal,
        scope: Scope,
        receive: Receive,
        send: Send,
        exchange: _Exchange,
    ) -> None:
        if exchange.status:
            return  # the answer had begun: the connection is all that can be closed
        if refusal.log:
            words = {"request_id": exchange.request_id, "code": refusal.code.value}
            log.info("refused", reason=refusal.log, **words)
        await self.rules.problems.response(refusal, scope)(scope, receive, send)

    def _outward(self, exchange: _Exchange, send: Send) -> Send:
        async def wrapped(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                own: list[Header] = list(message.get("headers", []))
                present = {name for name, _ in own}
                for name, value in self._always(exchange):
                    if name not in present:
                        own.append((name, value))
                message = {**message, "headers": own}
            await send(message)

        return wrapped

    def _always(self, exchange: _Exchange) -> list[Header]:
        headers = [
            (b"x-request-id", exchange.request_id.encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
            (b"cache-control", b"no-store"),
            *exchange.extra,
        ]
        if self.rules.secure:
            headers.append((b"strict-transport-security", b"max-age=31536000"))
        if self.rules.dev:
            headers.append((b"x-authsvc-dev", b"1"))
        return headers

    def _log(self, scope: Scope, exchange: _Exchange) -> None:
        caller = scope["state"].get("caller")
        route = scope.get("route")
        log.info(
            "request",
            request_id=exchange.request_id,
            method=exchange.method,
            route=getattr(route, "path", "-"),
            status=exchange.status,
            ms=round((time.perf_counter() - exchange.started) * 1000, 1),
            ip=caller.masked_address if caller else "",
            ua=caller.device.browser if caller else "",
        )


async def _empty(send: Send, status: int) -> None:
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b""})
