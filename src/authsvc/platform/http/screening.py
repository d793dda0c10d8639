"""The first look at a request: known host, no doubled headers, sizes, who is calling.

Spec: security.md C10, C13, C21, C22, C55, C56; RFC 9110 §7.2, RFC 9112 §3.2.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.types import Scope

from authsvc.kernel.caller import Caller
from authsvc.kernel.errors import Code, Refusal
from authsvc.platform.http.csrf import SAFE_METHODS
from authsvc.platform.http.headers import Header
from authsvc.platform.http.useragent import describe

# One meaning for every reader in the chain: these come once, and in one spelling.
_SINGLE = frozenset(
    {
        b"host", b"origin", b"authorization", b"content-type", b"content-length",
        b"x-authsvc-client", b"x-authsvc-challenge", b"sec-fetch-site", b"idempotency-key",
    }
)  # fmt: skip
_READ = _SINGLE | {
    b"cookie",
    b"user-agent",
    b"accept-language",
    b"access-control-request-method",
}
_NAMES = {name: name.decode("ascii") for name in _READ}
_MAX_LANGUAGES = 256
_PORT = re.compile(r":[0-9]{1,5}\Z", re.ASCII)
_DEFAULT_PORT = {"https": ":443", "http": ":80"}
_LOCAL = ("localhost", "127.0.0.1", "[::1]")
_ODD_PATH = re.compile(r"[\x00-\x1f\x7f\\\ud800-\udfff]|//|/\.\.?(?:/|\Z)")
_TOKEN_IN_QUERY = re.compile(rb"(?:^|&)(?:access_token|refresh_token|flow_token|token)=")


@dataclass(frozen=True, slots=True)
class Network:
    """How addresses are read: the functions of the room that owns them."""

    client_address: Callable[[str | None, Sequence[Header]], str]
    range_of: Callable[[str], str]
    masked: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Head:
    """A request's head: the headers we read by lower-case name, what is wrong, who calls."""

    headers: Mapping[str, str]
    fault: str | None
    caller: Caller


@dataclass(frozen=True, slots=True)
class Screening:
    """Turns a request's head into a Caller, or refuses the request.

    ``public_url`` is an origin; ``local`` also lets every spelling of localhost in, on any port.
    ``max_headers`` is in bytes.
    """

    public_url: str
    local: bool
    max_headers: int
    network: Network
    negotiate: Callable[[str | None], str]
    own_origin: str = field(init=False)
    _hosts: frozenset[str] = field(init=False)
    _place: Callable[[str], tuple[str, str]] = field(init=False)
    _locale: Callable[[str | None], str] = field(init=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.public_url)
        bare = parts.netloc.lower().removesuffix(_DEFAULT_PORT[parts.scheme])
        put = object.__setattr__
        put(self, "own_origin", f"{parts.scheme}://{bare}")
        put(self, "_hosts", frozenset({bare, bare + _DEFAULT_PORT[parts.scheme]}))
        put(self, "_place", lru_cache(maxsize=4096)(self._placed))
        put(self, "_locale", lru_cache(maxsize=512)(self.negotiate))

    def look(self, scope: Scope, *, request_id: str) -> Head:
        """What the head says. Raises nothing, so that a refusal still knows its caller."""
        headers, fault = self._headers(scope["headers"])
        origin = headers.get("origin")
        if origin is None and scope["method"] in SAFE_METHODS:
            # Browsers name no origin when a page reads from its own.
            same = headers.get("sec-fetch-site") == "same-origin"
            origin = self.own_origin if same else None
        peer = scope["client"][0] if scope.get("client") else None
        address = self.network.client_address(peer, scope["headers"])
        coarse, masked = self._place(address)
        caller = Caller(
            request_id=request_id,
            address=address,
            network=coarse,
            masked_address=masked,
            device=describe(headers.get("user-agent")),
            origin=origin,
            locale=self._locale(headers.get("accept-language", "")[:_MAX_LANGUAGES]),
        )
        return Head(headers, fault, caller)

    def _headers(self, raw: Sequence[Header]) -> tuple[dict[str, str], str | None]:
        found: dict[str, str] = {}
        fault: str | None = None
        size = 0
        for name, value in raw:
            size += len(name) + len(value)
            known = _NAMES.get(name)
            if known is not None:
                if known in found and name in _SINGLE:
                    fault = f"{known} twice"
                found.setdefault(known, value.decode("latin-1"))
            elif b"_" in name and name.replace(b"_", b"-") in _SINGLE:
                fault = "a security header with an underscore"
        return found, ("headers too large" if size > self.max_headers else fault)

    def admit(self, head: Head, *, path: str, query: bytes) -> None:
        """Raise bad_request for a head that is not to be trusted, not_found for odd paths."""
        if head.fault is not None:
            raise Refusal(Code.BAD_REQUEST, log=head.fault)
        if not self._is_ours(head.headers.get("host", "").lower()):
            raise Refusal(Code.BAD_REQUEST, log="unknown Host; public_url names ours")
        if _ODD_PATH.search(path):
            raise Refusal(Code.NOT_FOUND, log="odd path")
        if query and path.startswith("/v1/") and _TOKEN_IN_QUERY.search(query):
            raise Refusal(Code.BAD_REQUEST, log="a token in the query")

    def _is_ours(self, host: str) -> bool:
        return host in self._hosts or (self.local and _PORT.sub("", host) in _LOCAL)

    def _placed(self, address: str) -> tuple[str, str]:
        return self.network.range_of(address), self.network.masked(address)
