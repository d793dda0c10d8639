"""What a door gets: the caller of this request and its own service, by type."""

from typing import TypeVar

from starlette.requests import Request

from authsvc.kernel.caller import Caller

Service = TypeVar("Service")


def caller(request: Request) -> Caller:
    """Who is calling, as the edge found out."""
    found: Caller = request.scope["state"]["caller"]
    return found


def service(request: Request, kind: type[Service]) -> Service:
    """The application's one service of this type."""
    found: Service = request.app.state.services[kind]
    return found
