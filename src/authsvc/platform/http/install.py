"""Puts the edge and the problem handlers around an application."""

from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from authsvc.kernel.errors import Code, Refusal
from authsvc.platform.http.edge import Edge, EdgeRules
from authsvc.platform.http.problems import from_http, from_validation, from_verifier
from authsvc.verify.errors import AuthRefused

_TEXT = {"type": "string"}


def problem_schema() -> dict[str, Any]:
    """The OpenAPI component behind every refusal."""
    entry = {
        "type": "object",
        "required": ["pointer", "code", "detail"],
        "properties": {"pointer": _TEXT, "code": _TEXT, "detail": _TEXT},
    }
    return {
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
            "retry_after": {"type": "integer"},
            "attempts_left": {"type": "integer"},
        },
    }


def install_http(app: FastAPI, rules: EdgeRules) -> None:
    """The edge outside, typed problems inside."""
    problems = rules.problems

    async def refused(request: Request, error: Exception) -> Response:
        response = problems.response(_refusal(error), request.scope)
        if isinstance(error, HTTPException) and error.headers and "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
        return response

    for kind in (Refusal, HTTPException, RequestValidationError, AuthRefused):
        app.add_exception_handler(kind, refused)
    app.add_middleware(Edge, rules=rules)


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
            return Refusal(Code.INTERNAL_ERROR)

