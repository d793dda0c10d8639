"""Puts the edge and the problem handlers around an application."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from authsvc.kernel.errors import Code, Refusal
from authsvc.platform.http.edge import NOTHING, Edge, EdgeRules
from authsvc.platform.http.problems import Problems, from_http, from_validation, from_verifier
from authsvc.platform.http.routetable import RouteTable
from authsvc.verify.errors import AuthRefused

_TEXT = {"type": "string"}


def install_http(
    app: FastAPI, rules: EdgeRules, *, straight: Mapping[tuple[str, str], ASGIApp] = NOTHING
) -> None:
    """The edge outside, typed problems inside. Call it once, before the first request.

    ``straight``: the hottest endpoints, past the framework's router; they must be routes too.
    """

    @lru_cache(maxsize=1)
    def routes() -> RouteTable:
        return RouteTable.of(app)

    # A redirect to the path with or without its last slash would carry an absolute URL.
    app.router.redirect_slashes = False
    _handle_refusals(app, rules.problems, routes)
    app.add_middleware(Edge, rules=rules, routes=routes, straight=straight)


def _handle_refusals(app: FastAPI, problems: Problems, routes: Callable[[], RouteTable]) -> None:
    async def refused(request: Request, error: Exception) -> Response:
        refusal = _refusal(error)
        response = problems.response(refusal, request.scope)
        if refusal.code is Code.METHOD_NOT_ALLOWED:
            response.headers["Allow"] = ", ".join(routes().allowed(request.scope["path"]))
        return response

    kinds: tuple[Any, ...] = (Refusal, HTTPException, RequestValidationError, AuthRefused)
    for kind in kinds:
        app.add_exception_handler(kind, refused)


def _refusal(error: Exception) -> Refusal:
    match error:
        case Refusal():
            return error
        case AuthRefused():
            return from_verifier(error)
        case RequestValidationError():
            return from_validation(error)
        case HTTPException():
            return from_http(error)
        case _:
            raise error


def problem_schema() -> dict[str, Any]:
    """The OpenAPI component behind every refusal. Spec: RFC 9457 §3."""
    entry = {
        "type": "object",
        "required": ["pointer", "code", "detail"],
        "properties": {"pointer": _TEXT, "code": _TEXT, "detail": _TEXT},
    }
    return {
        "title": "Problem",
        "type": "object",
        "required": ["type", "title", "detail", "status", "code", "request_id"],
        "properties": {
            "type": {"type": "string", "format": "uri"},
            "title": _TEXT,
            "detail": _TEXT,
            "status": {"type": "integer"},
            "code": {"type": "string", "enum": [code.value for code in Code]},
            "request_id": _TEXT,
            "params": {"type": "object"},
            "errors": {"type": "array", "items": entry},
            "retry_after": {"type": "integer", "minimum": 1},
            "attempts_left": {"type": "integer", "minimum": 0},
            "check": _TEXT,
            "setting": _TEXT,
            "required": {"type": "object"},
            "current": {"type": "object"},
        },
    }
