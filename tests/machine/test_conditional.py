"""Which clients have the bytes already, and which take them compressed."""

import pytest

from authsvc.platform.http.conditional import Representation, accepts_gzip, matches

ETAG = '"0123456789abcdef"'


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, False),
        ("", False),
        (ETAG, True),
        (f"W/{ETAG}", True),
        (f'"a", {ETAG}', True),
        (f'"a",{ETAG},"b"', True),
        ("*", True),
        (" * ", True),
        ('"other"', False),
        (ETAG.strip('"'), False),
        (f"{ETAG[:-1]}", False),
        (f"w/{ETAG}x", True),
        ('"*"', False),
        (f'{ETAG[:-1]}g"', False),
    ],
)
def test_if_none_match(header: str | None, *, expected: bool) -> None:
    assert matches(header, ETAG) is expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", False),
        ("identity", False),
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("br, gzip", True),
        ("br;q=1.0, gzip;q=0.5, *;q=0.1", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("gzip;q=0.001", True),
        ("*", True),
        ("*;q=0", False),
        ("gzip;q=0, *", False),
        ("*, gzip;q=0", False),
        ("*;q=0, gzip", True),
        ("gzipped", False),
        ("br", False),
        (";;;", False),
    ],
)
def test_accept_encoding(header: str, *, expected: bool) -> None:
    assert accepts_gzip(header) is expected


def test_small_things_are_not_compressed() -> None:
    assert Representation.of(b"x" * 100, "text/plain").compressed is None
    assert Representation.of(b"x" * 1000, "text/plain").compressed is not None


def test_the_etag_follows_the_bytes() -> None:
    one, same, other = (Representation.of(body, "text/plain") for body in (b"a", b"a", b"b"))
    assert one.etag == same.etag != other.etag
