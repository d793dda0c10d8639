"""What authsvc writes to people: one constructor for each message."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self

from authsvc.kernel.secret import Secret


@dataclass(frozen=True, slots=True)
class Message:
    """A message before it is put into words. Link and code mask themselves."""

    template: str
    address: str
    locale: str
    params: Mapping[str, str | int] = field(default_factory=dict[str, str | int])
    link: Secret | None = None
    code: Secret | None = None
    expires_at: datetime | None = None

    def pack(self) -> bytes:
        """The plain form, to be sealed at once."""
        return json.dumps(
            {
                "template": self.template,
                "address": self.address,
                "locale": self.locale,
                "params": dict(self.params),
                "link": self.link.reveal() if self.link else None,
                "code": self.code.reveal() if self.code else None,
                "expires_at": self.expires_at.timestamp() if self.expires_at else None,
            }
        ).encode()

    @classmethod
    def unpack(cls, plain: bytes) -> Self:
        """The message behind a plain form."""
        found = json.loads(plain)
        end = found["expires_at"]
        return cls(
            template=found["template"],
            address=found["address"],
            locale=found["locale"],
            params=found["params"],
            link=Secret(found["link"]) if found["link"] else None,
            code=Secret(found["code"]) if found["code"] else None,
            expires_at=datetime.fromtimestamp(end, UTC) if end else None,
        )


def _when(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


@dataclass(frozen=True, slots=True)
class Asked:
    """When and with what a sign-in was asked for, for the person to recognise."""

    at: datetime
    browser: str
    os: str


def sign_in(
    address: str,
    *,
    locale: str,
    link: Secret,
    code: Secret,
    expires_at: datetime,
    minutes: int,
    asked: Asked,
) -> Message:
    """Link and code for signing in."""
    params: dict[str, str | int] = {"minutes": minutes}
    if asked.browser and asked.os:
        params |= {"time": _when(asked.at), "browser": asked.browser, "os": asked.os}
    return Message("sign_in", address, locale, params, link, code, expires_at)


def invite(
    address: str, *, locale: str, link: Secret, code: Secret, expires_at: datetime, days: int
) -> Message:
    """Link and code for accepting an invitation."""
    return Message("invite", address, locale, {"days": days}, link, code, expires_at)


def notice(
    template: str, address: str, *, locale: str, link: str, asked: Asked | None = None
) -> Message:
    """A security notice with a button to an ordinary page."""
    params: dict[str, str | int] = {}
    if asked is not None:
        params = {
            "time": _when(asked.at),
            "browser": asked.browser or "?",
            "os": asked.os or "?",
        }
    return Message(template, address, locale, params, Secret(link))


def probe(address: str, *, locale: str) -> Message:
    """A message that shows that mail arrives."""
    return Message("test", address, locale)
