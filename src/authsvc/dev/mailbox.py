"""The mailbox of dev mode: what would have been sent, kept in memory."""

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from authsvc.kernel.clock import Clock
from authsvc.kernel.ids import MESSAGE, new_id
from authsvc.notify.smtp import Envelope

CAPACITY = 500
_LINK = re.compile(r"https?://[^\s<>\"]+")
_CODE = re.compile(r"(?<!\d)(\d{3}) ?(\d{3})(?!\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Kept:
    """A message as the person would have got it."""

    id: str
    channel: str
    to: str
    subject: str | None
    text: str
    links: tuple[str, ...]
    code: str | None
    at: datetime


@dataclass(slots=True)
class Mailbox:
    """Keeps the newest messages, at most 500, and tells the console of each."""

    clock: Clock
    tell: Callable[[str], None]
    kept: deque[Kept] = field(default_factory=lambda: deque(maxlen=CAPACITY))

    async def send(self, envelope: Envelope) -> None:
        """Take the place of the mail server."""
        rendered = envelope.rendered
        self.keep(channel="email", to=envelope.to, subject=rendered.subject, text=rendered.text)

    def keep(self, *, channel: str, to: str, subject: str | None, text: str) -> Kept:
        """Keep one message; the newest is first."""
        message = Kept(
            id=new_id(MESSAGE),
            channel=channel,
            to=to,
            subject=subject,
            text=text,
            links=tuple(_LINK.findall(text)),
            code=code_in(text),
            at=self.clock.now(),
        )
        self.kept.appendleft(message)
        self.tell(_line(message))
        return message

    def find(
        self, *, to: str | None = None, channel: str | None = None, after: str | None = None
    ) -> list[Kept]:
        """The messages to an address, of a channel, and newer than another one's id."""
        return [
            message
            for message in self.kept
            if (to is None or message.to == to)
            and (channel is None or message.channel == channel)
            and (after is None or message.id > after)
        ]

    def drop(self, messages: list[Kept]) -> None:
        """Forget these messages."""
        gone = {message.id for message in messages}
        left = [message for message in self.kept if message.id not in gone]
        self.kept.clear()
        self.kept.extend(left)


def code_in(text: str) -> str | None:
    """The six digits in a message, apart from those inside its links."""
    found = _CODE.search(_LINK.sub(" ", text))
    return None if found is None else found[1] + found[2]


def _line(message: Kept) -> str:
    parts = [f"{message.channel} to {message.to}: {message.subject or message.text}"]
    if message.code is not None:
        parts.append(f"  code  {message.code}")
    parts += [f"  link  {link}" for link in message.links]
    return "\n".join(parts)
