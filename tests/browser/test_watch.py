"""The watch over the browser sees what it is there for."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page

from tests.browser.conftest import Watch

PAGE = b"<!doctype html><title>Quiet</title><link rel=icon href=data:,><p id=out>Hello</p>"
POLICY = b"default-src 'none'; img-src data: https://elsewhere.example; script-src 'self'"


@pytest.fixture
async def origin() -> AsyncIterator[str]:
    """A tiny page with a policy."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n"
            b"Content-Security-Policy: %s\r\nContent-Length: %d\r\n\r\n%s"
            % (POLICY, len(PAGE), PAGE)
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def until_noticed(page: Page, watch: Watch, about: str) -> None:
    async with asyncio.timeout(10):
        while not any(about in line for line in watch.complaints):
            await page.evaluate("() => new Promise(requestAnimationFrame)")


async def test_a_quiet_page_passes(page: Page, origin: str, watch: Watch) -> None:
    await page.goto(origin)
    assert await page.inner_text("#out") == "Hello"
    assert watch.complaints == []


@pytest.mark.parametrize(
    ("script", "about"),
    [
        ("() => console.error('oh no')", "console: oh no"),
        ("() => void setTimeout(() => { throw new Error('broken') })", "broken"),
        ("() => void (new Image().src = 'http://127.0.0.1/x.png')", "CSP img-src"),
        ("() => void (new Image().src = 'https://elsewhere.example/x')", "another host"),
    ],
)
async def test_it_notices(page: Page, origin: str, watch: Watch, script: str, about: str) -> None:
    await page.goto(origin)
    await page.evaluate(script)
    await until_noticed(page, watch, about)
    watch.allow(".")
