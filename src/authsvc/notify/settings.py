"""How mail leaves."""

from email.utils import parseaddr
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator


class MailSettings(BaseModel):
    """The ``mail`` branch."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, hide_input_in_errors=True
    )

    smtp_url: SecretStr | None = Field(
        default=None, description="smtps://user:password@host:465, or smtp:// with STARTTLS"
    )
    smtp_password: SecretStr | None = Field(
        default=None, description="password of smtp_url, when it is kept apart"
    )
    sender: str = Field(
        default="authsvc <no-reply@localhost>",
        alias="from",
        description="the From of every message",
    )
    ca_file: Path | None = Field(
        default=None, description="certificates of a private mail server's CA"
    )
    timeout: float = Field(default=10.0, gt=0, le=60, description="seconds a delivery may take")

    @field_validator("smtp_url")
    @classmethod
    def _smtp_url(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            parts = urlsplit(url.get_secret_value())
            if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
                raise ValueError("must be an smtp:// or smtps:// URL")
        return url

    @field_validator("sender")
    @classmethod
    def _sender(cls, text: str) -> str:
        address = parseaddr(text)[1]
        if "@" not in address or "\n" in text or "\r" in text:
            raise ValueError("must look like Acme <no-reply@example.com>")
        return text
