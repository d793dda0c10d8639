"""The hosted screens: one page for every address, modules from memory, a strict policy."""

import gzip
import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

from fastapi import APIRouter, Request, Response

from authsvc.kernel.errors import Code, Refusal
from authsvc.platform.http.door import Level, door

CLIENT = "lib/authsvc.js"
PAGES = frozenset({"sign-in", "check-email", "link", "signed-out", "error", "account"})
PAGE_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
        " connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none';"
        " require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Permissions-Policy": (
        "publickey-credentials-get=(self), publickey-credentials-create=(self),"
        " otp-credentials=(self)"
    ),
    "Cache-Control": "no-store",
}
_TEXT = frozenset({"text/javascript", "text/css", "text/html", "image/svg+xml"})
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is served."""

    body: bytes
    packed: bytes
    media_type: str
    etag: str

    def response(self, request: Request, headers: Mapping[str, str]) -> Response:
        """The file, or 304 for a client that has it."""
        tagged = {"ETag": self.etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
        if request.headers.get("if-none-match") == self.etag:
            return Response(status_code=304, headers={**tagged, **headers})
        body = self.body
        if "gzip" in request.headers.get("accept-encoding", ""):
            body, tagged["Content-Encoding"] = self.packed, "gzip"
        return Response(body, media_type=self.media_type, headers={**tagged, **headers})


def _asset(name: str, body: bytes) -> Asset:
    suffix = name[name.rfind(".") :]
    media = _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    charset = "; charset=utf-8" if media in _TEXT else ""
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    return Asset(body, gzip.compress(body, mtime=0), media + charset, etag)


def load_assets() -> dict[str, Asset]:
    """Every file under ``static`` by its path; a request can name nothing else."""
    found: dict[str, Asset] = {}

    def walk(directory: Traversable, prefix: str) -> None:
        for entry in directory.iterdir():
            name = prefix + entry.name
            if entry.is_dir():
                walk(entry, name + "/")
            else:
                found[name] = _asset(name, entry.read_bytes())

    walk(files("authsvc.ui").joinpath("static"), "")
    return found


@dataclass(frozen=True, slots=True)
class Shell:
    """The page that every screen lives in."""

    page: Asset

    async def __call__(self, request: Request) -> Response:
        return self.answer(request)

    def answer(self, request: Request, *, status: int = 200) -> Response:
        """The page with its policy; never kept."""
        headers = {**PAGE_HEADERS, "Vary": "Accept-Encoding"}
        body = self.page.body
        if "gzip" in request.headers.get("accept-encoding", ""):
            body, headers["Content-Encoding"] = self.page.packed, "gzip"
        return Response(body, status, headers, media_type=self.page.media_type)


def router(assets: Mapping[str, Asset], shell: Shell) -> APIRouter:
    """Pages, modules and the browser client."""
    routes = APIRouter(include_in_schema=False)
    routes.include_router(_files(assets))
    reads = ["GET", "HEAD"]

    @routes.api_route("/", methods=reads, **door(Level.PUBLIC))
    @routes.api_route("/ui", methods=reads, **door(Level.PUBLIC))
    async def start() -> Response:
        """People who come without an address look after their account."""
        return Response(status_code=302, headers={"Location": "/ui/account"})

    @routes.api_route("/ui/{page}", methods=reads, **door(Level.PUBLIC))
    async def screen(request: Request, page: str) -> Response:
        """A screen, or the page that says there is none."""
        return shell.answer(request, status=200 if page in PAGES else 404)

    @routes.api_route("/errors/{code}", methods=reads, **door(Level.PUBLIC))
    async def explanation(request: Request, code: str) -> Response:
        """Cause and cure of an error code."""
        return shell.answer(request, status=200 if code in Code else 404)

    return routes


def _files(assets: Mapping[str, Asset]) -> APIRouter:
    routes = APIRouter()
    reads = ["GET", "HEAD"]

    @routes.api_route("/ui/lib/authsvc.js", methods=reads, **door(Level.PUBLIC))
    async def client(request: Request) -> Response:
        """The one-file browser client, for every origin."""
        return assets[CLIENT].response(request, {"Cross-Origin-Resource-Policy": "cross-origin"})

    @routes.api_route("/ui/static/{path:path}", methods=reads, **door(Level.PUBLIC))
    async def module(request: Request, path: str) -> Response:
        """A module, style sheet or picture of the screens."""
        asset = assets.get(path)
        if asset is None:
            raise Refusal(Code.NOT_FOUND, log="no such file")
        return asset.response(request, {})

    return routes
