"""Health on the public port: the loop is alive, nothing more is told."""

from fastapi import APIRouter
from starlette.responses import PlainTextResponse

from authsvc.platform.http.door import Level, door


def router() -> APIRouter:
    """``/livez``."""
    routes = APIRouter()

    @routes.get("/livez", response_class=PlainTextResponse, **door(Level.PUBLIC))
    async def livez() -> str:
        """Answers while the process can."""
        return "ok"

    return routes
