"""The first look at a request: known host, no doubled headers, sizes, who is calling.

Spec: security.md C10, C21, C55, C56; RFC 9110 §7.2, RFC 9112 §3.2.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from authsvc.kernel.caller import Caller
from authsvc.kernel.errors import Code, Refusal
from authsvc.platform.http.useragent import describe

Header = tuple[bytes, bytes]

_SINGLE = frozenset(
    {
        b"host", b"origin", b"authorization", b"content-type", b"content-length",
        b"x-authsvc-client", b"x-authsvc-challenge", b"sec-fetch-site", b"idempotency-key",
    }
)  # fmt: skip
_UNDERSCORED = frozenset(name.replace(b"-", b"_") for name in _SINGLE if b"-" in name)
_PORT = re.compile(r":[0-9]{1,5}")


@dataclass(frozen=True, slots=True)
class Network:
    """How addresses are read: the functions of the room that owns them."""

    client_address: Callable[[str | None, Sequence[Header]], str]
    range_of: Callable[[str], str]
    masked: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Screening:
    """Turns headers into a Caller, or refuses the request."""

    public_url: str
    local: bool
    max_headers: int
    network: Network
    negotiate: Callable[[str | None], str]

    def headers(self, raw: Sequence[Header]) -> dict[str, str]:
        """The headers by lower-case name; raises bad_request for doubled or odd ones."""
        if sum(len(name) + len(value) for name, value in raw) > self.max_headers:
            raise Refusal(Code.BAD_REQUEST, log="headers too large")
        found: dict[str, str] = {}
        for name, value in raw:
            if name in _UNDERSCORED or (name in _SINGLE and name.decode() in found):
                raise Refusal(Code.BAD_REQUEST, log=f"odd header {name.decode('latin-1')}")
            found[name.decode("latin-1")] = value.decode("latin-1")
        return found

    def require_host(self, headers: dict[str, str]) -> None:
        """Only the configured host is ours; on localhost any port and spelling of it."""
        host = headers.get("host", "").lower()
        expected = urlsplit(self.public_url)
        if host in (expected.netloc, f"{expected.netloc}:{_default_port(expected.scheme)}"):
            return
        bare = _PORT.sub("", host)
        if self.local and bare in ("localhost", "127.0.0.1", "[::1]"):
            return
        raise Refusal(Code.BAD_REQUEST, log="unknown Host; public_url names ours")

    def caller(
        self, headers: dict[str, str], raw: Sequence[Header], *, peer: str | None, request_id: str
    ) -> Caller:
        """Who is calling."""
        address = self.network.client_address(peer, raw)
        return Caller(
            request_id=request_id,
            address=address,
            network=self.network.range_of(address),
            masked_address=self.network.masked(address),
            device=describe(headers.get("user-agent")),
            origin=headers.get("origin"),
            locale=self.negotiate(headers.get("accept-language")),
        )


def _default_port(scheme: str) -> int:
    return 443 if scheme == "https" else 80
