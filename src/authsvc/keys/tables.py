"""Rows of the keys that sign access tokens."""

from datetime import datetime

from sqlalchemy import Index, LargeBinary, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from authsvc.platform.db.types import Base, Instant

_ONE_ACTIVE = text("state = 'active'")
_ONE_NEXT = text("state = 'next'")


class SigningKey(Base):
    """A signing key; the private half is sealed, and gone once the key is retired."""

    __tablename__ = "signing_keys"
    __table_args__ = (
        Index(
            "uq_signing_keys_active",
            "state",
            unique=True,
            postgresql_where=_ONE_ACTIVE,
            sqlite_where=_ONE_ACTIVE,
        ),
        Index(
            "uq_signing_keys_next",
            "state",
            unique=True,
            postgresql_where=_ONE_NEXT,
            sqlite_where=_ONE_NEXT,
        ),
    )

    kid: Mapped[str] = mapped_column(String(64), primary_key=True)
    alg: Mapped[str] = mapped_column(String(8))
    public_jwk: Mapped[str] = mapped_column(Text)
    private_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(String(8))
    created_at: Mapped[datetime] = mapped_column(Instant)
    published_at: Mapped[datetime] = mapped_column(Instant)
    activate_at: Mapped[datetime | None] = mapped_column(Instant)
    activated_at: Mapped[datetime | None] = mapped_column(Instant)
    retired_at: Mapped[datetime | None] = mapped_column(Instant)
    remove_at: Mapped[datetime | None] = mapped_column(Instant)
    retained: Mapped[bool]
