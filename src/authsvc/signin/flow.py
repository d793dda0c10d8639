"""A sign-in attempt as values: what it is bound to, where it stands, how it moves.

The record lives in the ephemeral store; losing it costs a restart of this attempt, no more.
"""

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from authsvc.kernel.clock import from_micros, to_micros
from authsvc.kernel.errors import Code, Refusal


class Step(StrEnum):
    """Where an attempt stands; the ``next`` that its envelope shows."""

    CHECK_EMAIL = "check_email"
    DONE = "done"


_INSTANTS = ("requested_at", "resend_at", "mail_expires_at", "expires_at")


@dataclass(frozen=True, slots=True)
class Flow:
    """One attempt. ``browser`` is the hash of the secret that names the asking browser."""

    id: str
    browser: str
    native: bool
    client_id: str
    address: str
    guess_key: str  # whose first-step budget a wrong code spends
    return_to: str | None
    stay: bool
    locale: str
    step: Step
    mail_id: str
    requested_at: datetime
    requested_browser: str
    requested_os: str
    resend_at: datetime
    mail_expires_at: datetime
    expires_at: datetime
    session_id: str | None = None

    def to_record(self) -> dict[str, Any]:
        """The JSON form kept in the store."""
        record = asdict(self)
        for name in _INSTANTS:
            record[name] = to_micros(record[name])
        return record

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Self:
        """The flow behind a stored record; members this version does not know are ignored."""
        known = {name: record[name] for name in cls.__slots__ if name in record}
        for name in _INSTANTS:
            known[name] = from_micros(known[name])
        known["step"] = Step(known["step"])
        return cls(**known)

    def mailed(self, *, mail_id: str, resend_at: datetime, mail_expires_at: datetime) -> "Flow":
        """After another mail went out; a finished flow sends none."""
        self.require(Step.CHECK_EMAIL)
        return replace(self, mail_id=mail_id, resend_at=resend_at, mail_expires_at=mail_expires_at)

    def finished(self, *, session_id: str) -> "Flow":
        """After the session was opened."""
        self.require(Step.CHECK_EMAIL)
        return replace(self, step=Step.DONE, session_id=session_id)

    def require(self, step: Step) -> None:
        """Raise flow_step_mismatch unless the attempt stands at this step."""
        if self.step is not step:
            raise Refusal(Code.FLOW_STEP_MISMATCH, log=f"{self.id} stands at {self.step}")
