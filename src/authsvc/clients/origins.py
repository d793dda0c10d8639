"""Origins as browsers write them. Spec: RFC 6454 §6.2; WHATWG URL, host serialising."""

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import urlsplit

import idna

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})

_ORIGIN = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9.-]+|\[[0-9a-f:]+\])(?::(?P<port>[1-9][0-9]{0,4}))?",
    re.ASCII,
)
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_LOCALHOST = re.compile(r"http://localhost(?::[1-9][0-9]{0,4})?", re.ASCII)
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_MAX_HOST = 253
_MAX_PORT = 65535


def origin_problem(text: str) -> str | None:
    """Why the text is not an origin exactly as a browser sends it, or None if it is.

    Plain http is for this machine only.
    """
    match = _ORIGIN.fullmatch(text)
    if match is None:
        return (
            "must be an origin as browsers write it, such as https://app.example.com: lower case,"
            " no path, no slash at the end"
        )
    scheme, host, port = match["scheme"], match["host"], match["port"]
    if not _is_host(host):
        return "must name a host as browsers write it, an international one as xn--…"
    if port is not None and (port == _DEFAULT_PORTS[scheme] or int(port) > _MAX_PORT):
        return f"must leave out the port that {scheme} has anyway, and have none above {_MAX_PORT}"
    if scheme == "http" and host not in LOOPBACK:
        return "must begin with https://, except on localhost"
    return None


def is_localhost(origin: str) -> bool:
    """Whether the origin is ``http://localhost`` with any port: what dev mode lets in."""
    return _LOCALHOST.fullmatch(origin) is not None


def origin_of(url: str) -> str:
    """The origin of a checked URL, without the port that its scheme has anyway."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    if port == f":{_DEFAULT_PORTS.get(parts.scheme)}":
        port = ""
    host = parts.hostname or ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}"


def _is_host(host: str) -> bool:
    if host.startswith("["):
        return _is_ipv6(host[1:-1])
    labels = host.split(".")
    if len(host) > _MAX_HOST or any(_LABEL.fullmatch(label) is None for label in labels):
        return False
    if labels[-1].isdigit() or labels[-1].startswith("0x"):
        return _is_ipv4(host)
    try:
        for label in labels:
            if label.startswith("xn--"):
                idna.decode(label)
    except idna.IDNAError:
        return False
    return True


def _is_ipv4(host: str) -> bool:
    try:
        return str(IPv4Address(host)) == host
    except AddressValueError:
        return False


def _is_ipv6(host: str) -> bool:
    try:
        return str(IPv6Address(host)) == host
    except AddressValueError:
        return False
