"""The shipped application on each back end, with real mail and an injected clock."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
import structlog

from authsvc.app import create_app
from authsvc.bootstrap.services import Services, build
from authsvc.kernel.clock import ShiftedClock
from authsvc.platform import telemetry
from authsvc.settings import Settings
from authsvc.worker import worker_of
from tests.actors import AUTH, FIREFOX, SPA, Browser, Person
from tests.mail import Inbox, smtp_inbox

SECRET = "k3UoFz7rXn5tQw9yBd1eGh4jLm6pRs8vKx2zCa0uEi0"
HOME = "203.0.113.9"


@dataclass(slots=True)
class Stage:
    """The running service and the ways to reach it."""

    app: Any
    services: Services
    clock: ShiftedClock
    inbox: Inbox
    closing: contextlib.AsyncExitStack

    async def browser(
        self, *, origin: str | None = AUTH, user_agent: str = FIREFOX, address: str = HOME
    ) -> Browser:
        """A fresh browser profile on a page of the origin; None = a native app."""
        transport = httpx2.ASGITransport(app=self.app, client=(address, 40000))
        http = httpx2.AsyncClient(transport=transport, base_url=AUTH)
        await self.closing.enter_async_context(http)
        return Browser(http, origin=origin, user_agent=user_agent)

    async def person(self, address: str, **browser: Any) -> Person:
        """Somebody at a browser of their own."""
        return Person(address, await self.browser(**browser), self.inbox, self.deliver)

    async def deliver(self) -> None:
        """Let the worker do all that is due."""
        await worker_of(self.services).run_once()


def settings_for(backend: Any, inbox: Inbox, **changes: Any) -> Settings:
    """Production settings of a small company."""
    tree: dict[str, Any] = {
        "public_url": AUTH,
        "app_name": "Acme",
        "database_url": backend.database_url,
        "redis_url": backend.redis_url,
        "store": {"prefix": backend.key_prefix, "timeout": 2.0},
        "secret_key": SECRET,
        "mail": {"smtp_url": inbox.url, "from": "Acme <no-reply@example.com>"},
        "verify": {"floor": 0.0},
        "clients": {
            "web": {
                "origins": [SPA],
                "return_to": [SPA + "/"],
                "audiences": ["orders-api"],
                "account_api": True,
            },
            "cli": {"native": True, "audiences": ["orders-api"], "account_api": True},
        },
    }
    return Settings.model_validate(tree | changes)


@pytest.fixture(autouse=True, scope="session")
def logs() -> None:
    """Logs as in production."""
    telemetry.set_up(dev=False)
    # Commands that other tests run in this process set up their own.
    structlog.configure(cache_logger_on_first_use=False)


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with smtp_inbox() as found:
        yield found


@pytest.fixture
def changes() -> dict[str, Any]:
    """Settings that a test module or class overrides."""
    return {}


@pytest.fixture
async def stage(backend: Any, inbox: Inbox, changes: dict[str, Any]) -> AsyncIterator[Stage]:
    clock = ShiftedClock()
    services = build(settings_for(backend, inbox, **changes), clock=clock)
    app = create_app(services)
    async with contextlib.AsyncExitStack() as closing:
        await services.start()
        closing.push_async_callback(services.stop)
        yield Stage(app, services, clock, inbox, closing)


@pytest.fixture
async def ann(stage: Stage) -> Person:
    return await stage.person("ann@example.com")
