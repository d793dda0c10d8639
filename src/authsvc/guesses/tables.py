"""Counters that survive a flush of the store."""

from sqlalchemy import BigInteger, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from authsvc.platform.db.types import Base


class Guess(Base):
    """Tries of one scope and key in a window; ``window_start`` is epoch seconds."""

    __tablename__ = "guesses"

    scope: Mapped[str] = mapped_column(String(16), primary_key=True)
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    window_start: Mapped[int] = mapped_column(BigInteger, index=True)
    tries: Mapped[int] = mapped_column(Integer)
