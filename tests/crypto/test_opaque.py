"""Rotating credentials: ours and only ours pass."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.crypto import opaque
from authsvc.crypto.keyring import Keyring, Purpose

OLD, NEW = b"o" * 32, b"n" * 32
ID = UUID("019ab2c4-0000-7000-8000-000000000001")


def _issue(ring: Keyring, *, counter: int = 3, key_id: str | None = None) -> str:
    return opaque.issue(ring, purpose=Purpose.SESSION, id=ID, counter=counter, key_id=key_id)


def test_round_trip() -> None:
    ring = Keyring.of([NEW])
    credential = opaque.check(ring, _issue(ring), purpose=Purpose.SESSION)
    assert credential is not None
    assert (credential.id, credential.counter) == (ID, 3)


def test_the_same_answer_is_the_same_text() -> None:
    ring = Keyring.of([NEW])
    assert _issue(ring) == _issue(ring)


def test_a_previous_key_still_opens_and_repeats() -> None:
    before = Keyring.of([OLD])
    text = _issue(before)
    after = Keyring.of([NEW, OLD])
    credential = opaque.check(after, text, purpose=Purpose.SESSION)
    assert credential is not None
    assert _issue(after, key_id=credential.key_id) == text
    assert _issue(after) != text


def test_a_key_off_the_list_opens_nothing() -> None:
    text = _issue(Keyring.of([OLD]))
    assert opaque.check(Keyring.of([NEW]), text, purpose=Purpose.SESSION) is None


def test_purposes_do_not_mix() -> None:
    ring = Keyring.of([NEW])
    assert opaque.check(ring, _issue(ring), purpose=Purpose.DEVICE) is None


@given(position=st.integers(0, 200), letter=st.characters(codec="ascii"))
def test_any_altered_character_is_refused(position: int, letter: str) -> None:
    ring = Keyring.of([NEW])
    text = _issue(ring)
    at = position % len(text)
    forged = text[:at] + letter + text[at + 1 :]
    credential = opaque.check(ring, forged, purpose=Purpose.SESSION)
    assert credential is None or forged == text


@pytest.mark.parametrize(
    "text",
    ["", "rt1", "rt1....", "rt1." + "A" * 22 + ".1.00000000." + "A" * 43, "x" * 5000, "\x00"],
)
def test_junk_is_refused(text: str) -> None:
    assert opaque.check(Keyring.of([NEW]), text, purpose=Purpose.SESSION) is None


def test_short_roots_are_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Keyring.of([b"short"])
