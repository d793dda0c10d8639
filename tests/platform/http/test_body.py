"""Which bodies get past the edge, and when one is refused."""

from typing import Any

import pytest

from tests.platform.http.wire import JSON, NOTE, PAGE, Wire, refused


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        (b"application/json", 200),
        (b"Application/JSON; charset=UTF-8", 200),
        (b'application/json;charset="utf-8"', 200),
        (b"application/json; charset=latin-1", 415),
        (b"application/json, text/plain", 415),
        (b"application/problem+json", 415),
        (b"text/plain", 415),
        (b"text/plain; application/json", 415),
        (b"application/x-www-form-urlencoded", 415),
        (b"multipart/form-data; boundary=x", 415),
        (b"", 415),
        (b"\xff", 415),
        (None, 415),
    ],
)
async def test_json_only(wire: Wire, content_type: bytes | None, status: int) -> None:
    headers = [] if content_type is None else [(b"content-type", content_type)]
    answer = await wire.call("POST", "/v1/notes", headers=headers, body=[NOTE])
    assert answer is not None
    assert answer.status == status
    if status != 200:
        assert refused(answer) == (415, "unsupported_media_type")


async def test_the_type_is_judged_before_the_content(wire: Wire) -> None:
    answer = await wire.call("POST", "/v1/notes", body=[b'{"unknown":'])
    assert refused(answer) == (415, "unsupported_media_type")


async def test_a_page_names_the_type_even_without_a_body(wire: Wire) -> None:
    nameless = [pair for pair in PAGE if pair[0] != b"content-type"]
    answer = await wire.call("POST", "/v1/logout", headers=nameless)
    assert refused(answer) == (415, "unsupported_media_type")
    answer = await wire.call("POST", "/v1/logout", headers=PAGE)
    assert answer is not None
    assert answer.status == 204


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (b"{", (400, "bad_request")),
        (b'{"text":"a","text":"b"}', (400, "bad_request")),
        (b'{"text":NaN}', (400, "bad_request")),
        (b'{"text":"\\u0000"}', (422, "validation_failed")),
        (b'{"text":"a","count":1e99}', (422, "validation_failed")),
        (b"[" * 40 + b"]" * 40, (422, "validation_failed")),
        (b"[]", (422, "validation_failed")),
        (b"null", (422, "validation_failed")),
        (b"", (422, "validation_failed")),
    ],
)
async def test_content(wire: Wire, body: bytes, outcome: tuple[int, str]) -> None:
    answer = await wire.call("POST", "/v1/notes", headers=JSON, body=[body])
    assert refused(answer) == outcome


@pytest.mark.parametrize("path", ["/v1/notes", "/v1/nothing", "/dev/nothing"])
async def test_a_cap_while_streaming(wire: Wire, path: str) -> None:
    parts = [b"x" * 4096] * 8
    answer = await wire.call("POST", path, headers=JSON, body=parts)
    assert refused(answer) == (413, "payload_too_large")


async def test_a_body_of_the_cap_in_parts_arrives_whole(wire: Wire) -> None:
    whole = NOTE + b" " * (16 * 1024 - len(NOTE))
    parts = [whole[i : i + 1000] for i in range(0, len(whole), 1000)]
    answer = await wire.call("POST", "/v1/notes", headers=JSON, body=parts)
    assert answer is not None
    assert answer.json() == {"text": "hello"}


@pytest.mark.parametrize(
    ("declared", "outcome"),
    [
        (b"16385", (413, "payload_too_large")),
        (b"9" * 18, (413, "payload_too_large")),
        (b"9" * 40, (400, "bad_request")),
        (b"-1", (400, "bad_request")),
        (b"1, 1", (400, "bad_request")),
        (b"+5", (400, "bad_request")),
        (b"\xb2", (400, "bad_request")),
    ],
)
async def test_a_declared_length_is_believed_only_against_the_client(
    wire: Wire, declared: bytes, outcome: tuple[int, str]
) -> None:
    headers = [*JSON, (b"content-length", declared)]
    answer = await wire.call("POST", "/v1/notes", headers=headers, body=[None])
    assert refused(answer) == outcome


async def test_a_client_that_goes_away_is_no_error(wire: Wire, logged: Any) -> None:
    answer = await wire.call("POST", "/v1/notes", headers=JSON, body=[b'{"te', None])
    assert answer is None
    (line,) = logged()
    assert (line["event"], line["level"], line["status"]) == ("request", "info", 499)


async def test_reads_ignore_bodies(wire: Wire) -> None:
    answer = await wire.call("GET", body=[b"\xff" * 100])
    assert answer is not None
    assert answer.status == 200
