"""Whose address a request has. Spec: security.md C10, C11."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.abuse.clientip import bucket_keys, client_address, masked, network_of

PROXY, CLIENT, OTHER = "10.0.0.2", "203.0.113.9", "198.51.100.7"
TRUSTED = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


def forwarded(*values: str) -> list[tuple[bytes, bytes]]:
    return [(b"x-forwarded-for", value.encode("latin-1")) for value in values]


@pytest.mark.parametrize(
    ("peer", "headers", "expected"),
    [
        (CLIENT, [], CLIENT),
        (CLIENT, forwarded(OTHER), CLIENT),
        (CLIENT, forwarded("10.0.0.9"), CLIENT),
        (None, [], ""),
        ("", forwarded(OTHER), ""),
        ("testclient", forwarded(OTHER), ""),
        (PROXY, [], PROXY),
        (PROXY, forwarded(CLIENT), CLIENT),
        (PROXY, forwarded(f"{OTHER}, {CLIENT}"), CLIENT),
        (PROXY, forwarded(OTHER, CLIENT), CLIENT),
        (PROXY, forwarded(f"{OTHER}, {CLIENT}, 10.0.0.9"), CLIENT),
        (PROXY, forwarded(f"10.9.9.9,{CLIENT}"), CLIENT),
        (PROXY, forwarded("10.1.1.1, 10.2.2.2"), "10.1.1.1"),
        (PROXY, forwarded(f"{CLIENT}:4711"), CLIENT),
        (PROXY, forwarded("[2001:db8::1]:443"), "2001:db8::1"),
        (PROXY, forwarded('"[2001:db8::1]"'), "2001:db8::1"),
        (PROXY, forwarded("2001:DB8:0:0::1"), "2001:db8::1"),
        (PROXY, forwarded(f"::ffff:{CLIENT}"), CLIENT),
        (PROXY, forwarded("64:ff9b::cb00:7109"), CLIENT),
        (PROXY, forwarded("fe80::1%eth0"), "fe80::1"),
        (PROXY, forwarded("unknown"), PROXY),
        (PROXY, forwarded("_hidden"), PROXY),
        (PROXY, forwarded(""), PROXY),
        (PROXY, forwarded(f"{OTHER}, , {CLIENT}"), CLIENT),
        (PROXY, forwarded(f"{OTHER}, garbage"), PROXY),
        (PROXY, forwarded(f"{OTHER}, garbage, 10.0.0.9"), "10.0.0.9"),
        (PROXY, forwarded("203.0.113.09"), PROXY),
        (PROXY, forwarded("0xcb007109"), PROXY),
        (PROXY, forwarded("3405803785"), PROXY),
        (PROXY, forwarded("203.0.113.9\x00"), PROXY),
        (PROXY, forwarded("2\xb2.0.0.1"), PROXY),
        (PROXY, [(b"x-real-ip", CLIENT.encode())], PROXY),
        (PROXY, [(b"forwarded", f"for={CLIENT}".encode())], PROXY),
        (PROXY, [(b"x-client-ip", CLIENT.encode())], PROXY),
        ("::ffff:10.0.0.2", forwarded(CLIENT), CLIENT),
        ("fd00::5", forwarded(CLIENT), CLIENT),
        ("::ffff:203.0.113.9", forwarded(OTHER), CLIENT),
    ],
)
def test_client(peer: str | None, headers: list[tuple[bytes, bytes]], expected: str) -> None:
    assert client_address(peer, headers, trusted=TRUSTED) == expected


@given(value=st.binary(max_size=200))
def test_no_header_raises_and_none_counts_without_a_trusted_peer(value: bytes) -> None:
    headers = [(b"x-forwarded-for", value), (b"forwarded", value), (b"x-real-ip", value)]
    assert client_address(CLIENT, headers, trusted=TRUSTED) == CLIENT
    assert client_address(PROXY, headers, trusted=TRUSTED)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("203.0.113.9", "::ffff:203.0.113.9"),
        ("203.0.113.9", "64:ff9b::203.0.113.9"),
        ("2001:db8::1", "2001:0db8:0000::0001"),
        ("2001:db8::1", "2001:db8::ffff:1"),
        ("fe80::1%eth0", "fe80::1%wlan0"),
    ],
)
def test_aliases_share_a_bucket(one: str, two: str) -> None:
    assert bucket_keys(one) == bucket_keys(two)


def test_buckets() -> None:
    assert bucket_keys("203.0.113.9") != bucket_keys("203.0.113.10")
    here, there = bucket_keys("2001:db8:1:1::1"), bucket_keys("2001:db8:1:2::1")
    assert here[0] != there[0]
    assert here[1] == there[1]
    assert bucket_keys("") == bucket_keys("nonsense") == ("none",)


def test_for_people() -> None:
    assert masked("203.0.113.9") == "203.0.113.x"
    assert masked("2001:db8:1:2::3") == "2001:db8:1::x"
    assert network_of("203.0.113.9") == "203.0.0.0/16"
    assert network_of("2001:db8:1::1") == "2001:db8::/32"
    assert (masked(""), network_of("")) == ("", "")
