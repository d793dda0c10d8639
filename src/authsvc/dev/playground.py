"""What dev mode lets developers do to people, sessions and time."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import delete

from authsvc.accounts.service import Account, Accounts
from authsvc.admin.service import People
from authsvc.crypto.keyring import Keyring, Purpose
from authsvc.dev.mailbox import Mailbox
from authsvc.dev.people import PEOPLE, Person, address_of
from authsvc.kernel.caller import Caller
from authsvc.kernel.clock import ShiftedClock
from authsvc.kernel.email import InvalidAddress, canon
from authsvc.kernel.errors import Code, Refusal
from authsvc.kernel.ids import FLOW, USER, is_id, new_id
from authsvc.platform.db.types import Base
from authsvc.platform.db.uow import Tx, UnitOfWork
from authsvc.platform.ephemeral.memory import MemoryStore
from authsvc.platform.ephemeral.port import Ephemeral
from authsvc.sessions.facts import Live, Proof
from authsvc.sessions.service import Sessions
from authsvc.tokens.minting import Minter

CLIENT = "dev"
AMR: Mapping[str, tuple[str, ...]] = {
    "aal1": ("email",),
    "aal2": ("email", "otp", "mfa"),
    "phr": ("swk", "user", "mfa"),
}
# Events cannot be deleted, and tokens that are out must go on to verify.
_LASTING = frozenset({"signing_keys", "events", "event_origins", "event_pending"})


@dataclass(frozen=True, slots=True)
class Wish:
    """The token that a developer wants; None leaves a part as it is."""

    audience: tuple[str, ...] = ()
    acr: str = "aal1"
    roles: tuple[str, ...] | None = None
    auth_age: int = 0
    expires_in: int | None = None


@dataclass(frozen=True, slots=True)
class Playground:
    """Dev mode's own journey: it begins and ends transactions like any other."""

    uow: UnitOfWork
    accounts: Accounts
    sessions: Sessions
    people: People
    minter: Minter
    ring: Keyring
    clock: ShiftedClock
    mailbox: Mailbox
    audiences: tuple[str, ...]
    stores: tuple[Ephemeral, ...]
    held: dict[str, Live] = field(default_factory=dict[str, Live])

    async def seed(self) -> None:
        """Make sure that the demo people exist; those who do stay as they are."""
        async with self.uow() as tx:
            for person in PEOPLE:
                if await self.accounts.find(tx, person.email) is None:
                    await self._add(tx, person)

    async def _add(self, tx: Tx, person: Person) -> None:
        proven = await self.accounts.by_proven_email(
            tx, person.email, invited=True, locale=person.locale
        )
        if isinstance(proven, Refusal):
            raise proven
        user_id = proven.account.id
        await self.accounts.profile(tx, user_id, changes={"name": person.name})
        for role in person.roles:
            await self.accounts.give_role(tx, user_id, role)

    async def reset(self) -> None:
        """As freshly seeded: nobody else, nobody signed in, no mail, the machine's time.

        Signing keys and the append-only events stay, and so do the limits of a shared store.
        """
        self.clock.reset()
        await self._forget()
        self.mailbox.kept.clear()
        self.held.clear()
        async with self.uow() as tx:
            for table in reversed(Base.metadata.sorted_tables):
                if table.name not in _LASTING:
                    await tx.session.execute(delete(table))
        await self.seed()

    async def move_clock(self, *, advance: int = 0, back: bool = False) -> datetime:
        """The service's time after putting it back to the machine's, then moving it."""
        before = self.clock.now()
        if back:
            self.clock.reset()
        self.clock.advance(advance)
        if self.clock.now() < before:
            # Limits and flows of a time to come would hold people up until then.
            await self._forget()
        return self.clock.now()

    async def _forget(self) -> None:
        """Empty the stores of this process: flows and limits."""
        for store in self.stores:
            if isinstance(store, MemoryStore):
                await store.aclose()

    async def seeded(self) -> list[tuple[Account, str]]:
        """The demo people as they are now, each with a note."""
        found: list[tuple[Account, str]] = []
        async with self.uow.reading() as tx:
            for person in PEOPLE:
                account = await self.accounts.find(tx, person.email)
                if account is not None:
                    found.append((account, person.note))
        return found

    async def token(self, name: str, wish: Wish, *, caller: Caller) -> tuple[str, int]:
        """A signed access token of this person and its life in seconds; negative = expired.

        It belongs to a real session, one a person, so that signing out ends it too.
        """
        audience = wish.audience or self.audiences
        if not audience:
            raise Refusal(Code.VALIDATION_FAILED, pointer="#/audience", log="no client has one")
        async with self.uow() as tx:
            account = await self._named(tx, name)
            live = await self._session(tx, account, caller=caller)
        usual = self.minter.settings.access_ttl
        life = usual if wish.expires_in is None else wish.expires_in
        expired = life < 0
        issued = self.clock.now() + timedelta(seconds=life - usual if expired else 0)
        proved = issued - timedelta(seconds=wish.auth_age)
        wished = replace(
            live,
            roles=account.roles if wish.roles is None else wish.roles,
            acr=wish.acr,
            amr=AMR[wish.acr],
            auth_time=proved,
            mfa_time=None if wish.acr == "aal1" else proved,
        )
        claims = self.minter.claims(
            wished,
            audience=audience,
            client_id=CLIENT,
            at=issued,
            life=usual if expired else life,
        )
        return self.minter.sign(claims), life

    async def age(self, name: str, *, seconds: int) -> int:
        """Move the proofs of a person's sessions back; how many sessions."""
        async with self.uow() as tx:
            account = await self._named(tx, name)
            return await self.sessions.age(tx, user_id=account.id, seconds=seconds)

    async def revoke(self, name: str) -> int:
        """End a person's sessions; how many were open."""
        async with self.uow.reading() as tx:
            account = await self._named(tx, name)
        return await self.people.revoke(account.id, by="dev mode")

    async def _session(self, tx: Tx, account: Account, *, caller: Caller) -> Live:
        held = self.held.get(account.id)
        if held is not None and await self.sessions.is_live(tx, held.id):
            return held
        opened = await self.sessions.open(
            tx,
            user_id=account.id,
            epoch=account.epoch,
            roles=account.roles,
            flow_id=new_id(FLOW),
            client_id=CLIENT,
            proof=Proof(method="email", acr="aal1", amr=AMR["aal1"], auth_time=tx.now),
            stay=True,
            key_id=self.ring.current(Purpose.SESSION).id,
            caller=caller,
        )
        if opened is None:
            raise RuntimeError("a new flow opened a session before")
        self.held[account.id] = opened
        return opened

    async def _named(self, tx: Tx, name: str) -> Account:
        if is_id(name, prefix=USER):
            account = await self.accounts.get(tx, name)
        else:
            try:
                address = canon(name if "@" in name else address_of(name))
            except InvalidAddress as error:
                raise Refusal(Code.NOT_FOUND, log="no such person") from error
            account = await self.accounts.find(tx, address)
        if account is None:
            raise Refusal(Code.NOT_FOUND, log="no such person")
        return account
