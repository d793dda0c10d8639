"""One line a request, and nothing in it that should not leave."""

import asyncio
import json
import logging
from typing import Any

import pytest
import structlog

from authsvc.kernel.secret import Secret
from authsvc.platform import telemetry
from tests.platform.http.wire import Pairs, Wire

FIREFOX = b"Mozilla/5.0 (X11; Linux x86_64; rv:148.0) Gecko/20100101 Firefox/148.0"
JSON: Pairs = [(b"content-type", b"application/json")]


async def test_the_line_of_a_request(wire: Wire, logged: Any) -> None:
    headers = [(b"user-agent", FIREFOX), (b"authorization", b"Bearer canary")]
    answer = await wire.call(path="/v1/things/thg_1", query=b"t=canary", headers=headers)
    assert answer is not None
    (line,) = logged()
    assert line.pop("ts").endswith("Z")
    assert 0 <= line.pop("ms") < 5000
    assert line == {
        "level": "info",
        "event": "request",
        "request_id": answer.values(b"x-request-id")[0].decode(),
        "method": "GET",
        "route": "/v1/things/{thing_id}",
        "status": 200,
        "ip": "203.0.113.x",
        "ua": "Firefox/Linux",
    }


@pytest.mark.parametrize(
    ("method", "path", "route"),
    [
        ("GET", "/v1/notes", "/v1/notes"),
        ("HEAD", "/livez", "/livez"),
        ("POST", "/v1/session/resume", "/v1/session/resume"),
        ("GET", "/ui/secret-name", "/ui/*"),
        ("GET", "/v1/things/a/b", "-"),
        ("GET", "/secret-path", "-"),
    ],
)
async def test_routes_by_their_template(
    wire: Wire, logged: Any, method: str, path: str, route: str
) -> None:
    await wire.call(method, path)
    (line,) = logged()
    assert (line["method"], line["route"]) == (method, route)


async def test_a_refusal_says_why_to_the_operator_only(wire: Wire, logged: Any) -> None:
    answer = await wire.call(path="/v1/odd/refusal", query=b"code=code_incorrect")
    assert answer is not None
    assert "log" not in answer.json()
    (line,) = logged()
    assert (line["code"], line["reason"]) == ("code_incorrect", "private words")


async def test_an_unlisted_origin_is_logged_with_its_setting(wire: Wire, logged: Any) -> None:
    headers = [*JSON, (b"origin", b"https://shop.example.com")]
    await wire.call("POST", "/v1/notes", headers=headers, body=[b"{}"])
    (line,) = logged()
    assert line["code"] == "csrf_rejected"
    assert line["fix"] == "clients.<id>.origins"
    assert line["origin"] == "https://shop.example.com"


async def test_failures_are_warnings(wire: Wire, logged: Any) -> None:
    await wire.call(path="/v1/odd/refusal", query=b"code=store_unavailable")
    (line,) = logged()
    assert (line["level"], line["status"]) == ("warning", 503)


def test_only_listed_fields_leave(logged: Any) -> None:
    log: Any = structlog.get_logger()
    log.info("tried", user="usr_1", password="canary", token="canary", body={"a": "canary"})
    (line,) = logged()
    assert line.keys() == {"ts", "level", "event", "user"}


def test_secrets_controls_and_long_texts_are_tamed(logged: Any) -> None:
    log: Any = structlog.get_logger()
    log.info("tried", reason="a\nb\x1b[31m" + "x" * 5000, error=Secret("canary"))
    (line,) = logged()
    assert line["error"] == "Secret(***)"
    assert len(line["reason"]) == telemetry.MAX_TEXT


def test_one_event_is_one_line_of_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    line = telemetry.as_json(None, "info", {"event": "a\r\n\u2028é\ud800"})
    assert line.isascii()
    assert len(line.splitlines()) == 1
    assert json.loads(line)["event"] == "a\r\n\u2028é\ud800"


def test_a_trace_has_places_and_no_messages(logged: Any) -> None:
    log: Any = structlog.get_logger()
    try:
        try:
            int("canary")
        except ValueError as error:
            raise LookupError("canary") from error
    except LookupError as error:
        log.exception("unhandled", error=error)
    (line,) = logged()
    assert line["error"] == "LookupError"
    kinds = [entry for entry in line["exception"] if not entry.startswith(" ")]
    assert kinds == ["builtins.LookupError", "builtins.ValueError"]
    assert any("test_a_trace_has_places" in entry for entry in line["exception"])
    assert "canary" not in json.dumps(line)


def test_libraries_write_the_same_way(logged: Any) -> None:
    logging.getLogger("library.part").warning("lost %s\ncanary in a repr", "one")
    logging.getLogger("library.part").info("too chatty")
    logging.getLogger("library.part").error("broke", exc_info=ValueError("canary"))
    lost, broke = logged()
    assert (lost["event"], lost["name"], lost["message"]) == (
        "library",
        "library.part",
        "lost one",
    )
    assert broke["exception"] == ["builtins.ValueError"]
    assert "canary" not in json.dumps([lost, broke])


async def test_a_forgotten_task_tells_no_secret(logged: Any) -> None:
    async def fails() -> None:
        raise ValueError("canary")

    task = asyncio.create_task(fails())
    await asyncio.wait([task])
    context = {"message": "never retrieved", "exception": task.exception(), "future": task}
    asyncio.get_running_loop().default_exception_handler(context)
    (line,) = logged()
    assert (line["name"], line["message"]) == ("asyncio", "never retrieved")
    assert "canary" not in json.dumps(line)


@pytest.mark.usefixtures("logged")
def test_dev_mode_writes_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.set_up(dev=True, level="warning")
    log: Any = structlog.get_logger()
    log.info("quiet")
    log.warning("loud", reason="because", password="canary")
    out = capsys.readouterr().out
    assert "quiet" not in out
    assert "canary" not in out
    assert "loud" in out
    assert "reason=because" in out
