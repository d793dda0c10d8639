"""Support without SQL: find people, invite them, change roles and status, end sessions."""

from dataclasses import dataclass

from authsvc.accounts.service import ADMIN, Account, Accounts, Status
from authsvc.audit.service import Audit
from authsvc.kernel.email import InvalidAddress, canon
from authsvc.kernel.errors import Code, Refusal
from authsvc.kernel.events import RolesChanged, SessionsRevoked, UserInvited, UserStatusChanged
from authsvc.kernel.secret import Secret
from authsvc.notify.messages import invite
from authsvc.notify.service import Outbox
from authsvc.onetime.service import OneTimeSecrets, Purpose
from authsvc.platform.db.uow import Tx, UnitOfWork
from authsvc.sessions.facts import Listed
from authsvc.sessions.service import Sessions

DAY = 86400


@dataclass(frozen=True, slots=True)
class Dossier:
    """A person and their living sessions."""

    account: Account
    sessions: list[Listed]


@dataclass(frozen=True, slots=True)
class People:
    """What operators do with people. ``by`` names the acting party in the events."""

    uow: UnitOfWork
    accounts: Accounts
    sessions: Sessions
    onetime: OneTimeSecrets
    outbox: Outbox
    audit: Audit
    public_url: str

    async def search(self, text: str) -> list[Account]:
        """Up to 50 accounts whose address or name contains the text, newest first."""
        async with self.uow.reading() as tx:
            return await self.accounts.search(tx, text)

    async def show(self, name: str) -> Dossier:
        """A person by id or address; raises not_found."""
        async with self.uow.reading() as tx:
            account = await self._named(tx, name)
            return Dossier(account, await self.sessions.living(tx, user_id=account.id))

    async def invite(self, address: str, *, locale: str, by: str) -> str:
        """Send an invitation, voiding an older one; the canonical address it goes to.

        Raises validation_failed for an address that is none.
        """
        try:
            canonical = canon(address)
        except InvalidAddress as error:
            raise Refusal(Code.VALIDATION_FAILED, pointer="#/email", log=str(error)) from error
        async with self.uow() as tx:
            issued = await self.onetime.issue(
                tx,
                purpose=Purpose.INVITE,
                address=canonical,
                user_id=None,
                epoch=0,
                flow_id=None,
            )
            mail = invite(
                canonical,
                locale=locale,
                link=Secret(f"{self.public_url}/ui/link?t={issued.token.reveal()}"),
                code=issued.code,
                expires_at=issued.expires_at,
                days=self.onetime.settings.invite // DAY,
            )
            await self.outbox.put(tx, mail)
            await self.audit.record(tx, UserInvited(invitation_id=issued.id, by=by), caller=None)
        return canonical

    async def change_role(self, name: str, role: str, *, give: bool, by: str) -> tuple[str, ...]:
        """The roles after giving or taking one; gaining ``admin`` tightens every session.

        Raises not_found.
        """
        async with self.uow() as tx:
            account = await self._named(tx, name)
            change = self.accounts.give_role if give else self.accounts.take_role
            roles = await change(tx, account.id, role)
            if give and role == ADMIN:
                await self.sessions.tighten(tx, user_id=account.id)
            event = RolesChanged(user_id=account.id, roles=roles, by=by)
            await self.audit.record(tx, event, caller=None)
        return roles

    async def set_status(self, name: str, status: Status, *, by: str) -> Account:
        """Disable or enable a person; disabling ends every session. Raises not_found."""
        async with self.uow() as tx:
            account = await self._named(tx, name)
            await self.accounts.set_status(tx, account.id, status)
            if status is Status.DISABLED:
                await self.sessions.revoke_all(tx, user_id=account.id, reason="session_revoked")
            event = UserStatusChanged(user_id=account.id, status=status, by=by)
            await self.audit.record(tx, event, caller=None)
            return await self._named(tx, account.id)

    async def revoke(self, name: str, *, by: str) -> int:
        """End all sessions of a person; how many were open. Raises not_found."""
        async with self.uow() as tx:
            account = await self._named(tx, name)
            await self.accounts.line_up(tx, account.id)
            reason = "session_revoked"
            count = await self.sessions.revoke_all(tx, user_id=account.id, reason=reason)
            event = SessionsRevoked(user_id=account.id, scope="all", count=count, reason=reason)
            await self.audit.record(tx, event, caller=None)
        return count

    async def _named(self, tx: Tx, name: str) -> Account:
        account = await self.accounts.get(tx, name)
        if account is None and "@" in name:
            try:
                account = await self.accounts.find(tx, canon(name))
            except InvalidAddress:
                account = None
        if account is None:
            raise Refusal(Code.NOT_FOUND, log="no such person")
        return account
