"""The requests, byte for byte as a browser sends them; the same for both sides."""

from bench.stage import AUTH, SPA

HOLE = "\0"  # where a word of the item goes

_BROWSER = (
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:148.0) Gecko/20100101 Firefox/148.0\r\n"
    "Accept: application/json\r\n"
    "Accept-Language: en-US,en;q=0.8\r\n"
)
_PAGE = (
    f"Origin: {SPA}\r\nSec-Fetch-Site: same-site\r\nX-Authsvc-Client: bench/1\r\n"
    "Content-Type: application/json\r\n"
)
_HOST = f"Host: {AUTH.removeprefix('https://')}\r\n"


def post(path: str, body: str, *, length: int, cookie: str | None = None) -> tuple[str, ...]:
    """The parts of a POST; ``cookie`` and ``body`` may have holes."""
    jar = "" if cookie is None else f"Cookie: {cookie}\r\n"
    whole = f"POST {path} HTTP/1.1\r\n{_HOST}{_BROWSER}{_PAGE}{jar}Content-Length: {length}\r\n\r\n"
    return tuple((whole + body).split(HOLE))


def get(path: str) -> tuple[str, ...]:
    """The parts of a GET with a bearer token."""
    return f"GET {path} HTTP/1.1\r\n{_HOST}{_BROWSER}Authorization: Bearer ", "\r\n\r\n"
