"""Whose address a request has. Spec: security.md C10, C11."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from authsvc.abuse.clientip import (
    Located,
    bucket_keys,
    locate,
    masked,
    network_of,
    parse,
)
from authsvc.abuse.service import Addresses

PROXY, INNER, CLIENT, OTHER = "10.0.0.2", "10.0.0.9", "203.0.113.9", "198.51.100.7"
SIX = "2001:db8::1"
TRUSTED = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
Headers = list[tuple[bytes, bytes]]


def forwarded(*values: str) -> Headers:
    return [(b"x-forwarded-for", value.encode("latin-1")) for value in values]


# A peer that is no trusted proxy: whatever it claims, it is itself.
FORGED: list[tuple[str | None, Headers]] = [
    (CLIENT, []),
    (CLIENT, forwarded(OTHER)),
    (CLIENT, forwarded(INNER)),
    (CLIENT, forwarded(PROXY, OTHER)),
    (CLIENT, forwarded(f"{OTHER}, {PROXY}")),
    (CLIENT, forwarded("127.0.0.1")),
    (CLIENT, forwarded("garbage")),
    (CLIENT, [(b"forwarded", f"for={OTHER};by={PROXY}".encode())]),
    (CLIENT, [(b"x-real-ip", OTHER.encode())]),
    (CLIENT, [(b"true-client-ip", OTHER.encode())]),
    (CLIENT, [(b"cf-connecting-ip", OTHER.encode())]),
    (CLIENT, [(b"x-forwarded", OTHER.encode()), (b"x_forwarded_for", OTHER.encode())]),
    (f"::ffff:{CLIENT}", forwarded(OTHER)),
    ("::ffff:cb00:7109", forwarded(OTHER)),
    ("64:ff9b::203.0.113.9", forwarded(OTHER)),
]


@pytest.mark.parametrize(("peer", "headers"), FORGED)
def test_a_stranger_names_nobody_else(peer: str | None, headers: Headers) -> None:
    assert locate(peer, headers, trusted=TRUSTED) == Located(CLIENT)


@pytest.mark.parametrize(("peer", "headers"), FORGED)
def test_without_trusted_proxies_every_peer_is_itself(peer: str | None, headers: Headers) -> None:
    assert locate(peer, headers, trusted=()) == Located(CLIENT)
    assert locate(PROXY, headers, trusted=()) == Located(PROXY)


@pytest.mark.parametrize("peer", [None, "", "testclient", "unix:", "/run/app.sock", "10.0.0", "%"])
def test_no_peer_no_address(peer: str | None) -> None:
    assert locate(peer, forwarded(CLIENT), trusted=TRUSTED) == Located("")


@pytest.mark.parametrize(
    ("peer", "headers", "expected"),
    [
        # one hop
        (PROXY, [], PROXY),
        (PROXY, forwarded(CLIENT), CLIENT),
        (PROXY, forwarded(f"  {CLIENT}\t"), CLIENT),
        (f"::ffff:{PROXY}", forwarded(CLIENT), CLIENT),
        ("fd00::5", forwarded(CLIENT), CLIENT),
        ("fd00::5%eth0", forwarded(CLIENT), CLIENT),
        ("FD00:0::5", forwarded(SIX), SIX),
        # what the client wrote itself stands further left
        (PROXY, forwarded(f"{OTHER}, {CLIENT}"), CLIENT),
        (PROXY, forwarded(f"{OTHER},{CLIENT}"), CLIENT),
        (PROXY, forwarded(OTHER, CLIENT), CLIENT),
        (PROXY, forwarded(f"127.0.0.1, {CLIENT}"), CLIENT),
        (PROXY, forwarded(f"10.9.9.9, {CLIENT}"), CLIENT),
        (PROXY, forwarded(f"garbage, {CLIENT}"), CLIENT),
        (PROXY, forwarded(f"{OTHER}, , {CLIENT}"), CLIENT),
        (PROXY, forwarded(f'"{OTHER}, {CLIENT}'), CLIENT),
        (PROXY, forwarded("", CLIENT), CLIENT),
        # several trusted hops
        (PROXY, forwarded(f"{CLIENT}, {INNER}"), CLIENT),
        (PROXY, forwarded(f"{OTHER}, {CLIENT}, {INNER}, fd00::9"), CLIENT),
        (PROXY, forwarded(CLIENT, INNER, INNER), CLIENT),
        (PROXY, forwarded(f"{CLIENT}, ::ffff:{INNER}"), CLIENT),
        (PROXY, forwarded(f"{CLIENT}, [fd00::9]:443, {INNER}:80"), CLIENT),
        (PROXY, forwarded(f"{CLIENT}, " + ", ".join([INNER] * 31)), CLIENT),
        (PROXY, forwarded("10.1.1.1, 10.2.2.2"), "10.1.1.1"),
        (PROXY, forwarded(", ".join([OTHER] * 500 + [CLIENT])), CLIENT),
        # spellings
        (PROXY, forwarded(f"{CLIENT}:4711"), CLIENT),
        (PROXY, forwarded(f'"{CLIENT}:4711"'), CLIENT),
        (PROXY, forwarded(f"[{SIX}]:443"), SIX),
        (PROXY, forwarded(f"[{SIX}]"), SIX),
        (PROXY, forwarded(f'"[{SIX}]:443"'), SIX),
        (PROXY, forwarded(f'"[{SIX}]"'), SIX),
        (PROXY, forwarded(SIX), SIX),
        (PROXY, forwarded("2001:DB8:0:0::1"), SIX),
        (PROXY, forwarded("2001:0db8:0000:0000:0000:0000:0000:0001"), SIX),
        (PROXY, forwarded(f"::ffff:{CLIENT}"), CLIENT),
        (PROXY, forwarded("::FFFF:CB00:7109"), CLIENT),
        (PROXY, forwarded(f"[::ffff:{CLIENT}]:443"), CLIENT),
        (PROXY, forwarded("64:ff9b::cb00:7109"), CLIENT),
        (PROXY, forwarded("[64:ff9b::203.0.113.9]"), CLIENT),
        (PROXY, forwarded("fe80::1%eth0"), "fe80::1"),
        (PROXY, forwarded("[fe80::1%25eth0]:80"), "fe80::1"),
        # headers that nobody asked for
        (PROXY, [(b"x-real-ip", CLIENT.encode())], PROXY),
        (PROXY, [(b"forwarded", f"for={CLIENT}".encode())], PROXY),
        (PROXY, [(b"x-client-ip", CLIENT.encode())], PROXY),
        (PROXY, [*forwarded(CLIENT), (b"x-real-ip", OTHER.encode())], CLIENT),
        (PROXY, [(b"x-forwarded-fo", OTHER.encode()), *forwarded(CLIENT)], CLIENT),
    ],
)
def test_behind_a_proxy(peer: str, headers: Headers, expected: str) -> None:
    assert locate(peer, headers, trusted=TRUSTED) == Located(expected)


@pytest.mark.parametrize(
    "hop",
    [
        "unknown", "_hidden", "_SEVKISEK", "-", "null", "localhost", "example.com", "", " ",
        "203.0.113", "203.0.113.9.1", "203.0.113.256", "203.0.113.09", "0313.0.113.9",
        "0xcb007109", "3405803785", "203.0.113.9/32", "203.0.113.9%eth0", "203.0.113.9\x00",
        "2\xb2.0.0.1", "203.0.113.9 198.51.100.7", "203.0.113.9;198.51.100.7", "\xa0203.0.113.9",
        "203.0.113.9:", "203.0.113.9:port", "203.0.113.9:123456", "203.0.113.9:+80", ":80",
        "[203.0.113.9]", "[2001:db8::1", "2001:db8::1]", "[2001:db8::1]x", "[2001:db8::1]:",
        "[2001:db8::1]:99999999", "[[2001:db8::1]]", "[]", "[]:80", "[%eth0]", "2001:db8:::1",
        "2001:db8::g", "1:2:3:4:5:6:7:8:9", '"', '""', '"203.0.113.9', "for=203.0.113.9",
        "http://203.0.113.9", "%", "203.0.113.9%", "fe80::1%eth0]", "fe80::1%",
        "fe80::1%a b", "fe80::1%\xe9", "fe80::1%" + "z" * 65,
    ],
)  # fmt: skip
def test_a_hop_that_is_none_leaves_the_peer(hop: str) -> None:
    alone = forwarded(hop)
    behind = forwarded(f"{CLIENT}, {hop}, {INNER}")
    for headers in (alone, behind):
        assert locate(PROXY, headers, trusted=TRUSTED) == Located(PROXY, unreadable=True)
    assert locate(PROXY, forwarded(f"{hop}, {CLIENT}"), trusted=TRUSTED) == Located(CLIENT)


@given(value=st.binary(max_size=200))
def test_no_header_raises_and_none_counts_without_a_trusted_peer(value: bytes) -> None:
    headers = [(b"x-forwarded-for", value), (b"forwarded", value), (b"x-real-ip", value)]
    assert locate(CLIENT, headers, trusted=TRUSTED) == Located(CLIENT)
    assert locate(PROXY, headers, trusted=TRUSTED).address


@given(written=st.lists(st.text(st.characters(max_codepoint=255), max_size=40), max_size=6))
def test_what_a_client_writes_moves_nothing(written: list[str]) -> None:
    """The proxy appends the address that it sees: the rest is the client's own invention."""
    headers = [*forwarded(*written), *forwarded(CLIENT)]
    assert locate(PROXY, headers, trusted=TRUSTED) == Located(CLIENT)
    joined = forwarded(", ".join([*written, CLIENT]))
    assert locate(PROXY, joined, trusted=TRUSTED) == Located(CLIENT)


@given(address=st.ip_addresses())
def test_parse_is_canonical(address: object) -> None:
    found = parse(str(address))
    assert found is not None
    assert parse(str(found)) == found
    assert bucket_keys(str(address)) == bucket_keys(str(found))


@given(address=st.ip_addresses(v=4))
def test_every_alias_of_an_ipv4_address_shares_its_bucket(address: object) -> None:
    low = int(ip_address(str(address)))
    groups = f"{low >> 16:x}:{low & 0xFFFF:x}"
    aliases = [
        f"::ffff:{address}", f"::ffff:{groups}", f"0:0:0:0:0:FFFF:{groups}",
        f"64:ff9b::{address}", f"64:ff9b::{groups}", f"::ffff:{groups}%eth0",
    ]  # fmt: skip
    for alias in aliases:
        assert bucket_keys(alias) == bucket_keys(str(address))


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("2001:db8::1", "2001:0db8:0000::0001"),
        ("2001:db8::1", "2001:db8::ffff:1"),
        ("2001:db8::1", "2001:DB8::1%eth0"),
        ("fe80::1%eth0", "fe80::1%wlan0"),
        ("", "nonsense"),
    ],
)
def test_aliases_share_a_bucket(one: str, two: str) -> None:
    assert bucket_keys(one) == bucket_keys(two)


def test_buckets() -> None:
    assert bucket_keys("203.0.113.9") != bucket_keys("203.0.113.10")
    here, there = bucket_keys("2001:db8:1:1::1"), bucket_keys("2001:db8:1:2::1")
    assert here[0] != there[0]
    assert here[1] == there[1]
    assert bucket_keys("2001:db8:2:1::1")[1] != here[1]
    assert bucket_keys("") == ("none",)
    # No IPv4 address shares a key with an IPv6 network.
    assert set(bucket_keys("32.1.13.184")).isdisjoint(bucket_keys("2001:db8::1"))


@pytest.mark.parametrize(
    ("address", "shown", "network"),
    [
        ("203.0.113.9", "203.0.113.x", "203.0.0.0/16"),
        ("::ffff:203.0.113.9", "203.0.113.x", "203.0.0.0/16"),
        ("2001:db8:1:2::3", "2001:db8:1::x", "2001:db8::/32"),
        ("2001:db8::3", "2001:db8::x", "2001:db8::/32"),
        ("2001:0:1:2::3", "2001:0:1::x", "2001::/32"),
        ("fe80::1%eth0", "fe80::x", "fe80::/32"),
        ("::1", "::x", "::/32"),
        ("", "", ""),
        ("nonsense", "", ""),
    ],
)
def test_for_people_and_comparisons(address: str, shown: str, network: str) -> None:
    assert (masked(address), network_of(address)) == (shown, network)


def test_the_log_tells_of_a_proxy_that_cannot_be_read() -> None:
    addresses = Addresses(TRUSTED)
    with capture_logs() as lines:
        assert addresses.of(PROXY, forwarded(CLIENT)) == CLIENT
        assert addresses.of(CLIENT, forwarded("garbage")) == CLIENT
        assert addresses.of(PROXY, []) == PROXY
    assert lines == []
    with capture_logs() as lines:
        assert addresses.of(PROXY, forwarded("garbage")) == PROXY
    assert lines == [
        {
            "event": "forwarded_unreadable",
            "log_level": "warning",
            "ip": "10.0.0.x",
            "fix": "proxy.trusted",
        }
    ]
