"""Rows behind mailed links and codes. Nothing in them opens anything."""

from datetime import datetime

from sqlalchemy import Index, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from authsvc.platform.db.types import Base, Instant, PublicId


class OneTime(Base):
    """One message's link and code: hashes, what they are bound to, and whether they are spent."""

    __tablename__ = "onetime"
    __table_args__ = (Index("ix_onetime_address", "address_key", "purpose"),)

    id: Mapped[str] = mapped_column(PublicId("otl"), primary_key=True)
    hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    code_hmac: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    purpose: Mapped[str] = mapped_column(String(16))
    user_id: Mapped[str | None] = mapped_column(PublicId("usr"))
    epoch: Mapped[int] = mapped_column(Integer)
    flow_id: Mapped[str | None] = mapped_column(PublicId("flw"), index=True)
    address_key: Mapped[bytes] = mapped_column(LargeBinary(32))
    address_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant, index=True)
    used_at: Mapped[datetime | None] = mapped_column(Instant)
    void_reason: Mapped[str | None] = mapped_column(String(16))
