"""The client's address from peer and headers, and the keys it is counted under. Pure.

Spec: security.md C10, C11.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NAT64 = IPv6Network("64:ff9b::/96")
_MAX_HOPS = 32
_MAX_TEXT = 128  # characters of an address with its zone
_REMEMBERED = 4096  # addresses of late
_ZONE = re.compile(r"[A-Za-z0-9._~%-]{1,64}", re.ASCII)
_HOP = re.compile(
    r"(?P<four>[0-9.]+)(?::[0-9]{1,5})?|\[(?P<six>[^\[\]]+)\](?::[0-9]{1,5})?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Located:
    """A client's canonical address, "" when there is none to be had.

    ``unreadable``: a trusted proxy named something else than addresses, so this is its own.
    """

    address: str
    unreadable: bool = False


def parse(text: str) -> Address | None:
    """An address in one canonical form: zone dropped, IPv4 unwrapped; None if it is none."""
    return _parse(text) if len(text) <= _MAX_TEXT else None


@lru_cache(maxsize=_REMEMBERED)
def _parse(text: str) -> Address | None:
    plain, percent, zone = text.partition("%")
    if percent and not _ZONE.fullmatch(zone):
        return None
    try:
        found = ip_address(plain)
    except ValueError:
        return None
    if isinstance(found, IPv4Address):
        return None if percent else found
    if found.ipv4_mapped is not None:
        return found.ipv4_mapped
    if found in _NAT64:
        return IPv4Address(int(found) & 0xFFFFFFFF)
    return found


def _hop(text: str) -> Address | None:
    """An entry of X-Forwarded-For: an address, perhaps quoted, in brackets or with a port."""
    entry = text.strip(" \t")
    if len(entry) >= 2 and entry[0] == entry[-1] == '"':
        entry = entry[1:-1]
    match = _HOP.fullmatch(entry)
    if match is None:
        return parse(entry)
    if match["four"]:
        return parse(match["four"])
    return parse(match["six"]) if ":" in match["six"] else None


def locate(
    peer: str | None, headers: Iterable[tuple[bytes, bytes]], *, trusted: Sequence[Network]
) -> Located:
    """Where a request comes from.

    Forwarded headers count only when the peer is a trusted proxy; then ``X-Forwarded-For`` is
    read from the right, past trusted hops. An unreadable hop leaves the peer.
    """
    nearest = parse(peer) if peer else None
    if nearest is None:
        return Located("")
    if not _is_trusted(nearest, trusted):
        return Located(str(nearest))
    lines = [value for name, value in headers if name == b"x-forwarded-for"]
    hops = b",".join(lines).decode("latin-1").split(",") if lines else []
    client = nearest
    for entry in reversed(hops[-_MAX_HOPS:]):
        hop = _hop(entry)
        if hop is None:
            return Located(str(nearest), unreadable=True)
        client = hop
        if not _is_trusted(hop, trusted):
            break
    return Located(str(client))


def _is_trusted(address: Address, trusted: Sequence[Network]) -> bool:
    return any(address.version == net.version and address in net for net in trusted)


def network_of(address: str) -> str:
    """The coarse range a remembered place is compared by: IPv4 /16, IPv6 /32; "" unknown."""
    found = parse(address)
    if found is None:
        return ""
    return str(ip_network((found, 16 if found.version == 4 else 32), strict=False))


@lru_cache(maxsize=_REMEMBERED)
def bucket_keys(address: str) -> tuple[str, ...]:
    """The keys an address is counted under: IPv4 itself, IPv6 its /64 and /48.

    Without an address everybody shares one strict bucket.
    """
    found = parse(address)
    if found is None:
        return ("none",)
    if found.version == 4:
        return (found.packed.hex(),)
    return (found.packed[:8].hex() + "/64", found.packed[:6].hex() + "/48")


def masked(address: str) -> str:
    """For people and logs: ``203.0.113.x``, ``2001:db8:1::x``."""
    found = parse(address)
    if found is None:
        return ""
    if found.version == 4:
        return str(found).rpartition(".")[0] + ".x"
    network = ip_network((found, 48), strict=False)
    return str(network.network_address) + "x"
