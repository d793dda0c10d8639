"""Sign-in attempts of a browser or app, kept in the ephemeral store."""

from dataclasses import dataclass

from authsvc.challenges.service import Challenges, Stored
from authsvc.crypto.hashing import digest, is_token, new_token
from authsvc.kernel.errors import Code, Refusal
from authsvc.kernel.ids import FLOW, is_id
from authsvc.kernel.secret import Secret
from authsvc.signin.flow import Flow, Step
from authsvc.signin.settings import FlowSettings

_KIND = "flow"
NATIVE_PREFIX = "ft_"


@dataclass(frozen=True, slots=True)
class Asker:
    """The browser (flow cookie) or native app (flow token) that attempts are bound to."""

    secret: Secret
    native: bool

    @property
    def hash(self) -> str:
        """What the store keeps instead of the secret."""
        return digest(self.secret.reveal()).hex()


def known_asker(text: str | None, *, native: bool) -> Asker | None:
    """The asker behind a presented secret, or None for anything of another shape."""
    if text is None:
        return None
    body = text.removeprefix(NATIVE_PREFIX) if native else text
    if native and not text.startswith(NATIVE_PREFIX):
        return None
    return Asker(Secret(text), native=native) if is_token(body) else None


def new_asker(*, native: bool) -> Asker:
    """A browser or app that is new to us."""
    prefix = NATIVE_PREFIX if native else ""
    return Asker(Secret(prefix + new_token()), native=native)


@dataclass(frozen=True, slots=True)
class Held:
    """A flow as loaded, with the version that the next write must match."""

    flow: Flow
    stored: Stored


@dataclass(frozen=True, slots=True)
class Found(Held):
    """A flow that belongs to the browser or app that asks."""

    asker: Asker


@dataclass(frozen=True, slots=True)
class Attempts:
    """Begins, finds and moves attempts. Raises store_unavailable when the store is away."""

    challenges: Challenges
    settings: FlowSettings

    async def begin(self, flow: Flow) -> None:
        """Keep a new attempt and list it under its browser (at most eight, oldest dropped)."""
        ttl = self.settings.ttl
        await self.challenges.save_new(_KIND, flow.id, flow.to_record(), ttl=ttl)
        await self.challenges.remember(flow.browser, flow.id, ttl=ttl)

    async def load(self, flow_id: str | None) -> Held | None:
        """The attempt with this id, whoever asks; None when it is gone."""
        if flow_id is None or not is_id(flow_id, prefix=FLOW):
            return None
        stored = await self.challenges.load(_KIND, flow_id)
        return None if stored is None else Held(Flow.from_record(stored.record), stored)

    async def find(self, asker: Asker | None, flow_id: str | None) -> Found:
        """The attempt this browser means: the named one, else its newest.

        Raises flow_expired, also for an attempt of another browser.
        """
        if asker is not None:
            ids = [flow_id] if flow_id else reversed(await self.challenges.recall(asker.hash))
            for candidate in ids:
                held = await self.load(candidate)
                if held is not None and held.flow.browser == asker.hash:
                    return Found(held.flow, held.stored, asker)
        raise Refusal(Code.FLOW_EXPIRED, log="no such attempt in this browser")

    async def pending(self, asker: Asker | None) -> Flow | None:
        """The newest unfinished attempt of this browser, if any."""
        try:
            held = await self.find(asker, None)
        except Refusal as refusal:
            if refusal.code is not Code.FLOW_EXPIRED:
                raise
            return None
        return held.flow if held.flow.step is not Step.DONE else None

    async def save(self, held: Held, flow: Flow) -> None:
        """Move the attempt; raises flow_step_mismatch when somebody else moved it first."""
        if not await self.challenges.replace(_KIND, flow.id, held.stored, flow.to_record()):
            raise Refusal(Code.FLOW_STEP_MISMATCH, log=f"{flow.id} was moved meanwhile")

    async def take(self, flow: Flow) -> bool:
        """End the attempt; True for exactly one caller."""
        return await self.challenges.take(_KIND, flow.id) is not None
