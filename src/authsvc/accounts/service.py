"""People: found by a proven address, created on the first proof, changed by themselves."""

from dataclasses import dataclass
from enum import StrEnum

from authsvc.accounts import repo
from authsvc.accounts.settings import SignUpMode
from authsvc.kernel.errors import Code, Refusal
from authsvc.kernel.ids import USER, UserId, is_id, new_id
from authsvc.platform.db.subject import ACTIVE, ADMIN
from authsvc.platform.db.uow import Tx


class Status(StrEnum):
    """Whether a person may use authsvc at all."""

    ACTIVE = "active"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Account:
    """A person as other rooms see them."""

    id: UserId
    status: Status
    epoch: int
    roles: tuple[str, ...]
    name: str | None
    locale: str | None
    email: str
    email_verified: bool

    @property
    def is_active(self) -> bool:
        return self.status == ACTIVE

    @property
    def is_admin(self) -> bool:
        return ADMIN in self.roles


@dataclass(frozen=True, slots=True)
class Recipient:
    """Where a notice to a person goes, and in which language."""

    address: str
    locale: str | None


@dataclass(frozen=True, slots=True)
class Proven:
    """The account behind a proven address, and whether this proof created it."""

    account: Account
    created: bool


def _account(row: repo.AccountRow) -> Account:
    user, email = row
    return Account(
        id=UserId(user.id),
        status=Status(user.status),
        epoch=user.auth_epoch,
        roles=user.roles,
        name=user.name,
        locale=user.locale,
        email=email.address,
        email_verified=email.verified_at is not None,
    )


@dataclass(frozen=True, slots=True)
class Accounts:
    """Everything about people that the journeys need."""

    sign_up: SignUpMode

    async def find(self, tx: Tx, address: str) -> Account | None:
        """The account that owns a canonical address."""
        row = await repo.by_address(tx, address)
        return None if row is None else _account(row)

    async def get(self, tx: Tx, user_id: str) -> Account | None:
        """The account with this id; None also for ids of another shape."""
        if not is_id(user_id, prefix=USER):
            return None
        row = await repo.by_id(tx, user_id)
        return None if row is None else _account(row)

    async def line_up(self, tx: Tx, user_id: str) -> None:
        """Wait for every other transaction that changes this person's roles or sessions.

        Whoever changes several sessions of a person does this first, so that no two of them
        ever wait for each other.
        """
        await repo.by_id(tx, user_id, locked=True)

    async def of(self, tx: Tx, user_id: str) -> Recipient | None:
        """Where notices to this person go."""
        account = await self.get(tx, user_id)
        return None if account is None else Recipient(account.email, account.locale)

    async def by_proven_email(
        self, tx: Tx, address: str, *, invited: bool, locale: str | None
    ) -> Proven | Refusal:
        """The owner of an address that was proved just now, created if sign-up allows it.

        Gives back (does not raise) sign_up_closed, invitation_required or account_disabled,
        so that the spent proof is committed with it. The person stays locked: roles given
        meanwhile are seen, or wait. Spec: security.md C14, C18, C20.
        """
        row = await repo.by_address(tx, address, locked=True)
        account = None if row is None else _account(row)
        if account is not None:
            if invited:
                return Refusal(Code.LINK_ALREADY_USED, log="the account exists already")
            if not account.is_active:
                return Refusal(Code.ACCOUNT_DISABLED, log=f"{account.id} is {account.status}")
            await repo.mark_verified(tx, address=address)
            return Proven(account, created=False)
        if not invited and self.sign_up is SignUpMode.CLOSED:
            return Refusal(Code.SIGN_UP_CLOSED, log="sign_up.mode is closed")
        if not invited and self.sign_up is SignUpMode.INVITE:
            return Refusal(Code.INVITATION_REQUIRED, log="sign_up.mode is invite")
        created = await repo.add(tx, user_id=new_id(USER), address=address, locale=locale)
        account = await self.find(tx, address)
        if account is None:
            raise RuntimeError("an address just stored has no owner")
        return Proven(account, created=created)

    async def profile(self, tx: Tx, user_id: str, *, changes: dict[str, str | None]) -> Account:
        """The account after changing its name or locale; raises not_found."""
        if changes and not await repo.change(tx, user_id, changes):
            raise Refusal(Code.NOT_FOUND, log="no such user")
        account = await self.get(tx, user_id)
        if account is None:
            raise Refusal(Code.NOT_FOUND, log="no such user")
        return account

    async def give_role(self, tx: Tx, user_id: str, role: str) -> tuple[str, ...]:
        """The roles after adding one; raises not_found."""
        return await self._roles(tx, user_id, add=role, take=None)

    async def take_role(self, tx: Tx, user_id: str, role: str) -> tuple[str, ...]:
        """The roles after taking one away; raises not_found."""
        return await self._roles(tx, user_id, add=None, take=role)

    async def _roles(
        self, tx: Tx, user_id: str, *, add: str | None, take: str | None
    ) -> tuple[str, ...]:
        held = await repo.lock_roles(tx, user_id)
        if held is None:
            raise Refusal(Code.NOT_FOUND, log="no such user")
        roles = tuple(sorted({*held, *([add] if add else [])} - {take}))
        await repo.change(tx, user_id, {"roles": roles})
        return roles

    async def set_status(self, tx: Tx, user_id: str, status: Status) -> None:
        """Disable or enable; disabling raises the epoch, which ends every credential."""
        if not await repo.change(tx, user_id, {"status": status.value}):
            raise Refusal(Code.NOT_FOUND, log="no such user")
        if status is Status.DISABLED:
            await repo.end_epoch(tx, user_id)

    async def search(self, tx: Tx, text: str, *, limit: int = 50) -> list[Account]:
        """Accounts whose address or name contains the text, newest first."""
        return [_account(row) for row in await repo.search(tx, text, limit=limit)]
