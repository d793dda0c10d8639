"""Strict cookies reach only pages of the same site."""

import pytest

from authsvc.clients.same_site import same_site_problem

AUTH = "https://auth.example.com"


@pytest.mark.parametrize(
    ("public_url", "origin"),
    [
        (AUTH, "https://app.example.com"),
        (AUTH, "https://example.com"),
        (AUTH, "https://deep.er.example.com:8443"),
        (AUTH, AUTH),
        ("https://auth.example.co.uk", "https://app.example.co.uk"),
        ("https://auth.corp.internal", "https://app.corp.internal"),
        ("https://auth.xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("http://localhost:8000", "http://localhost:5173"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:5173"),
        ("http://[::1]:8000", "http://[::1]:5173"),
        ("https://203.0.113.9", "https://203.0.113.9:8443"),
        ("https://auth", "https://auth:8443"),
    ],
)
def test_one_site(public_url: str, origin: str) -> None:
    assert same_site_problem(public_url, origin) is None


@pytest.mark.parametrize(
    ("public_url", "origin"),
    [
        (AUTH, "https://myapp.io"),
        (AUTH, "https://app.example.org"),
        (AUTH, "https://auth.example.com.evil.example"),
        (AUTH, "http://app.example.com"),
        ("https://a.example.co.uk", "https://b.other.co.uk"),
        ("https://ann.github.io", "https://bob.github.io"),
        ("https://auth.internal", "https://app.internal"),
        ("http://localhost:8000", "http://127.0.0.1:5173"),
        ("http://localhost:8000", "https://localhost:5173"),
        (AUTH, "http://localhost:5173"),
        ("https://203.0.113.9", "https://203.0.113.8"),
    ],
)
def test_two_sites_are_told_apart_in_a_sentence(public_url: str, origin: str) -> None:
    problem = same_site_problem(public_url, origin)
    assert problem is not None
    assert origin in problem
    assert public_url in problem
