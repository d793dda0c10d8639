"""Column types that mean the same on SQLite and PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, LargeBinary, MetaData, String, Uuid
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator, TypeEngine

from authsvc.kernel.clock import from_micros, to_micros
from authsvc.kernel.ids import from_uuid, to_uuid


class Base(DeclarativeBase):
    """The declarative base of every room's tables. Constraints have names on both databases, so
    that a later migration can find them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime, kept as whole microseconds since 1970 in a BIGINT."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else to_micros(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        return None if value is None else from_micros(value)


class PublicId(TypeDecorator[str]):
    """A public id such as ``usr_…``, kept as 16 bytes (``uuid`` on PostgreSQL)."""

    impl = Uuid
    cache_ok = True

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self.prefix = prefix

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(Uuid())
        return dialect.type_descriptor(LargeBinary(16))

    def process_bind_param(self, value: str | None, dialect: Dialect) -> UUID | bytes | None:
        if value is None:
            return None
        uuid = to_uuid(value, prefix=self.prefix)
        return uuid if dialect.name == "postgresql" else uuid.bytes

    def process_result_value(self, value: Any | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        uuid = value if isinstance(value, UUID) else UUID(bytes=bytes(value))
        return from_uuid(self.prefix, uuid)


class Words(TypeDecorator[tuple[str, ...]]):
    """A short tuple of words without blanks, kept as one string: roles, amr values."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: Sequence[str] | None, dialect: Dialect) -> str | None:
        return None if value is None else " ".join(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> tuple[str, ...] | None:
        return None if value is None else tuple(value.split())
