"""A real SMTP server that keeps what it is given."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller

from tests.live import free_port

_LINK = re.compile(r"https?://\S+/ui/\S+")
_CODE = re.compile(r"\b(\d{3}) ?(\d{3})\b")


@dataclass(frozen=True, slots=True)
class Mail:
    """A message as it arrived."""

    to: tuple[str, ...]
    message: EmailMessage

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    @property
    def text(self) -> str:
        body = self.message.get_body(("plain",))
        assert body is not None
        return str(body.get_content())

    @property
    def html(self) -> str:
        body = self.message.get_body(("html",))
        assert body is not None
        return str(body.get_content())

    @property
    def link(self) -> str:
        found = _LINK.search(self.text)
        assert found, self.text
        return found[0]

    @property
    def token(self) -> str:
        return self.link.partition("?t=")[2]

    @property
    def code(self) -> str:
        found = _CODE.search(self.text)
        assert found, self.text
        return found[1] + found[2]


@dataclass(slots=True)
class Inbox:
    """Everything the server accepted, oldest first."""

    url: str = ""
    mails: list[Mail] = field(default_factory=list)

    def to(self, address: str) -> list[Mail]:
        return [mail for mail in self.mails if address in mail.to]

    def last(self, address: str) -> Mail:
        mine = self.to(address)
        assert mine, f"no mail for {address}"
        return mine[-1]

    def last_link(self, address: str) -> Mail:
        """The newest message with a sign-in link or invitation, past any notices."""
        mine = [mail for mail in self.to(address) if "/ui/link?t=" in mail.text]
        assert mine, f"no link for {address}"
        return mine[-1]

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 aiosmtpd calls it so
        parsed = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        self.mails.append(Mail(tuple(envelope.rcpt_tos), parsed))
        return "250 kept"


@contextmanager
def smtp_inbox() -> Iterator[Inbox]:
    """An inbox behind a server on a free port of the loopback."""
    inbox = Inbox()
    port = free_port()
    controller = Controller(inbox, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        inbox.url = f"smtp://127.0.0.1:{port}"
        yield inbox
    finally:
        controller.stop()
