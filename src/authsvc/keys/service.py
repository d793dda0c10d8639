"""Signing keys: made, handed over, retired and forgotten on schedule or by an operator."""

import asyncio
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from authsvc.audit.service import Audit
from authsvc.crypto.jose import Signer, generate
from authsvc.crypto.sealing import Sealer, Unopenable
from authsvc.kernel.caller import Caller
from authsvc.kernel.errors import Code, Refusal
from authsvc.kernel.events import SigningKeyChanged
from authsvc.keys import lifecycle, repo
from authsvc.keys.lifecycle import (
    Action,
    Activate,
    Create,
    Full,
    Key,
    Remove,
    Retire,
    Rules,
    Schedule,
    State,
)
from authsvc.keys.repo import New, Stored
from authsvc.keys.ring import SigningRing, opened, place
from authsvc.keys.settings import KeySettings, SigningSettings
from authsvc.keys.tables import SigningKey
from authsvc.platform.db.sealed import SealedColumn
from authsvc.platform.db.uow import Tx, UnitOfWork

PRIVATE_HALVES = SealedColumn(SigningKey, "private_sealed", place, lock=repo.lock)


class Plan(Protocol):
    """A pure decision: what to do with these keys now."""

    def __call__(
        self, keys: Sequence[Key], *, now: datetime, rules: Rules
    ) -> tuple[Action, ...] | Full:
        """The actions, in their order, or that there is no room for another key."""
        ...


class Change(StrEnum):
    """What happened to a key: the ``action`` of its event."""

    CREATED = "created"
    ACTIVATED = "activated"
    RETIRED = "retired"
    REMOVED = "removed"
    SCHEDULED = "scheduled"
    RETAINED = "retained"
    RELEASED = "released"


def rules_of(settings: KeySettings, *, signing: SigningSettings, token_life: int) -> Rules:
    """The periods of these settings; ``token_life`` is access_ttl + leeway in seconds."""
    return Rules(
        alg=signing.alg,
        rotate_every=timedelta(seconds=settings.rotate_every),
        publish_before=timedelta(seconds=settings.publish_before),
        keep_after=timedelta(seconds=settings.keep_after),
        token_life=timedelta(seconds=token_life),
        job_alarm=timedelta(seconds=settings.job_alarm),
    )


@dataclass(frozen=True, slots=True)
class Keys:
    """Plans and carries out what happens to keys, once however many processes ask.

    Spec: security.md C37.
    """

    uow: UnitOfWork
    sealer: Sealer
    audit: Audit
    ring: SigningRing
    rules: Rules

    async def run_due(self) -> bool:
        """Do what the schedule asks for; whether anything changed. Cheap when nothing is due.

        On an empty database it makes the first active key and its successor.
        """
        async with self.uow.reading() as tx:
            rows, now = await repo.read(tx), tx.now
        if any(row.private and not self.sealer.is_current(row.private) for row in rows):
            # An older root key sealed it: seal it anew, so that this root may leave the list.
            async with self.uow() as tx:
                await PRIVATE_HALVES.reseal(tx, self.sealer)
        if not lifecycle.due(self._keys(rows), now=now, rules=self.rules):
            return False
        return bool(await self._carry_out(lifecycle.due, by=None))

    async def rotate(self, *, emergency: bool = False, by: Caller | None = None) -> Key:
        """Let the next key take over: the answer is that key, active now, or next with the
        time at which it is old enough and takes over by itself.

        In an emergency a key made this moment signs as soon as every process publishes it, and
        the old ones go when their last tokens are over. Raises busy while more keys would be
        published than verifiers take.
        """
        plan = lifecycle.emergency if emergency else lifecycle.rotation
        actions = await self._carry_out(plan, by=by)
        wanted = State.ACTIVE if _took_over(actions) else State.NEXT
        return next(key for key in await self.list() if key.state is wanted)

    async def list(self) -> tuple[Key, ...]:
        """Every key, oldest first; the next one with the time at which it will take over."""
        async with self.uow.reading() as tx:
            keys = self._keys(await repo.read(tx))
        takes_over = lifecycle.takes_over_at(keys, rules=self.rules)
        return tuple(
            replace(key, activate_at=takes_over) if key.state is State.NEXT else key for key in keys
        )

    async def retain(self, kid: str, *, retained: bool, by: Caller | None = None) -> None:
        """Keep the schedule's hands off a key, or let it go on; raises not_found."""
        change = Change.RETAINED if retained else Change.RELEASED
        async with self.uow() as tx:
            await repo.lock(tx)
            found = await repo.retain(tx, kid, retained=retained)
            if found:
                await self._record(tx, kid, change, by=by)
        if not found:
            raise Refusal(Code.NOT_FOUND, log="no such signing key")

    async def _carry_out(self, plan: Plan, *, by: Caller | None) -> tuple[Action, ...]:
        # Keys are made before the transaction opens: an RSA key takes its time.
        spare = [await self._make() for _ in range(2)]
        async with self.uow() as tx:
            await repo.lock(tx)
            keys = self._keys(await repo.read(tx))
            now = tx.now
            actions = plan(keys, now=now, rules=self.rules)
            if isinstance(actions, Full):
                raise _too_many(keys, actions, now=now)
            for action in actions:
                await self._do(tx, action, spare=spare, by=by)
        await self.ring.load()
        return actions

    async def _make(self) -> Signer:
        return await asyncio.to_thread(generate, self.rules.alg)

    async def _do(
        self, tx: Tx, action: Action, *, spare: Sequence[Signer], by: Caller | None
    ) -> None:
        match action:
            case Create(state=state):
                signer = spare[0] if state is State.ACTIVE else spare[1]
                await repo.add(tx, self._sealed(signer, state=state))
                await self._record(tx, signer.kid, Change.CREATED, by=by)
                if state is State.ACTIVE:
                    await self._record(tx, signer.kid, Change.ACTIVATED, by=by)
            case Activate(kid=kid):
                await repo.activate(tx, kid)
                await self._record(tx, kid, Change.ACTIVATED, by=by)
            case Retire(kid=kid, remove_at=remove_at, released=released):
                await repo.retire(tx, kid, remove_at=remove_at, released=released)
                await self._record(tx, kid, Change.RETIRED, by=by)
            case Schedule(kid=kid, activate_at=activate_at):
                await repo.schedule(tx, kid, activate_at=activate_at)
                await self._record(tx, kid, Change.SCHEDULED, by=by)
            case Remove(kid=kid):
                await repo.remove(tx, kid)
                await self._record(tx, kid, Change.REMOVED, by=by)

    def _sealed(self, signer: Signer, *, state: State) -> New:
        public_jwk = json.dumps(signer.public_jwk(), separators=(",", ":"))
        private = self.sealer.seal(signer.private_bytes(), place=place(signer.kid))
        return New(signer.kid, signer.alg, public_jwk, private, state)

    async def _record(self, tx: Tx, kid: str, change: Change, *, by: Caller | None) -> None:
        event = SigningKeyChanged(kid=kid, action=change.value)
        await self.audit.record(tx, event, caller=by)

    def _keys(self, rows: Sequence[Stored]) -> tuple[Key, ...]:
        """The keys, marked when the next one could not sign: its root key is off the list."""
        return tuple(
            replace(row.key, usable=row.key.state is not State.NEXT or self._opens(row))
            for row in rows
        )

    def _opens(self, row: Stored) -> bool:
        try:
            opened(row, sealer=self.sealer)
        except Unopenable:
            return False
        return True


def _too_many(keys: Sequence[Key], full: Full, *, now: datetime) -> Refusal:
    published = f"{len(keys)} keys are published already, as many as verifiers take"
    if full.until is None:
        return Refusal(Code.BUSY, log=f"{published}; release a retained one")
    wait = math.ceil((full.until - now).total_seconds())
    return Refusal(Code.BUSY, log=f"{published}; try again in {wait} s", retry_after=wait)


def _took_over(actions: Sequence[Action]) -> bool:
    return any(isinstance(action, Activate) or action == Create(State.ACTIVE) for action in actions)
