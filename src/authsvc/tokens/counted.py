"""The rotation of session credentials, counted by what became of each."""

from dataclasses import dataclass

from authsvc.kernel.caller import Caller
from authsvc.platform.metrics import Meter, Resume
from authsvc.sessions.facts import Look
from authsvc.tokens.rotation import Ending
from authsvc.tokens.service import Ended, Refreshed, Tokens


@dataclass(frozen=True, slots=True)
class Reused(Ended):
    """No session any more: this very credential had been replaced long ago."""


@dataclass(frozen=True, slots=True)
class CountedTokens(Tokens):
    """Tokens that tell the meter."""

    meter: Meter

    async def refresh(
        self, text: str | None, *, caller: Caller, native: bool = False
    ) -> Refreshed | Ended:
        """As in Tokens; counted unless nothing of ours was shown."""
        # Not super(): a dataclass with slots is another class than the one written here.
        outcome = await Tokens.refresh(self, text, caller=caller, native=native)
        result = _result(outcome)
        if result is not None:
            self.meter.resumed(result)
        return outcome

    async def _reused(self, look: Look, *, caller: Caller) -> Ended:
        ended = await Tokens._reused(self, look, caller=caller)
        return Reused(ended.reason)


def _result(outcome: Refreshed | Ended) -> Resume | None:
    match outcome:
        case Refreshed(rotated=rotated):
            return Resume.ROTATED if rotated else Resume.REPLAYED
        case Reused():
            return Resume.REUSE_DETECTED
        case Ended(reason=reason):
            return None if reason is Ending.NONE else Resume.EXPIRED
