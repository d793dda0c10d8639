"""The row behind a session: a counter instead of a stored token."""

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from authsvc.platform.db.types import Base, Instant, PublicId, Words


class Session(Base):
    """One signed-in browser or app, however long it lives.

    Nothing that a refresh changes is indexed, and PostgreSQL keeps room on each page, so that
    a refresh adds no bytes (heap-only tuples).
    """

    __tablename__ = "sessions"
    __table_args__ = {"postgresql_with": {"fillfactor": 80}}

    id: Mapped[str] = mapped_column(PublicId("ses"), primary_key=True)
    user_id: Mapped[str] = mapped_column(PublicId("usr"), ForeignKey("users.id"), index=True)
    flow_id: Mapped[str] = mapped_column(PublicId("flw"), unique=True)
    epoch: Mapped[int] = mapped_column(Integer)
    counter: Mapped[int] = mapped_column(BigInteger)
    grace_counter: Mapped[int] = mapped_column(BigInteger)
    rotated_at: Mapped[datetime] = mapped_column(Instant)
    mac_key_id: Mapped[str] = mapped_column(String(8))
    shown: Mapped[bool] = mapped_column(Boolean)
    late_retries: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(Instant)
    idle_expires_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    revoked_at: Mapped[datetime | None] = mapped_column(Instant)
    revoked_reason: Mapped[str | None] = mapped_column(String(32))
    profile: Mapped[str] = mapped_column(String(8))
    stay: Mapped[bool] = mapped_column(Boolean)
    client_id: Mapped[str] = mapped_column(String(64))
    method: Mapped[str] = mapped_column(String(16))
    acr: Mapped[str] = mapped_column(String(8))
    amr: Mapped[tuple[str, ...]] = mapped_column(Words)
    auth_time: Mapped[datetime] = mapped_column(Instant)
    mfa_time: Mapped[datetime | None] = mapped_column(Instant)
    browser: Mapped[str] = mapped_column(String(32))
    os: Mapped[str] = mapped_column(String(32))
    kind: Mapped[str] = mapped_column(String(8))
    network: Mapped[str] = mapped_column(String(43))
    masked_address: Mapped[str] = mapped_column(String(43))
