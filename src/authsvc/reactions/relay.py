"""After the fact: security events become mails, each once, in one transaction."""

from dataclasses import dataclass

from authsvc.accounts.service import Accounts
from authsvc.audit.service import Audit, Happened
from authsvc.notify.messages import Asked, Message, notice
from authsvc.notify.service import Outbox
from authsvc.platform.db.uow import Tx, UnitOfWork
from authsvc.sessions.service import Sessions

BATCH = 50


@dataclass(frozen=True, slots=True)
class Relay:
    """Works through pending events. What it queues carries the event's id, so nothing doubles."""

    uow: UnitOfWork
    audit: Audit
    outbox: Outbox
    accounts: Accounts
    sessions: Sessions
    public_url: str
    default_locale: str

    async def run_once(self) -> int:
        """React to every pending event; how many."""
        done = 0
        while count := await self._batch():
            done += count
        return done

    async def _batch(self) -> int:
        async with self.uow() as tx:
            events = await self.audit.pending(tx, limit=BATCH)
            for event in events:
                message = await self._message(tx, event)
                if message is not None:
                    await self.outbox.put(tx, message, idempotency_key=event.id)
            await self.audit.relayed(tx, [event.id for event in events])
        return len(events)

    async def _message(self, tx: Tx, event: Happened) -> Message | None:
        template = await self._template(tx, event)
        if template is None or event.user_id is None:
            return None
        recipient = await self.accounts.of(tx, event.user_id)
        if recipient is None:
            return None
        return notice(
            template,
            recipient.address,
            locale=recipient.locale or self.default_locale,
            link=f"{self.public_url}/ui/account",
            asked=Asked(event.at, event.browser, event.os),
        )

    async def _template(self, tx: Tx, event: Happened) -> str | None:
        match event.name:
            case "session_reuse_detected":
                return "reuse"
            case "sessions_revoked" if event.data.get("scope") == "all":
                return "signed_out_everywhere"
            case "signed_in" if not event.data.get("new_user"):
                known = await self.sessions.seen_before(
                    tx, event.user_id or "", event.session_id or ""
                )
                return None if known else "new_sign_in"
            case _:
                return None
