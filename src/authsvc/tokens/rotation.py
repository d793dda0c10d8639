"""What a session credential that could not simply rotate is worth: a verdict over values.

Spec: security.md B4; RFC 9700 §4.14.2.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from authsvc.kernel.caller import Caller


class Ending(StrEnum):
    """Why a session is over: the ``reason`` of the sign-in envelope."""

    NONE = "none"
    EXPIRED = "session_expired"
    IDLE = "session_idle"
    SIGNED_OUT = "signed_out"
    SIGNED_OUT_ELSEWHERE = "signed_out_elsewhere"
    REVOKED = "session_revoked"
    SECURITY_EVENT = "security_event"


@dataclass(frozen=True, slots=True)
class Turn:
    """The row of a session as the rotation sees it."""

    counter: int
    grace_counter: int
    rotated_at: datetime
    idle_expires_at: datetime
    expires_at: datetime
    ended: Ending | None  # set when the row says that the session was ended
    subject_alive: bool  # the person is active and the epoch is unchanged
    shown: bool  # the current credential has come back to us at least once
    late_retries: int
    browser: str
    network: str


@dataclass(frozen=True, slots=True)
class HandBack:
    """The current credential again, with a new access token. ``first`` = never shown before."""

    first: bool


@dataclass(frozen=True, slots=True)
class LateRetry:
    """A lost answer after the grace: the current credential once more, remembered."""


@dataclass(frozen=True, slots=True)
class Reuse:
    """A spent credential came back: end the session and tell the person."""


@dataclass(frozen=True, slots=True)
class Dead:
    """Nothing to hand out. The cookie is left alone."""

    reason: Ending


Verdict = HandBack | LateRetry | Reuse | Dead


def judge(
    shown_counter: int, turn: Turn | None, *, now: datetime, grace: timedelta, caller: Caller
) -> Verdict:
    """The worth of a genuine credential at ``shown_counter``, given its row.

    A credential from the future belongs to a restored database and raises no alarm.
    """
    if turn is None or shown_counter > turn.counter:
        return Dead(Ending.EXPIRED)
    if turn.ended is not None:
        return Dead(turn.ended)
    if not turn.subject_alive:
        return Dead(Ending.REVOKED)
    if turn.expires_at <= now:
        return Dead(Ending.EXPIRED)
    if turn.idle_expires_at <= now:
        return Dead(Ending.IDLE)
    if shown_counter == turn.counter:
        return HandBack(first=not turn.shown)
    within_grace = now < turn.rotated_at + grace
    if within_grace and turn.grace_counter <= shown_counter:
        return HandBack(first=False)
    if _lost_answer(shown_counter, turn, caller=caller):
        return LateRetry()
    return Reuse()


def _lost_answer(shown_counter: int, turn: Turn, *, caller: Caller) -> bool:
    """Likelier a lost answer than a thief: the successor was never seen, same place as before."""
    return (
        shown_counter == turn.counter - 1
        and not turn.shown
        and turn.late_retries == 0
        and caller.device.family == turn.browser
        and caller.network == turn.network
    )
