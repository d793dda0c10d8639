"""Long-lived single-use secrets: mailed links and codes. Spec: security.md B2, C24, C25."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from authsvc.crypto.hashing import digest, is_token, mac, new_code, new_token, same
from authsvc.crypto.keyring import Keyring
from authsvc.crypto.keyring import Purpose as KeyPurpose
from authsvc.crypto.sealing import Sealer, Unopenable
from authsvc.kernel.ids import ONETIME, new_id
from authsvc.kernel.secret import Secret
from authsvc.onetime import repo
from authsvc.onetime.settings import OneTimeSettings
from authsvc.onetime.tables import OneTime
from authsvc.platform.db.sealed import Need, SealedColumn
from authsvc.platform.db.uow import Tx

CODE_DIGITS = 6
_KEEP = timedelta(days=1)
_CODE = re.compile(r"[0-9]{6}", re.ASCII)


class Purpose(StrEnum):
    """What a secret is for; one issued for another purpose is refused."""

    SIGN_IN = "sign_in"
    INVITE = "invite"


class Fate(StrEnum):
    """What became of a secret. A newer message makes the older one EXPIRED."""

    FRESH = "fresh"
    USED = "used"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Issued:
    """A new secret; token and code exist here and in the message only."""

    id: str
    token: Secret
    code: Secret
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Redeemed:
    """A secret spent in this transaction, and what it was bound to."""

    id: str
    purpose: Purpose
    user_id: str | None
    flow_id: str | None
    address: str | None


@dataclass(frozen=True, slots=True)
class Glance:
    """A secret as it stands; nothing was changed."""

    fate: Fate
    id: str = ""
    purpose: Purpose = Purpose.SIGN_IN
    flow_id: str | None = None
    address: str | None = None


def _place(id: str) -> str:
    return f"onetime:address:{id}"


ADDRESSES = SealedColumn(OneTime, "address_sealed", _place)


def no_fixed_code(_address: str) -> str | None:
    """Every code is random: production."""
    return None


def _plain_code(text: str) -> str | None:
    code = re.sub(r"[\s-]", "", text)
    return code if _CODE.fullmatch(code) else None


@dataclass(frozen=True, slots=True)
class OneTimeSecrets:
    """Issues and redeems. ``fixed_code`` is dev mode's, for addresses under ``.test`` only."""

    ring: Keyring
    sealer: Sealer
    settings: OneTimeSettings
    fixed_code: Callable[[str], str | None] = no_fixed_code

    async def issue(
        self,
        tx: Tx,
        *,
        purpose: Purpose,
        address: str,
        user_id: str | None,
        epoch: int,
        flow_id: str | None,
    ) -> Issued:
        """A new link and code for an address; older open ones of the purpose are void."""
        token, id = new_token(), new_id(ONETIME)
        code = self.fixed_code(address) or new_code(CODE_DIGITS)
        keys = self._keys(KeyPurpose.IDENTIFIER, "address", address)
        await repo.line_up(tx, address_keys=keys)
        await repo.void_older(tx, purpose=purpose, address_keys=keys)
        invited = purpose is Purpose.INVITE
        life = self.settings.invite if invited else self.settings.sign_in
        sealed = self.sealer.seal(address.encode(), place=_place(id)) if invited else None
        row = {
            "id": id,
            "hash": digest(token),
            "code_hmac": self._keys(KeyPurpose.MAIL_CODE, flow_id or digest(token), code)[0],
            "purpose": purpose.value,
            "user_id": user_id,
            "epoch": epoch,
            "flow_id": flow_id,
            "address_key": keys[0],
            "address_sealed": sealed,
            "created_at": tx.now,
            "expires_at": tx.now + timedelta(seconds=life),
        }
        await repo.add(tx, row)
        return Issued(id, Secret(token), Secret(code), tx.now + timedelta(seconds=life))

    async def peek(self, tx: Tx, token: str) -> Glance:
        """What a token is worth right now; changes nothing."""
        row = await repo.by_hash(tx, digest(token)) if is_token(token) else None
        if row is None:
            return Glance(Fate.UNKNOWN)
        fate = await self._fate(tx, row)
        purpose = Purpose(row.purpose)
        return Glance(fate, row.id, purpose, row.flow_id, self._address(row))

    async def redeem_token(
        self, tx: Tx, token: str, *, purpose: Purpose, code: str | None = None
    ) -> Redeemed | Fate:
        """Spend a token, with its code where one is asked for; else why not.

        UNKNOWN also stands for a wrong code: the token stays open then.
        """
        if not is_token(token):
            return Fate.UNKNOWN
        hash = digest(token)
        conditions = [OneTime.hash == hash]
        if code is not None:
            row = await repo.by_hash(tx, hash)
            plain = _plain_code(code)
            if row is None or plain is None:
                return Fate.UNKNOWN
            proofs = self._keys(KeyPurpose.MAIL_CODE, row.flow_id or hash, plain)
            conditions.append(OneTime.code_hmac.in_(proofs))
        spent = await repo.redeem(tx, *conditions, purpose=purpose)
        if spent is not None:
            return self._redeemed(spent)
        return await self._why(tx, await repo.by_hash(tx, hash), purpose=purpose)

    async def redeem_code(
        self, tx: Tx, code: str, *, purpose: Purpose, flow_id: str
    ) -> Redeemed | Fate:
        """Spend the code of an attempt's newest message; else why not."""
        plain = _plain_code(code)
        if plain is None:
            return Fate.UNKNOWN
        proofs = self._keys(KeyPurpose.MAIL_CODE, flow_id, plain)
        spent = await repo.redeem(
            tx, OneTime.flow_id == flow_id, OneTime.code_hmac.in_(proofs), purpose=purpose
        )
        if spent is not None:
            return self._redeemed(spent)
        newest = await repo.newest_of_flow(tx, flow_id, purpose=purpose)
        return await self._why(tx, newest, purpose=purpose)

    async def codes_by_key(self, tx: Tx) -> dict[str, Need]:
        """The open invitations by the id of the secret key that their codes need.

        Sign-in codes live for minutes; who takes a key off the list waits for them.
        """
        found: dict[str, Need] = {}
        for row in await repo.open_with_address(tx):
            key_id = self._key_id(row)
            if key_id is not None:
                before = found.get(key_id, Need(0, row.expires_at))
                until = max(before.until, row.expires_at)
                found[key_id] = Need(before.count + 1, until)
        return found

    async def sweep(self, tx: Tx) -> int:
        """Delete rows a day past their end; how many."""
        return await repo.sweep(tx, before=tx.now - _KEEP)

    async def _why(self, tx: Tx, row: OneTime | None, *, purpose: Purpose) -> Fate:
        if row is None or row.purpose != purpose:
            return Fate.UNKNOWN
        fate = await self._fate(tx, row)
        return Fate.UNKNOWN if fate is Fate.FRESH else fate

    async def _fate(self, tx: Tx, row: OneTime) -> Fate:
        if row.used_at is not None:
            return Fate.EXPIRED if row.void_reason else Fate.USED
        if row.expires_at <= tx.now:
            return Fate.EXPIRED
        if row.address_sealed is not None and self._key_id(row) is None:
            return Fate.EXPIRED  # no code fits it any more: its secret key has left the list
        if row.user_id and await repo.current_epoch(tx, row.user_id) != row.epoch:
            return Fate.EXPIRED
        return Fate.FRESH

    def _address(self, row: OneTime) -> str | None:
        if row.address_sealed is None:
            return None
        try:
            return self.sealer.open(row.address_sealed, place=_place(row.id)).decode()
        except Unopenable:
            return None  # its secret key has left the list

    def _key_id(self, row: OneTime) -> str | None:
        """Which key made the row's MACs: nothing says so but the MAC of its address."""
        address = self._address(row)
        if address is None:
            return None
        for derived in self.ring.all(KeyPurpose.IDENTIFIER):
            if same(mac(derived.key, "address", address), row.address_key):
                return derived.id
        return None

    def _redeemed(self, row: OneTime) -> Redeemed:
        purpose = Purpose(row.purpose)
        return Redeemed(row.id, purpose, row.user_id, row.flow_id, self._address(row))

    def _keys(self, purpose: KeyPurpose, *fields: str | bytes) -> list[bytes]:
        """The MAC under every key of the ring, the current one first."""
        return [mac(derived.key, *fields) for derived in self.ring.all(purpose)]
