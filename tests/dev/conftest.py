"""Dev mode's application, as ``authsvc dev`` builds it, on each back end."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from authsvc.bootstrap.services import Services, build
from authsvc.cli.dev import dev_app, dev_settings
from authsvc.dev.mailbox import Mailbox
from authsvc.dev.people import fixed_code
from authsvc.kernel.clock import ShiftedClock
from authsvc.platform import telemetry
from authsvc.worker import worker_of
from tests.databases import Backend

HOME = "http://localhost:8000"


@dataclass(slots=True)
class Dev:
    """A running dev mode and a terminal with curl beside it."""

    app: FastAPI
    services: Services
    http: httpx2.AsyncClient
    console: list[str] = field(default_factory=list[str])

    async def get(self, path: str, **params: str) -> Any:
        answer = await self.http.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = await self.http.post(path, json=body or {})
        assert answer.status_code in (200, 204), answer.text
        return answer.json() if answer.content else None

    async def asks_for_mail(self, email: str) -> dict[str, Any]:
        """Start a sign-in as a page would; the message in the mailbox."""
        page = {"Origin": HOME, "Sec-Fetch-Site": "same-origin", "X-Authsvc-Client": "test/1"}
        answer = await self.http.post("/v1/sign-in/email", json={"email": email}, headers=page)
        assert answer.status_code == 202, answer.text
        await worker_of(self.services).run_once()
        return (await self.get("/dev/mailbox.json", to=email))["items"][0]

    async def signs_in(self, email: str) -> dict[str, Any]:
        """Sign in with the mailed code; the finished envelope."""
        mail = await self.asks_for_mail(email)
        page = {"Origin": HOME, "Sec-Fetch-Site": "same-origin", "X-Authsvc-Client": "test/1"}
        code = {"code": mail["code"]}
        answer = await self.http.post("/v1/sign-in/email/code", json=code, headers=page)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
async def dev(backend: Backend, tmp_path: Path) -> AsyncIterator[Dev]:
    telemetry.set_up(dev=True, level="warning")
    environ = {
        "AUTHSVC_DATABASE_URL": backend.database_url,
        "AUTHSVC_VERIFY__FLOOR": "0",
        "AUTHSVC_STORE__PREFIX": backend.key_prefix,
        "AUTHSVC_WORKER_APART": "true",
    }
    if backend.redis_url is not None:
        environ["AUTHSVC_REDIS_URL"] = backend.redis_url
    settings = dev_settings(environ, port=8000, data=tmp_path / "dev")
    clock, console = ShiftedClock(), list[str]()
    mailbox = Mailbox(clock, tell=console.append)
    services = build(settings, clock=clock, mailer=mailbox, fixed_code=fixed_code)
    app = dev_app(services, clock=clock, mailbox=mailbox)
    transport = httpx2.ASGITransport(app=app, client=("127.0.0.1", 40000))
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url=HOME) as http,
    ):
        yield Dev(app, services, http, console)
