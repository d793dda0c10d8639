"""Rows of people and their addresses."""

from datetime import datetime

from sqlalchemy import ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from authsvc.platform.db.types import Base, Instant, PublicId, Words


class User(Base):
    """A person. Ids are never reused; ``auth_epoch`` rises when everything must end."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(PublicId("usr"), primary_key=True)
    status: Mapped[str] = mapped_column(String(16))
    auth_epoch: Mapped[int] = mapped_column(Integer)
    roles: Mapped[tuple[str, ...]] = mapped_column(Words)
    name: Mapped[str | None] = mapped_column(String(64))
    locale: Mapped[str | None] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(Instant)


class UserEmail(Base):
    """A proven address in canonical form; compared byte by byte on both databases."""

    __tablename__ = "user_emails"

    address: Mapped[str] = mapped_column(
        String(254).with_variant(String(254, collation="C"), "postgresql"), primary_key=True
    )
    user_id: Mapped[str] = mapped_column(PublicId("usr"), ForeignKey("users.id"), index=True)
    is_primary: Mapped[bool]
    verified_at: Mapped[datetime | None] = mapped_column(Instant)
