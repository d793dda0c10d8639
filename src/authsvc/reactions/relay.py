"""After the fact: security events become mails, each once, in one transaction."""

from dataclasses import dataclass
from typing import Any

import structlog

from authsvc.accounts.service import Accounts
from authsvc.audit.service import Audit, Happened
from authsvc.notify.messages import Asked, Message, notice
from authsvc.notify.service import Outbox
from authsvc.platform.db.uow import Tx, UnitOfWork
from authsvc.sessions.service import Sessions

BATCH = 50
log: Any = structlog.get_logger("authsvc.worker")


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
        """React to every pending event once; how many it reacted to.

        One that fails is logged, holds up no other and is tried again at the next turn.
        """
        done, after = 0, None
        while True:
            async with self.uow() as tx:
                events = await self.audit.pending(tx, limit=BATCH, after=after)
                relayed = [event.id for event in events if await self._reacted(tx, event)]
                await self.audit.relayed(tx, relayed)
            if not events:
                return done
            done, after = done + len(relayed), events[-1].id

    async def _reacted(self, tx: Tx, event: Happened) -> bool:
        try:
            async with tx.session.begin_nested():
                message = await self._message(tx, event)
                if message is not None:
                    await self.outbox.put(tx, message, idempotency_key=event.id)
        except Exception as error:
            log.exception("event_not_relayed", name=event.name, error=type(error).__name__)
            return False
        return True

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
