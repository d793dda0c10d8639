"""Sign-in by e-mail: one message with a link and a code. Spec: security.md B2, C08, C21–C25."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from authsvc.abuse.service import Guard
from authsvc.accounts.service import Account, Accounts
from authsvc.accounts.settings import SignUpMode
from authsvc.audit.service import Audit
from authsvc.clients.service import Client
from authsvc.crypto.hashing import mac
from authsvc.crypto.keyring import Keyring, Purpose
from authsvc.guesses.service import Caps
from authsvc.kernel.caller import Caller
from authsvc.kernel.errors import Code, Refusal
from authsvc.kernel.events import SignInStarted
from authsvc.kernel.ids import FLOW, new_id
from authsvc.kernel.secret import Secret
from authsvc.notify.messages import Asked as AskedFor
from authsvc.notify.messages import sign_in
from authsvc.notify.service import Outbox
from authsvc.onetime.service import Issued, OneTimeSecrets
from authsvc.onetime.service import Purpose as LinkPurpose
from authsvc.platform.db.uow import Tx, UnitOfWork
from authsvc.signin.attempts import Asker, Attempts, Held
from authsvc.signin.flow import Flow, Step
from authsvc.signin.settings import FlowSettings

METHOD = "email"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the person asked for, checked and in canonical form."""

    address: str
    client: Client
    return_to: str | None
    stay: bool
    locale: str


@dataclass(frozen=True, slots=True)
class EmailStart:
    """Sends the message. Nothing it answers tells whether an account exists."""

    uow: UnitOfWork
    attempts: Attempts
    onetime: OneTimeSecrets
    caps: Caps
    guard: Guard
    accounts: Accounts
    audit: Audit
    outbox: Outbox
    ring: Keyring
    settings: FlowSettings
    public_url: str
    can_send: bool

    def address_key(self, address: str) -> bytes:
        """The key under which an address is counted without being stored."""
        return mac(self.ring.current(Purpose.IDENTIFIER).key, "address", address)

    async def start(self, asked: Asked, *, asker: Asker, own: bool, caller: Caller) -> Flow:
        """A new attempt whose message is on its way.

        ``own`` = this browser signed in with the address before, so that strangers cannot
        spend its mail cap. Raises rate_limited, resend_too_soon, email_unavailable.
        """
        self._require_mailer()
        key = self.address_key(asked.address)
        await self.guard.identifier(caller.address, key.hex())
        async with self.uow.reading() as tx:
            account = await self.accounts.find(tx, asked.address)
        flow = self._flow(asked, asker=asker, account=account, key=key, caller=caller)
        # The store first: should it be away, no message goes out that nobody could use.
        await self.attempts.begin(flow)
        try:
            async with self.uow() as tx:
                sent = await self._send(tx, flow, account=account, own=own, caller=caller)
                started = SignInStarted(method=METHOD, client_id=flow.client_id)
                await self.audit.record(tx, started, caller=caller)
        except BaseException:
            # An attempt without a message must not hide the one before it.
            with suppress(Refusal):
                await self.attempts.take(flow)
            raise
        return await self._mailed(flow, sent)

    async def resend(self, held: Held, *, own: bool, caller: Caller) -> Flow:
        """The same attempt with a new message; the older one is void."""
        self._require_mailer()
        held.flow.require(Step.CHECK_EMAIL)
        async with self.uow() as tx:
            account = await self.accounts.find(tx, held.flow.address)
            sent = await self._send(tx, held.flow, account=account, own=own, caller=caller)
        return await self._mailed(held.flow, sent)

    def _require_mailer(self) -> None:
        if not self.can_send:
            raise Refusal(Code.EMAIL_UNAVAILABLE, log="mail.smtp_url is not set", retry_after=3600)

    def _flow(
        self, asked: Asked, *, asker: Asker, account: Account | None, key: bytes, caller: Caller
    ) -> Flow:
        now = self.uow.clock.now()
        return Flow(
            id=new_id(FLOW),
            browser=asker.hash,
            native=asker.native,
            client_id=asked.client.id,
            address=asked.address,
            guess_key=account.id if account else key.hex(),
            return_to=asked.return_to,
            stay=asked.stay,
            locale=asked.locale,
            step=Step.CHECK_EMAIL,
            mail_id="",
            requested_at=now,
            requested_browser=caller.device.browser,
            requested_os=caller.device.os,
            resend_at=now,
            mail_expires_at=now,
            expires_at=now + timedelta(seconds=self.settings.ttl),
        )

    async def _send(
        self, tx: Tx, flow: Flow, *, account: Account | None, own: bool, caller: Caller
    ) -> Issued:
        recipient = self.address_key(flow.address).hex()
        wait = await self.caps.spend_mail(tx, recipient, own=own)
        if wait is not None:
            raise Refusal(Code.RESEND_TOO_SOON, retry_after=wait, log="recipient cap")
        issued = await self.onetime.issue(
            tx,
            purpose=LinkPurpose.SIGN_IN,
            address=flow.address,
            user_id=account.id if account else None,
            epoch=account.epoch if account else 0,
            flow_id=flow.id,
        )
        if self._may_receive(account):
            mail = sign_in(
                flow.address,
                locale=(account.locale if account else None) or flow.locale,
                link=self.link(issued),
                code=issued.code,
                expires_at=issued.expires_at,
                minutes=self.onetime.settings.sign_in // 60,
                asked=AskedFor(tx.now, caller.device.browser, caller.device.os),
            )
            await self.outbox.put(tx, mail)
        return issued

    def link(self, issued: Issued) -> Secret:
        """The link of a message: always under the configured public URL."""
        return Secret(f"{self.public_url}/ui/link?t={issued.token.reveal()}")

    def _may_receive(self, account: Account | None) -> bool:
        if account is None:
            return self.accounts.sign_up is not SignUpMode.CLOSED
        return account.is_active

    async def _mailed(self, flow: Flow, sent: Issued) -> Flow:
        wait = timedelta(seconds=self.caps.settings.pause)
        mailed = flow.mailed(
            mail_id=sent.id,
            resend_at=self.uow.clock.now() + wait,
            mail_expires_at=sent.expires_at,
        )
        # The message is out: a store that fails right now must not turn that into an error.
        with suppress(Refusal):
            held = await self.attempts.load(flow.id)
            if held is not None:
                await self.attempts.save(held, mailed)
        return mailed
