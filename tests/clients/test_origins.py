"""Origins are taken in the one spelling in which browsers send them."""

import pytest

from authsvc.clients.origins import is_localhost, origin_of, origin_problem


@pytest.mark.parametrize(
    "origin",
    [
        "https://app.example.com",
        "https://app.example.com:8443",
        "https://xn--bcher-kva.example",
        "https://a",
        "https://203.0.113.9",
        "https://[2001:db8::1]",
        "http://localhost",
        "http://localhost:5173",
        "http://127.0.0.1:5173",
        "http://[::1]:5173",
    ],
)
def test_serialised_origins_are_taken(origin: str) -> None:
    assert origin_problem(origin) is None


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "*",
        "null",
        "app.example.com",
        "https://app.example.com/",
        "https://app.example.com/x",
        "https://app.example.com?x",
        "https://app.example.com#x",
        "HTTPS://app.example.com",
        "https://App.example.com",
        "https://app.example.com:443",
        "http://localhost:80",
        "https://app.example.com:0",
        "https://app.example.com:08443",
        "https://app.example.com:65536",
        "https://app.example.com:",
        "https://ann@app.example.com",
        "https://*.example.com",
        "https://bücher.example",
        "https://xn--a.example",
        "https://app..example.com",
        "https://app.example.com.",
        "https://.example.com",
        "https://-app.example.com",
        "https://app_x.example.com",
        "https://" + "a" * 64 + ".example",
        "https://" + "a.b" * 90 + ".example",
        "https://203.0.113",
        "https://203.0.113.09",
        "https://203.0.113.999",
        "https://1.2.3.0x4",
        "https://[2001:DB8::1]",
        "https://[2001:db8:0:0:0:0:0:1]",
        "https://[::1",
        "http://app.example.com",
        "ftp://app.example.com",
        " https://app.example.com",
        "https://app.example.com\n",
    ],
)
def test_other_spellings_are_refused(origin: str) -> None:
    assert origin_problem(origin) is not None


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("http://localhost", True),
        ("http://localhost:1", True),
        ("http://localhost:5173", True),
        ("https://localhost:5173", False),
        ("http://localhost:", False),
        ("http://localhost:05", False),
        ("http://localhost.example", False),
        ("http://localhost:5173.example", False),
        ("http://127.0.0.1:5173", False),
        ("http://localhost:5173\n", False),
    ],
)
def test_what_dev_mode_calls_localhost(origin: str, *, expected: bool) -> None:
    assert is_localhost(origin) is expected


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://auth.example.com", "https://auth.example.com"),
        ("https://auth.example.com:443", "https://auth.example.com"),
        ("https://auth.example.com:8443", "https://auth.example.com:8443"),
        ("http://localhost:80", "http://localhost"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_the_origin_of_a_url(url: str, origin: str) -> None:
    assert origin_of(url) == origin
