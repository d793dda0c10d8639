"""The envelope of an attempt that waits, with the tries its message has left."""

from dataclasses import dataclass

from authsvc.guesses.service import Guesses
from authsvc.platform.db.uow import UnitOfWork
from authsvc.signin.attempts import Asker
from authsvc.signin.envelopes import Envelopes
from authsvc.signin.flow import Flow
from authsvc.signin.schemas import CheckEmail


@dataclass(frozen=True, slots=True)
class Pending:
    """Looks up what only SQL knows of an attempt."""

    uow: UnitOfWork
    guesses: Guesses
    envelopes: Envelopes

    async def check_email(self, flow: Flow, *, asker: Asker) -> CheckEmail:
        """A message is on its way, if the address can sign in here."""
        settings = self.guesses.settings
        used = await self.guesses.used("flow", flow.mail_id or flow.id, window=settings.window)
        left = max(0, settings.flow - used)
        now = self.uow.clock.now()
        return self.envelopes.check_email(flow, asker=asker, tries_left=left, now=now)
