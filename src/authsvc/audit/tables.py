"""Events. Append-only; personal data stands apart so that it can be erased."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from authsvc.platform.db.types import Base, Instant, PublicId


class EventRow(Base):
    """What happened, to whom, in which request. Triggers refuse every change (migration 0001)."""

    __tablename__ = "events"

    id: Mapped[str] = mapped_column(PublicId("evt"), primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant, index=True)
    name: Mapped[str] = mapped_column(String(48))
    user_id: Mapped[str | None] = mapped_column(PublicId("usr"), index=True)
    session_id: Mapped[str | None] = mapped_column(PublicId("ses"))
    request_id: Mapped[str | None] = mapped_column(String(30))
    data: Mapped[str] = mapped_column(Text)


class EventOrigin(Base):
    """Where it came from: the separable, personal half of an event."""

    __tablename__ = "event_origins"

    event_id: Mapped[str] = mapped_column(
        PublicId("evt"), ForeignKey("events.id"), primary_key=True
    )
    address: Mapped[str] = mapped_column(String(45))
    browser: Mapped[str] = mapped_column(String(32))
    os: Mapped[str] = mapped_column(String(32))


class EventPending(Base):
    """Work for the relay: deleted in the transaction that does it."""

    __tablename__ = "event_pending"

    event_id: Mapped[str] = mapped_column(
        PublicId("evt"), ForeignKey("events.id"), primary_key=True
    )
