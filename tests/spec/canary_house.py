"""A running service whose secrets are known, and what can be seen of it."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from authsvc.bootstrap.services import Services, build
from authsvc.settings import load
from tests.faults.processes import Service, Town
from tests.live import free_port
from tests.mail import Inbox
from tests.spec import canaries
from tests.spec.canaries import Hit, decoded, search

CODE, CONFIRM = "/v1/sign-in/email/code", "/v1/sign-in/link/confirm"
START, RESUME = "/v1/sign-in/email", "/v1/session/resume"
ROOTS = [secrets.token_urlsafe(40), secrets.token_urlsafe(40)]
DATABASE, STORE, SMTP = (secrets.token_urlsafe(24) for _ in range(3))  # passwords
LATER = "later@example.com"  # whose mail server is busy all day
COMMANDS = [
    ["config", "check"], ["config", "print"], ["config", "print", "--json"], ["keys", "list"],
    ["users", "find"], ["users", "invite", LATER], ["mail", "test", "ann@example.com"],
    ["secrets", "status"], ["secrets", "reseal"], ["keys", "rotate", "--emergency"],
    ["migrate", "status"], ["worker", "--once"],
]  # fmt: skip
RUN = (
    "import json, sys; from authsvc.cli.main import run;"
    "print([run(words) for words in json.loads(sys.argv[1])])"
)


@dataclass(slots=True)
class Guarded(Inbox):
    """A mail server with a password that never has time for one recipient."""

    async def handle_RCPT(  # noqa: N802 aiosmtpd calls it so
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if not session.authenticated:
            return "530 who are you"
        if address == LATER:
            return "450 later"
        envelope.rcpt_tos.append(address)
        return "250 fine"


@contextmanager
def guarded_inbox() -> Iterator[Guarded]:
    inbox, port = Guarded(), free_port()

    def check(
        _server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any
    ) -> AuthResult:
        ours = isinstance(given, LoginPassword) and given.password == SMTP.encode()
        return AuthResult(success=ours)

    controller = Controller(
        inbox, hostname="127.0.0.1", port=port, authenticator=check, auth_require_tls=False
    )  # fmt: skip
    controller.start()
    try:
        inbox.url = f"smtp://postman:{SMTP}@127.0.0.1:{port}"
        yield inbox
    finally:
        controller.stop()


@dataclass(slots=True)
class House:
    """The running service, the secrets known so far, and what it has left behind."""

    service: Service
    town: Town
    environ: dict[str, str]
    known: dict[str, bytes] = field(default_factory=dict[str, bytes])
    media: dict[str, bytes] = field(default_factory=dict[str, bytes])

    def keep(self, name: str, secret: str | None) -> None:
        """Remember a secret: its text, and the bytes behind it."""
        assert secret, name
        for way, value in zip(("", " decoded"), decoded(secret), strict=False):
            self.known[name + way] = value

    def keep_credential(self, name: str, credential: str | None) -> None:
        """Of a session credential the MAC is secret; what it is a MAC of is not."""
        assert credential, name
        self.keep(name, credential.rpartition(".")[2])

    def note(self, medium: str, content: bytes) -> None:
        self.media[medium] = self.media.get(medium, b"") + content + b"\n"

    async def look(self) -> None:
        """Take down what can be seen now; things that come and go are looked at often."""
        backend = self.service.backend
        found = await canaries.tables(backend.database_url)
        found |= canaries.files(backend.database_url) | canaries.store(
            self.environ["AUTHSVC_REDIS_URL"]
        )
        for medium, content in found.items():
            self.note(medium, content)

    async def finish(self) -> None:
        """The last look, with all logs, mails and metrics."""
        await self.look()
        for number, server in enumerate(self.service.servers):
            self.note(f"log {number}", server.log.read_bytes())
            async with httpx2.AsyncClient(base_url=server.url) as private:
                self.note(f"metrics {number}", (await private.get("/metrics")).content)

    def hits(self) -> list[Hit]:
        """Whatever was found; a message may hold its own link and code."""
        found = search(self.media, self.known)
        for number, mail in enumerate(self.service.inbox.mails):
            own = {mail.token, mail.code} if "/ui/link?t=" in mail.text else set[str]()
            values = {value for secret in own for value in decoded(secret)}
            others = {name: value for name, value in self.known.items() if value not in values}
            found += search({f"mail {number}": canaries.letter(mail)}, others)
        return found

    async def send(self, browser: Any, method: str, path: str, **how: Any) -> httpx2.Response:
        """A request; what is answered to a bad one is kept."""
        headers = browser.headers() | how.pop("headers", {})
        answer = await browser.http.request(method, path, headers=headers, **how)
        if answer.status_code >= 400:
            self.note("answers", str(answer.headers).encode() + answer.content)
        return answer

    async def services(self) -> Services:
        return build(load(self.environ))
