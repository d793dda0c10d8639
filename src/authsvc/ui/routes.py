"""Doors of the hosted screens: one page for every address, its modules, the browser client.

Every file is read once, at the start. A request names an entry of a table and never a path.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse

from authsvc.kernel.errors import Code, Refusal
from authsvc.platform.http.conditional import Representation, answer
from authsvc.platform.http.door import Level, door

STATIC = Path(__file__).with_name("static")
SHELL = "index.html"
CLIENT = "lib/authsvc.js"
PAGES = frozenset({"sign-in", "check-email", "link", "signed-out", "error", "account"})
START = "/ui/account"  # which sends a person on to sign-in who is not signed in

_DEV_ONLY = "dev/"
_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    "": "text/plain; charset=utf-8",  # licences
}
# Spec: experience.md §7.
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
        " connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none';"
        " require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Permissions-Policy": (
        "publickey-credentials-get=(self), publickey-credentials-create=(self),"
        " otp-credentials=(self)"
    ),
}
_PAGE = {**HEADERS, "Cache-Control": "no-store"}
_MODULE = {**HEADERS, "Cache-Control": "no-cache"}
# The edge adds Access-Control-Allow-Origin: * on this one path.
_CLIENT = {**_MODULE, "Cross-Origin-Resource-Policy": "cross-origin"}
_CODES = frozenset(code.value for code in Code)


def load_assets(*, dev: bool = True, directory: Path = STATIC) -> dict[str, Representation]:
    """Every file by its name below ``static``; without ``dev``, none of the dev pages' modules.

    Raises KeyError for a kind of file that has no media type here.
    """
    files = (path for path in sorted(directory.rglob("*")) if path.is_file())
    named = ((path.relative_to(directory).as_posix(), path) for path in files)
    return {
        name: Representation.of(path.read_bytes(), _MEDIA_TYPES[path.suffix])
        for name, path in named
        if dev or not name.startswith(_DEV_ONLY)
    }


@dataclass(frozen=True, slots=True)
class Shell:
    """The page that every screen lives in; the address bar decides which one it shows."""

    page: Representation

    async def __call__(self, request: Request) -> Response:
        return self.answer(request)

    def answer(self, request: Request, *, known: bool = True) -> Response:
        """The page with its policy, as 404 where there is no such screen; nobody keeps it."""
        status = 200 if known else 404
        return answer(request, self.page, headers=_PAGE, status=status, revalidates=False)


def router(assets: Mapping[str, Representation], shell: Shell) -> APIRouter:
    """The screens, the pages of error codes, the modules and the browser client."""
    routes = APIRouter(include_in_schema=False)
    _files(routes, assets)
    _pages(routes, shell)
    return routes


def _files(routes: APIRouter, assets: Mapping[str, Representation]) -> None:
    client = assets[CLIENT]
    modules = {name: one for name, one in assets.items() if name not in (SHELL, CLIENT)}

    async def read_client(request: Request) -> Response:
        return answer(request, client, headers=_CLIENT)

    async def read_module(request: Request, name: str) -> Response:
        found = modules.get(name)
        if found is None:
            raise Refusal(Code.NOT_FOUND, log="no such module")
        return answer(request, found, headers=_MODULE)

    _get(routes, "/ui/lib/authsvc.js", read_client)
    _get(routes, "/ui/static/{name:path}", read_module)


def _pages(routes: APIRouter, shell: Shell) -> None:
    async def start() -> Response:
        return RedirectResponse(START, status_code=302)

    async def screen(request: Request, page: str) -> Response:
        return shell.answer(request, known=page.removesuffix("/") in PAGES)

    async def explanation(request: Request, code: str) -> Response:
        return shell.answer(request, known=code in _CODES)

    for path in ("/", "/ui", "/ui/"):
        _get(routes, path, start)
    _get(routes, "/ui/{page:path}", screen)
    _get(routes, "/errors/{code}", explanation)


def _get(routes: APIRouter, path: str, endpoint: Callable[..., Awaitable[Response]]) -> None:
    routes.add_api_route(
        path, endpoint, methods=["GET"], response_class=Response, **door(Level.PUBLIC)
    )
