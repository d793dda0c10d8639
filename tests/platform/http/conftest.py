"""The small application, the ways to call it, and what it logged."""

import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx2
import pytest
import structlog
from fastapi import FastAPI

from authsvc.platform import telemetry
from tests.platform.http.small_app import AUTH, SPA, Seen, make_app
from tests.platform.http.wire import Wire


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def app(seen: Seen) -> FastAPI:
    return make_app(seen)


@pytest.fixture
def wire(app: FastAPI) -> Wire:
    return Wire(app)


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=app, client=("203.0.113.9", 40000))
    async with httpx2.AsyncClient(transport=transport, base_url=AUTH) as client:
        yield client


@pytest.fixture
def page() -> dict[str, str]:
    """The headers of a page that may call."""
    return {
        "Origin": SPA,
        "Sec-Fetch-Site": "same-site",
        "X-Authsvc-Client": "test/1",
        "Content-Type": "application/json",
    }


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """The lines logged since the last look, as production writes them."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    telemetry.set_up(dev=False)
    capsys.readouterr()

    def lines() -> list[dict[str, Any]]:
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    yield lines
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()
