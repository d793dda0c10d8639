"""The outbox: sealed until sent, then wiped."""

from datetime import datetime

from sqlalchemy import Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from authsvc.platform.db.types import Base, Instant, PublicId


class OutboxMessage(Base):
    """A message on its way. ``payload`` is gone as soon as it was sent or given up."""

    __tablename__ = "outbox"

    id: Mapped[str] = mapped_column(PublicId("msg"), primary_key=True)
    template: Mapped[str] = mapped_column(String(32))
    payload: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(Instant)
    next_attempt_at: Mapped[datetime | None] = mapped_column(Instant, index=True)
    lease_until: Mapped[datetime | None] = mapped_column(Instant)
    attempts: Mapped[int] = mapped_column(Integer)
    sent_at: Mapped[datetime | None] = mapped_column(Instant)
    failed_at: Mapped[datetime | None] = mapped_column(Instant)
    last_error: Mapped[str | None] = mapped_column(String(64))
    idempotency_key: Mapped[str | None] = mapped_column(String(64), unique=True)
