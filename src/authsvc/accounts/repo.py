"""All SQL on people and their addresses."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, Select, delete, insert, select, update

from authsvc.accounts.tables import User, UserEmail
from authsvc.platform.db.once import insert_once
from authsvc.platform.db.uow import Tx

AccountRow = Row[User, UserEmail]


def _accounts(*, locked: bool = False) -> Select[User, UserEmail]:
    statement = select(User, UserEmail).join(
        UserEmail, (UserEmail.user_id == User.id) & UserEmail.is_primary
    )
    return statement.with_for_update(of=User) if locked else statement


async def by_address(tx: Tx, address: str, *, locked: bool = False) -> AccountRow | None:
    """The account that owns this canonical address, perhaps under a row lock."""
    owner = select(UserEmail.user_id).where(UserEmail.address == address).scalar_subquery()
    statement = _accounts(locked=locked).where(User.id == owner)
    return (await tx.session.execute(statement)).first()


async def by_id(tx: Tx, user_id: str, *, locked: bool = False) -> AccountRow | None:
    """The account with this id, perhaps under a row lock."""
    statement = _accounts(locked=locked).where(User.id == user_id)
    return (await tx.session.execute(statement)).first()


async def add(tx: Tx, *, user_id: str, address: str, locale: str | None) -> bool:
    """Create a user that owns the address; False when somebody owns it already."""
    user = {"id": user_id, "status": "active", "auth_epoch": 1, "roles": (), "name": None}
    await tx.session.execute(insert(User).values(**user, locale=locale, created_at=tx.now))
    email = {"address": address, "user_id": user_id, "is_primary": True, "verified_at": tx.now}
    if await insert_once(tx, UserEmail, email):
        return True
    await tx.session.execute(delete(User).where(User.id == user_id))
    return False


async def mark_verified(tx: Tx, *, address: str) -> None:
    """Stamp the first proof of an address; later proofs change nothing."""
    await tx.session.execute(
        update(UserEmail)
        .where(UserEmail.address == address, UserEmail.verified_at.is_(None))
        .values(verified_at=tx.now)
    )


async def change(tx: Tx, user_id: str, values: Mapping[str, Any]) -> bool:
    """Set columns of one user; False when there is none."""
    statement = update(User).where(User.id == user_id).values(**values).returning(User.id)
    return (await tx.session.execute(statement)).first() is not None


async def lock_roles(tx: Tx, user_id: str) -> tuple[str, ...] | None:
    """The user's roles, read under a row lock."""
    statement = select(User.roles).where(User.id == user_id).with_for_update()
    return (await tx.session.execute(statement)).scalar_one_or_none()


async def end_epoch(tx: Tx, user_id: str) -> None:
    """Raise ``auth_epoch``: every credential stamped with the old one is dead."""
    await tx.session.execute(
        update(User).where(User.id == user_id).values(auth_epoch=User.auth_epoch + 1)
    )


async def search(tx: Tx, text: str, *, limit: int) -> Sequence[AccountRow]:
    """Accounts whose address or name contains the text, newest first."""
    statement = _accounts().order_by(User.id.desc()).limit(limit)
    if text:
        statement = statement.where(
            UserEmail.address.icontains(text, autoescape=True)
            | User.name.icontains(text, autoescape=True)
        )
    return (await tx.session.execute(statement)).all()
