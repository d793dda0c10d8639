"""Chromium for the tests: a clean profile each time, watched for whatever should not happen."""

import os
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    async_playwright,
)

VARIABLE = "AUTHSVC_TEST_CHROMIUM"
PROGRAMS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
MISSING = (
    "The browser tests need Chromium and found none. Debian: apt-get install chromium."
    " macOS: brew install --cask chromium. Another place: name the program in " + VARIABLE + "."
)
LOOPBACK = ("localhost", "*.localhost", "127.0.0.1")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A page that asks for anything but the loopback gets no answer, even by accident.
    f"--host-resolver-rules=MAP * ~NOTFOUND, {', '.join(f'EXCLUDE {host}' for host in LOOPBACK)}",
]
# Reported by the page itself, so that a violation has its directive and what was refused.
LISTEN = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`CSP ${event.effectiveDirective} refused ${event.blockedURI} ${event.sample}`));
"""

NewContext = Callable[[], Awaitable[BrowserContext]]


@dataclass  # without slots: Playwright notes on a handler's owner that it knows it
class Watch:
    """What went wrong in the pages; ``allow`` says beforehand what a test brings about itself."""

    seen: list[str] = field(default_factory=list)
    allowed: list[re.Pattern[str]] = field(default_factory=list)

    def allow(self, pattern: str) -> None:
        """A complaint that matches is part of this test's story."""
        self.allowed.append(re.compile(pattern))

    @property
    def complaints(self) -> list[str]:
        """Console errors, page errors, CSP violations and foreign requests not allowed."""
        return [line for line in self.seen if not any(found.search(line) for found in self.allowed)]

    async def over(self, context: BrowserContext) -> None:
        """Watch every page that this profile opens."""
        await context.add_init_script(LISTEN)
        context.on("console", self._console)
        context.on("weberror", lambda error: self.seen.append(f"page error: {error.error}"))
        context.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.seen.append(f"console: {message.text} ({message.location.get('url')})")

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("data", "blob", "about"):
            return
        host = parts.hostname or ""
        if host not in ("localhost", "127.0.0.1", "::1") and not host.endswith(".localhost"):
            self.seen.append(f"request to another host: {request.url}")


def chromium_program() -> str:
    """The browser's path; the test fails when there is none."""
    for candidate in (os.environ.get(VARIABLE), *PROGRAMS):
        found = shutil.which(candidate) if candidate else None
        if found:
            return found
    pytest.fail(MISSING, pytrace=False)


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    """A real Chromium that reaches the loopback only."""
    program = chromium_program()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=FLAGS)
        try:
            yield browser
        finally:
            await browser.close()


@pytest.fixture
async def watch() -> AsyncIterator[Watch]:
    """Collects complaints of all pages; the test fails in the end when there are any."""
    found = Watch()
    yield found
    assert found.complaints == []


@pytest.fixture
async def new_context(chromium: Browser, watch: Watch) -> AsyncIterator[NewContext]:
    """Opens another clean, watched profile: the same person's second browser, or a stranger's."""
    async with AsyncExitStack() as stack:

        async def open_one() -> BrowserContext:
            context = await chromium.new_context(locale="en-GB")
            stack.push_async_callback(context.close)
            await watch.over(context)
            return context

        yield open_one


@pytest.fixture
async def context(new_context: NewContext) -> BrowserContext:
    """A clean, watched profile."""
    return await new_context()


@pytest.fixture
async def page(context: BrowserContext) -> Page:
    """A page in a clean profile."""
    return await context.new_page()
