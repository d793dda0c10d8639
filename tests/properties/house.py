"""The whole service for a state machine: one event loop, a clock that stands still, a mailbox."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import httpx2
import redis
from hypothesis import HealthCheck, Phase, settings

from authsvc.app import create_app
from authsvc.bootstrap.services import Services, build
from authsvc.dev.mailbox import Kept, Mailbox
from authsvc.kernel.clock import FrozenClock
from authsvc.settings import Settings
from tests.actors import AUTH, FIREFOX, SPA, Browser
from tests.databases import Backend
from tests.live import SECRET

Answer = TypeVar("Answer")
START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
HOME = "203.0.113.9"
PATIENCE = 30.0  # seconds: a busy machine is no subject here either
NEVER = 1_000_000  # calls a minute: address limits are no subject here


def settings_for(backend: Backend, **changes: Any) -> Settings:
    """Production settings without limits on addresses."""
    tree: dict[str, Any] = {
        "public_url": AUTH,
        "database_url": backend.database_url,
        "redis_url": backend.redis_url,
        "store": {"prefix": backend.key_prefix, "timeout": 5.0},
        "secret_key": SECRET,
        "verify": {"floor": 0.0},
        "http": {"deadline": PATIENCE},
        "db": {"statement": PATIENCE, "lock": PATIENCE, "idle_tx": PATIENCE},
        "limits": dict.fromkeys(("sign_in", "verify", "refresh", "read", "public", "both"), NEVER),
        "clients": {
            "web": {"origins": [SPA], "audiences": ["orders-api"], "account_api": True},
        },
    }
    return Settings.model_validate(tree | changes)


def steps(*, examples: int, count: int) -> settings:
    """How much a state machine does. A failure is shown as it came: every try to make it
    smaller would run a whole service again.
    """
    return settings(
        max_examples=examples,
        stateful_step_count=count,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
    )


@dataclass(slots=True)
class House:
    """The service in this process; ``crash`` builds it anew over the same database."""

    backend: Backend
    settings: Settings
    clock: FrozenClock = field(default_factory=lambda: FrozenClock(START))
    runner: asyncio.Runner = field(default_factory=asyncio.Runner)
    mailbox: Mailbox = field(init=False)
    services: Services = field(init=False)
    _app: Any = field(init=False)
    _open: list[httpx2.AsyncClient] = field(default_factory=list[httpx2.AsyncClient])

    def __post_init__(self) -> None:
        self.mailbox = Mailbox(self.clock, tell=lambda _line: None)
        self._build()

    def run(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """The result of some work on the house's loop."""
        return self.runner.run(work)

    def together(self, *works: Callable[[], Awaitable[Answer]]) -> list[Answer]:
        """The results of works that run at the same time."""

        async def everything() -> list[Answer]:
            return list(await asyncio.gather(*(work() for work in works)))

        return self.run(everything())

    def crash(self) -> None:
        """Everything in memory is gone; what was committed stays."""
        self.run(self.services.stop())
        self._build()

    def flush(self) -> None:
        """The store forgets everything."""
        if self.backend.redis_url is None:
            self.crash()
            return
        with redis.Redis.from_url(self.backend.redis_url) as plain:
            for key in plain.scan_iter(match=f"{self.backend.key_prefix}*", count=1000):
                plain.unlink(key)

    def deliver(self) -> list[Kept]:
        """Let mail leave; every message so far, newest first."""
        self.run(self.services.dispatch.run_once())
        return list(self.mailbox.kept)

    def browser(self, *, user_agent: str = FIREFOX, address: str = HOME) -> Browser:
        """A fresh browser profile on a page of the company's application."""
        transport = httpx2.ASGITransport(app=self._answer, client=(address, 40000))
        http = httpx2.AsyncClient(transport=transport, base_url=AUTH)
        self._open.append(http)
        return Browser(http, origin=SPA, user_agent=user_agent)

    def later(self, seconds: float) -> None:
        """The clock steps."""
        self.clock.at += timedelta(seconds=seconds)

    def close(self) -> None:
        """Put everything away."""
        for http in self._open:
            self.run(http.aclose())
        self.run(self.services.stop())
        self.runner.close()

    def _build(self) -> None:
        self.services = build(self.settings, clock=self.clock, mailer=self.mailbox)
        self._app = create_app(self.services)
        self.run(self.services.start())

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app(scope, receive, send)
