"""Mailed links and codes: once, for one purpose, the newest, in time. Spec: security.md B2."""

from contextlib import suppress

import pytest
from sqlalchemy import select, text

from authsvc.accounts.service import Accounts, Status
from authsvc.accounts.settings import SignUpMode
from authsvc.crypto.keyring import Purpose as KeyPurpose
from authsvc.kernel.ids import FLOW, new_id
from authsvc.onetime.service import ADDRESSES, Fate, OneTimeSecrets, Purpose, Redeemed
from authsvc.onetime.settings import OneTimeSettings
from authsvc.onetime.tables import OneTime
from tests.onetime.desk import ADDRESS, NEW, OLD, Desk, secrets_with, wrong

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


async def test_a_token_opens_once(desk: Desk) -> None:
    user, flow = await desk.person(), new_id(FLOW)
    issued = await desk.issue(user_id=user, epoch=1, flow_id=flow)
    redeemed = await desk.redeem(issued.token.reveal())
    assert redeemed == Redeemed(issued.id, Purpose.SIGN_IN, user, flow, None)
    assert await desk.redeem(issued.token.reveal()) is Fate.USED


async def test_code_and_token_are_one_secret(desk: Desk) -> None:
    flow = new_id(FLOW)
    issued = await desk.issue(flow_id=flow)
    assert isinstance(await desk.code(issued.code.reveal(), flow), Redeemed)
    assert await desk.redeem(issued.token.reveal()) is Fate.USED
    flow = new_id(FLOW)
    issued = await desk.issue(flow_id=flow)
    assert isinstance(await desk.redeem(issued.token.reveal()), Redeemed)
    assert await desk.code(issued.code.reveal(), flow) is Fate.USED


async def test_what_is_rolled_back_is_not_spent(desk: Desk) -> None:
    token = (await desk.issue()).token.reveal()
    with suppress(LookupError):
        async with desk.uow() as tx:
            spent = await desk.secrets.redeem_token(tx, token, purpose=Purpose.SIGN_IN)
            assert isinstance(spent, Redeemed)
            raise LookupError("the effect failed")
    assert isinstance(await desk.redeem(token), Redeemed)


async def test_another_purpose(desk: Desk) -> None:
    flow = new_id(FLOW)
    issued = await desk.issue(flow_id=flow)
    assert await desk.redeem(issued.token.reveal(), Purpose.INVITE) is Fate.UNKNOWN
    assert await desk.code(issued.code.reveal(), flow, Purpose.INVITE) is Fate.UNKNOWN
    invited = await desk.issue(purpose=Purpose.INVITE, flow_id=None)
    assert await desk.redeem(invited.token.reveal()) is Fate.UNKNOWN
    assert isinstance(await desk.redeem(issued.token.reveal()), Redeemed)
    assert isinstance(await desk.redeem(invited.token.reveal(), Purpose.INVITE), Redeemed)


async def test_another_flow(desk: Desk) -> None:
    here, there = new_id(FLOW), new_id(FLOW)
    issued = await desk.issue(flow_id=here)
    other = await desk.issue(flow_id=there, address="bob@example.com")
    assert await desk.code(issued.code.reveal(), new_id(FLOW)) is Fate.UNKNOWN
    if issued.code.reveal() != other.code.reveal():
        assert await desk.code(issued.code.reveal(), there) is Fate.UNKNOWN
    assert isinstance(await desk.code(issued.code.reveal(), here), Redeemed)


async def test_newest_only(desk: Desk) -> None:
    flow = new_id(FLOW)
    old = await desk.issue(flow_id=flow)
    invited = await desk.issue(purpose=Purpose.INVITE, flow_id=None)
    other = await desk.issue(address="bob@example.com")
    new = await desk.issue(flow_id=flow)
    assert await desk.redeem(old.token.reveal()) is Fate.EXPIRED
    assert (await desk.peek(old)).fate is Fate.EXPIRED
    if old.code.reveal() != new.code.reveal():
        assert await desk.code(old.code.reveal(), flow) is Fate.UNKNOWN
    assert isinstance(await desk.redeem(other.token.reveal()), Redeemed), "another address"
    assert isinstance(await desk.redeem(invited.token.reveal(), Purpose.INVITE), Redeemed)
    assert isinstance(await desk.redeem(new.token.reveal()), Redeemed)


async def test_a_newer_one_leaves_a_used_one_used(desk: Desk) -> None:
    used = await desk.issue()
    await desk.redeem(used.token.reveal())
    await desk.issue()
    assert await desk.redeem(used.token.reveal()) is Fate.USED


@pytest.mark.parametrize(("purpose", "life"), [(Purpose.SIGN_IN, 600), (Purpose.INVITE, 7 * 86400)])
async def test_expiry(desk: Desk, purpose: Purpose, life: int) -> None:
    flow = new_id(FLOW)
    issued = await desk.issue(purpose=purpose, flow_id=flow)
    assert (issued.expires_at - desk.clock.now()).total_seconds() == life
    desk.clock.advance(life - 0.000001)
    assert (await desk.peek(issued)).fate is Fate.FRESH
    desk.clock.advance(0.000001)
    assert (await desk.peek(issued)).fate is Fate.EXPIRED
    assert await desk.redeem(issued.token.reveal(), purpose) is Fate.EXPIRED
    assert await desk.code(issued.code.reveal(), flow, purpose) is Fate.EXPIRED


async def test_a_changed_epoch(desk: Desk) -> None:
    user, flow = await desk.person(), new_id(FLOW)
    issued = await desk.issue(user_id=user, epoch=1, flow_id=flow)
    async with desk.uow() as tx:
        await Accounts(SignUpMode.OPEN).set_status(tx, user, Status.DISABLED)
        await Accounts(SignUpMode.OPEN).set_status(tx, user, Status.ACTIVE)
        account = await Accounts(SignUpMode.OPEN).get(tx, user)
    assert account is not None
    assert account.epoch > 1
    assert (await desk.peek(issued)).fate is Fate.EXPIRED
    assert await desk.redeem(issued.token.reveal()) is Fate.EXPIRED
    assert await desk.code(issued.code.reveal(), flow) is Fate.EXPIRED
    again = await desk.issue(user_id=user, epoch=account.epoch)
    assert isinstance(await desk.redeem(again.token.reveal()), Redeemed)


async def test_a_person_who_is_gone(desk: Desk) -> None:
    user = await desk.person()
    issued = await desk.issue(user_id=user, epoch=1)
    async with desk.uow() as tx:
        await tx.session.execute(text("DELETE FROM user_emails"))
        await tx.session.execute(text("DELETE FROM users"))
    assert await desk.redeem(issued.token.reveal()) is Fate.EXPIRED


async def test_an_invitation_asks_for_its_code(desk: Desk) -> None:
    issued = await desk.issue(purpose=Purpose.INVITE, flow_id=None)
    token, code = issued.token.reveal(), issued.code.reveal()
    for odd in (wrong(code), "", "12345", "1234567", code + "0", "٠" * 6, "12345a", "+12345"):
        assert await desk.redeem(token, Purpose.INVITE, code=odd) is Fate.UNKNOWN
    assert (await desk.peek(issued)).fate is Fate.FRESH, "a wrong code burns nothing"
    redeemed = await desk.redeem(token, Purpose.INVITE, code=code)
    assert redeemed == Redeemed(issued.id, Purpose.INVITE, None, None, ADDRESS)
    assert await desk.redeem(token, Purpose.INVITE, code=code) is Fate.USED


@pytest.mark.parametrize(
    "typed", ["{0}{1}", " {0}{1}\n", "{0} {1}", "{0}-{1}", "{0}\u00a0{1}", "{0}\u2009{1}\t"]
)
async def test_codes_as_people_type_them(desk: Desk, typed: str) -> None:
    flow = new_id(FLOW)
    code = (await desk.issue(flow_id=flow)).code.reveal()
    assert isinstance(await desk.code(typed.format(code[:3], code[3:]), flow), Redeemed)


@pytest.mark.parametrize(
    "typed", ["", "12345", "1234567", "１２３４５６", "12345\x00", "1234.5", "²23456"]
)
async def test_what_is_no_code(desk: Desk, typed: str) -> None:
    flow = new_id(FLOW)
    await desk.issue(flow_id=flow)
    assert await desk.code(typed, flow) is Fate.UNKNOWN


async def test_altered_tokens(desk: Desk) -> None:
    issued = await desk.issue()
    token = issued.token.reveal()
    swapped = [
        token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :] for at in range(43)
    ]
    # The last letter carries two bits more than the token has: they count as well.
    last = [token[:-1] + letter for letter in LETTERS if letter != token[-1]]
    shapes = [token + "A", token[:-1], token + "=", " " + token, token + "\n", "", "ü" * 43]
    cased = [token.swapcase()] if token.swapcase() != token else []
    for odd in swapped + last + shapes + cased:
        assert await desk.redeem(odd) is Fate.UNKNOWN
    assert isinstance(await desk.redeem(token), Redeemed)


async def test_a_look_changes_nothing(desk: Desk) -> None:
    flow = new_id(FLOW)
    issued = await desk.issue(flow_id=flow)
    for _ in range(3):
        glance = await desk.peek(issued)
        assert (glance.fate, glance.id, glance.flow_id) == (Fate.FRESH, issued.id, flow)
        assert (glance.purpose, glance.address) == (Purpose.SIGN_IN, None)
    async with desk.uow.reading() as tx:
        assert (await desk.secrets.peek(tx, "A" * 43)).fate is Fate.UNKNOWN
        assert (await desk.secrets.peek(tx, "junk")).fate is Fate.UNKNOWN
    await desk.redeem(issued.token.reveal())
    assert (await desk.peek(issued)).fate is Fate.USED
    invited = await desk.issue(purpose=Purpose.INVITE, flow_id=None)
    assert (await desk.peek(invited)).address == ADDRESS


async def test_secret_key_rotation(desk: Desk) -> None:
    desk.secrets = secrets_with(OLD)
    flow = new_id(FLOW)
    issued = await desk.issue(flow_id=flow)
    invited = await desk.issue(purpose=Purpose.INVITE, flow_id=None)
    desk.secrets = secrets_with(NEW, OLD)
    assert isinstance(await desk.code(issued.code.reveal(), flow), Redeemed)
    code = invited.code.reveal()
    redeemed = await desk.redeem(invited.token.reveal(), Purpose.INVITE, code=code)
    assert isinstance(redeemed, Redeemed)
    assert redeemed.address == ADDRESS


async def test_a_newer_one_under_a_new_key_voids_the_older(desk: Desk) -> None:
    desk.secrets = secrets_with(OLD)
    before = await desk.issue()
    desk.secrets = secrets_with(NEW, OLD)
    await desk.issue()
    assert await desk.redeem(before.token.reveal()) is Fate.EXPIRED


async def test_without_the_old_key_open_messages_are_over(desk: Desk) -> None:
    desk.secrets = secrets_with(OLD)
    flow = new_id(FLOW)
    issued = await desk.issue(flow_id=flow)
    invited = await desk.issue(purpose=Purpose.INVITE, flow_id=None)
    desk.secrets = secrets_with(NEW)
    assert await desk.code(issued.code.reveal(), flow) is Fate.UNKNOWN
    glance = await desk.peek(invited)
    assert (glance.fate, glance.address) == (Fate.EXPIRED, None)
    refused = await desk.redeem(invited.token.reveal(), Purpose.INVITE, code=invited.code.reveal())
    assert refused is Fate.EXPIRED


async def test_an_address_sealed_anew_brings_no_code_back(desk: Desk) -> None:
    desk.secrets = secrets_with(OLD)
    invited = await desk.issue(purpose=Purpose.INVITE, flow_id=None)
    desk.secrets = secrets_with(NEW, OLD)
    async with desk.uow() as tx:
        assert (await ADDRESSES.reseal(tx, desk.secrets.sealer)).resealed == 1
        needed = await desk.secrets.codes_by_key(tx)
    (old,) = needed
    assert (needed[old].count, needed[old].until) == (1, invited.expires_at)
    assert old == desk.secrets.ring.all(KeyPurpose.SEAL)[1].id
    assert (await desk.peek(invited)).address == ADDRESS
    desk.secrets = secrets_with(NEW)
    assert (await desk.peek(invited)).fate is Fate.EXPIRED


async def test_a_row_tells_no_secret(desk: Desk) -> None:
    await desk.issue()
    issued = await desk.issue(purpose=Purpose.INVITE, flow_id=None)
    async with desk.uow.reading() as tx:
        rows = (await tx.session.execute(select(OneTime.__table__))).all()
    stored = b"".join(
        value if isinstance(value, bytes) else str(value).encode() for row in rows for value in row
    )
    for secret in (issued.token.reveal(), issued.code.reveal(), ADDRESS, "ann@"):
        assert secret.encode() not in stored
    for secret in (issued.token.reveal(), issued.code.reveal()):
        assert secret not in repr(issued)


async def test_codes_are_bound_to_their_message(desk: Desk) -> None:
    """The same code of two messages leaves different marks: a dump shows no equal codes."""
    ring = desk.secrets.ring
    desk.secrets = OneTimeSecrets(
        ring, desk.secrets.sealer, OneTimeSettings(), fixed_code=lambda _address: "000000"
    )
    for number in range(3):
        issued = await desk.issue(address=f"{number}@example.com")
        assert issued.code.reveal() == "000000"
    for number in range(3):
        await desk.issue(address=f"{number}@example.com", purpose=Purpose.INVITE, flow_id=None)
    async with desk.uow.reading() as tx:
        marks = (await tx.session.execute(select(OneTime.code_hmac))).scalars().all()
    assert len(set(marks)) == 6


async def test_sweep(desk: Desk) -> None:
    await desk.issue()
    invited = await desk.issue(purpose=Purpose.INVITE, flow_id=None)
    desk.clock.advance(86400 + 600)
    async with desk.uow() as tx:
        assert await desk.secrets.sweep(tx) == 0
    desk.clock.advance(0.000001)
    async with desk.uow() as tx:
        assert await desk.secrets.sweep(tx) == 1
    assert (await desk.peek(invited)).fate is Fate.FRESH
