"""The only way to a session: a proven address, the account behind it, one session a flow."""

from dataclasses import dataclass

from authsvc.accounts.service import Account, Accounts
from authsvc.audit.service import Audit
from authsvc.crypto.keyring import Keyring, Purpose
from authsvc.kernel.caller import Caller
from authsvc.kernel.errors import Code, Refusal
from authsvc.kernel.events import SignedIn, SignedUp, SignInFailed
from authsvc.platform.db.uow import Tx
from authsvc.sessions.facts import Live, Proof
from authsvc.sessions.service import Sessions

EMAIL_METHOD = "email"


@dataclass(frozen=True, slots=True)
class ProvenAddress:
    """An address proved in this transaction, and the attempt it belongs to."""

    address: str
    invited: bool
    flow_id: str
    client_id: str
    stay: bool
    locale: str


@dataclass(frozen=True, slots=True)
class Finished:
    """A signed-in person and the new session."""

    live: Live
    account: Account
    created: bool


@dataclass(frozen=True, slots=True)
class Completion:
    """Turns a proof into a session inside the journey's transaction. Spec: security.md C04."""

    accounts: Accounts
    sessions: Sessions
    audit: Audit
    ring: Keyring

    async def finish(self, tx: Tx, proven: ProvenAddress, *, caller: Caller) -> Finished | Refusal:
        """The session, or a refusal to be raised after the commit, so that the proof is spent."""
        found = await self.accounts.by_proven_email(
            tx, proven.address, invited=proven.invited, locale=proven.locale
        )
        if isinstance(found, Refusal):
            failed = SignInFailed(method=EMAIL_METHOD, code=found.code, user_id=None)
            await self.audit.record(tx, failed, caller=caller)
            return found
        account = found.account
        proof = Proof(method=EMAIL_METHOD, acr="aal1", amr=("email",), auth_time=tx.now)
        live = await self.sessions.open(
            tx,
            user_id=account.id,
            epoch=account.epoch,
            roles=account.roles,
            flow_id=proven.flow_id,
            client_id=proven.client_id,
            proof=proof,
            stay=proven.stay,
            key_id=self.ring.current(Purpose.SESSION).id,
            caller=caller,
        )
        if live is None:
            return Refusal(Code.LINK_ALREADY_USED, log=f"{proven.flow_id} opened a session before")
        if found.created:
            signed_up = SignedUp(user_id=account.id, method=EMAIL_METHOD)
            await self.audit.record(tx, signed_up, caller=caller)
        await self.audit.record(tx, _signed_in(live, new=found.created), caller=caller)
        return Finished(live, account=account, created=found.created)


def _signed_in(live: Live, *, new: bool) -> SignedIn:
    return SignedIn(
        user_id=live.user_id,
        session_id=live.id,
        method=EMAIL_METHOD,
        acr=live.acr,
        amr=live.amr,
        client_id=live.client_id,
        new_user=new,
    )
