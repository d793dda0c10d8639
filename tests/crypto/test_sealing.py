"""Sealed columns open only where they were sealed."""

import pytest

from authsvc.crypto.keyring import Keyring
from authsvc.crypto.sealing import Sealer, Unopenable

OLD, NEW = b"o" * 32, b"n" * 32


def test_round_trip_and_fresh_nonces() -> None:
    sealer = Sealer(Keyring.of([NEW]))
    one, two = (sealer.seal(b"seed", place="a:b:1") for _ in range(2))
    assert one != two
    assert sealer.open(one, place="a:b:1") == b"seed"


def test_moved_to_another_row() -> None:
    sealer = Sealer(Keyring.of([NEW]))
    sealed = sealer.seal(b"seed", place="a:b:1")
    with pytest.raises(Unopenable):
        sealer.open(sealed, place="a:b:2")


def test_every_byte_is_covered() -> None:
    sealer = Sealer(Keyring.of([NEW]))
    sealed = sealer.seal(b"seed", place="a:b:1")
    for at in range(len(sealed)):
        damaged = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        with pytest.raises(Unopenable):
            sealer.open(damaged, place="a:b:1")
    for cut in range(len(sealed)):
        with pytest.raises(Unopenable):
            sealer.open(sealed[:cut], place="a:b:1")


def test_previous_key_opens_and_shows_that_it_is_old() -> None:
    sealed = Sealer(Keyring.of([OLD])).seal(b"seed", place="a:b:1")
    rotated = Sealer(Keyring.of([NEW, OLD]))
    assert rotated.open(sealed, place="a:b:1") == b"seed"
    assert not rotated.is_current(sealed)
    assert rotated.is_current(rotated.seal(b"seed", place="a:b:1"))
    with pytest.raises(Unopenable):
        Sealer(Keyring.of([NEW])).open(sealed, place="a:b:1")
