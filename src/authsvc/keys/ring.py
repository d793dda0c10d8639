"""The signing keys in memory: they sign and are published while the database is away."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from authsvc.crypto.jose import Signer, load
from authsvc.crypto.sealing import Sealer, Unopenable
from authsvc.kernel.errors import Code, Refusal
from authsvc.keys import repo
from authsvc.keys.lifecycle import Key, Rules, is_late, signing
from authsvc.keys.repo import Stored
from authsvc.platform.db.uow import UnitOfWork
from authsvc.verify.jose import SUPPORTED, VerifyingKey, read_keys

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class JwksDocument:
    """The published key set: its bytes and the strong ETag of just these bytes."""

    body: bytes
    etag: str


@dataclass(frozen=True, slots=True)
class _Held:
    """What one load found. Replaced as a whole, so that no reader sees half of it."""

    signer: Signer | None
    document: JwksDocument
    public_keys: dict[str, VerifyingKey]
    late: bool
    keys: tuple[Key, ...]


@dataclass(slots=True)
class SigningRing:
    """The keys of this process. ``load`` brings them up to date; nothing else does I/O."""

    uow: UnitOfWork
    sealer: Sealer
    rules: Rules
    _held: _Held | None = field(default=None, repr=False)

    async def load(self) -> None:
        """Read the keys again: at the start, every 30 seconds, after a rotation.

        Raises store_unavailable and keeps what it has when the database is away.
        """
        async with self.uow.reading() as tx:
            rows, now = await repo.read(tx), tx.now
        # An empty table never empties a ring that has keys.
        if rows:
            late = is_late([row.key for row in rows], now=now, rules=self.rules)
            self._held = self._hold(rows, late=late, now=now)

    def signer(self) -> Signer:
        """The active key; raises keys_unavailable while there is none."""
        if self._held is None or self._held.signer is None:
            raise Refusal(Code.KEYS_UNAVAILABLE, log="no active signing key in memory")
        return self._held.signer

    def document(self) -> JwksDocument:
        """The key set to publish; raises keys_unavailable before the first load."""
        return self._loaded().document

    def public_keys(self) -> dict[str, VerifyingKey]:
        """The published keys by kid, for checking; raises keys_unavailable before a load."""
        return self._loaded().public_keys

    @property
    def is_ready(self) -> bool:
        """Whether tokens can be signed."""
        return self._held is not None and self._held.signer is not None

    @property
    def keys(self) -> tuple[Key, ...]:
        """Every key as the last load found it, oldest first."""
        return () if self._held is None else self._held.keys

    @property
    def is_late(self) -> bool:
        """Whether the rotation is overdue: a warning for operators."""
        return self._held is not None and self._held.late

    def _loaded(self) -> _Held:
        if self._held is None:
            raise Refusal(Code.KEYS_UNAVAILABLE, log="signing keys were never loaded")
        return self._held

    def _hold(self, rows: Sequence[Stored], *, late: bool, now: datetime) -> _Held:
        if late and not self.is_late:
            _log.error("signing_key_late", fix="run the worker, or authsvc keys rotate")
        document = _document(rows)
        public_keys = read_keys(document.body, algorithms=SUPPORTED)
        keys = tuple(row.key for row in rows)
        return _Held(self._signer(rows, now=now), document, public_keys, late, keys)

    def _signer(self, rows: Sequence[Stored], *, now: datetime) -> Signer | None:
        held = self._held.signer if self._held else None
        keys = [row.key for row in rows]
        key = signing(keys, held=None if held is None else held.kid, now=now)
        if held is not None and key is not None and key.kid == held.kid:
            return held
        active = next((row for row in rows if row.key is key), None)
        if active is None or active.private is None:
            return None
        try:
            return opened(active, sealer=self.sealer)
        except Unopenable:
            _log.exception("signing_key_unopenable", kid=active.key.kid, fix=_UNOPENABLE)
            return None


_UNOPENABLE = (
    "put the secret_key that sealed it back on the list, or authsvc keys rotate --emergency"
)


def place(kid: str) -> str:
    """Where a private half is sealed for."""
    return f"signing_keys:private:{kid}"


def opened(row: Stored, *, sealer: Sealer) -> Signer:
    """The signer of a row; raises Unopenable when it cannot be opened or is another key."""
    if row.private is None:
        raise Unopenable(place(row.key.kid))
    der = sealer.open(row.private, place=place(row.key.kid))
    signer = load(der, alg=row.key.alg)
    if signer.kid != row.key.kid:
        raise Unopenable(place(row.key.kid))
    return signer


def _document(rows: Sequence[Stored]) -> JwksDocument:
    keys = [json.loads(row.public_jwk) for row in rows]
    body = json.dumps({"keys": keys}, separators=(",", ":")).encode()
    return JwksDocument(body, etag=f'"{hashlib.sha256(body).hexdigest()[:32]}"')
