"""Delivery by SMTP. Spec: RFC 5321, RFC 3207 (STARTTLS), RFC 8314 (implicit TLS)."""

import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime, parseaddr
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

import aiosmtplib

from authsvc.kernel.clock import Clock
from authsvc.notify.render import Rendered
from authsvc.notify.settings import MailSettings


class MailTemporary(Exception):
    """Not now: try again later. Carries no address and no server text."""


class MailPermanent(Exception):
    """Never: the server refuses this recipient or message."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A rendered message for one recipient; the id makes a repeated delivery recognisable."""

    id: str
    to: str
    template: str
    rendered: Rendered


class Mailer(Protocol):
    """Hands a message on; raises MailTemporary or MailPermanent."""

    async def send(self, envelope: Envelope) -> None: ...


@dataclass(frozen=True, slots=True)
class NoMailer:
    """No mail server is configured: messages wait in the outbox until one is."""

    async def send(self, envelope: Envelope) -> None:
        raise MailTemporary("mail.smtp_url is not set")


@cache
def _trust(ca_file: Path | None) -> ssl.SSLContext:
    # Once a process: reading all certificates stops everything else for some 20 ms.
    return ssl.create_default_context(cafile=ca_file)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class SmtpMailer:
    """One connection a message. Plain text is spoken to the loopback only, and only while
    ``plain_loopback`` is on."""

    url: str
    settings: MailSettings
    clock: Clock
    plain_loopback: bool = True

    async def send(self, envelope: Envelope) -> None:
        parts = urlsplit(self.url)
        host, implicit = parts.hostname or "", parts.scheme == "smtps"
        plain = self.plain_loopback and not implicit and _is_loopback(host)
        kept_apart = self.settings.smtp_password
        password = kept_apart.get_secret_value() if kept_apart else parts.password
        try:
            await aiosmtplib.send(
                self.compose(envelope),
                sender=parseaddr(self.settings.sender)[1],
                recipients=[envelope.to],
                hostname=host,
                port=parts.port or (465 if implicit else 587),
                use_tls=implicit,
                start_tls=None if plain else not implicit,
                username=unquote(parts.username) if parts.username else None,
                password=unquote(password) if password else None,
                tls_context=_trust(self.settings.ca_file),
                timeout=self.settings.timeout,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            codes = [recipient.code for recipient in error.recipients]
            raise _failure(max(codes, default=500)) from error
        except aiosmtplib.SMTPResponseException as error:
            raise _failure(error.code) from error
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            raise MailTemporary(type(error).__name__) from error

    def compose(self, envelope: Envelope) -> EmailMessage:
        """The MIME message: text and HTML, no remote content."""
        message = EmailMessage(policy=SMTP_POLICY)
        domain = parseaddr(self.settings.sender)[1].rpartition("@")[2]
        message["From"] = self.settings.sender
        message["To"] = envelope.to
        message["Subject"] = envelope.rendered.subject
        message["Date"] = format_datetime(self.clock.now())
        message["Message-ID"] = f"<{envelope.id}@{domain}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(envelope.rendered.text)
        message.add_alternative(envelope.rendered.html, subtype="html")
        return message


def _failure(code: int) -> Exception:
    # A refused log-in is a fault of the set-up, which the operator can mend: keep the message.
    permanent = 500 <= code < 600 and code not in (530, 534, 535, 538)
    return MailPermanent(str(code)) if permanent else MailTemporary(str(code))
