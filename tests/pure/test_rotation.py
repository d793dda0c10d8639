"""What a credential that could not simply turn is worth."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.kernel.caller import Caller, Device
from authsvc.tokens.rotation import Dead, Ending, HandBack, LateRetry, Reuse, Turn, Verdict, judge

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
GRACE = timedelta(seconds=10)
HOME = Caller(
    request_id="req_1",
    address="203.0.113.9",
    network="203.0.0.0/16",
    masked_address="203.0.113.x",
    device=Device(browser="Firefox", os="Linux", kind="computer"),
    origin="https://app.example.com",
    locale="en",
)
FOREIGN_BROWSER = replace(HOME, device=replace(HOME.device, browser="Chrome"))
FOREIGN_NETWORK = replace(HOME, network="198.51.0.0/16")
TURN = Turn(
    counter=7,
    grace_counter=6,
    rotated_at=NOW - timedelta(seconds=60),
    idle_expires_at=NOW + timedelta(days=14),
    expires_at=NOW + timedelta(days=30),
    ended=None,
    subject_alive=True,
    shown=False,
    late_retries=0,
    browser="Firefox",
    network="203.0.0.0/16",
)
JUST_NOW = replace(TURN, rotated_at=NOW - timedelta(seconds=3))

CASES: list[tuple[str, int, Turn | None, Caller, Verdict]] = [
    ("no row", 7, None, HOME, Dead(Ending.EXPIRED)),
    ("from a restored database's future", 8, TURN, HOME, Dead(Ending.EXPIRED)),
    ("future and just turned", 8, JUST_NOW, HOME, Dead(Ending.EXPIRED)),
    ("signed out", 7, replace(TURN, ended=Ending.SIGNED_OUT), HOME, Dead(Ending.SIGNED_OUT)),
    ("reuse seen before", 6, replace(TURN, ended=Ending.REVOKED), HOME, Dead(Ending.REVOKED)),
    ("person disabled", 7, replace(TURN, subject_alive=False), HOME, Dead(Ending.REVOKED)),
    ("absolute end", 7, replace(TURN, expires_at=NOW), HOME, Dead(Ending.EXPIRED)),
    ("idle end", 7, replace(TURN, idle_expires_at=NOW), HOME, Dead(Ending.IDLE)),
    (
        "absolute before idle",
        7,
        replace(TURN, expires_at=NOW, idle_expires_at=NOW),
        HOME,
        Dead(Ending.EXPIRED),
    ),
    ("expired and old: no alarm", 2, replace(TURN, expires_at=NOW), HOME, Dead(Ending.EXPIRED)),
    ("current, just turned", 7, JUST_NOW, HOME, HandBack(first=True)),
    ("current, shown before", 7, replace(JUST_NOW, shown=True), HOME, HandBack(first=False)),
    ("current from elsewhere", 7, JUST_NOW, FOREIGN_BROWSER, HandBack(first=True)),
    ("parent within the grace", 6, JUST_NOW, HOME, HandBack(first=False)),
    ("parent within the grace, elsewhere", 6, JUST_NOW, FOREIGN_NETWORK, HandBack(first=False)),
    (
        "parent at 9.999999 s",
        6,
        replace(TURN, rotated_at=NOW - timedelta(microseconds=9_999_999)),
        HOME,
        HandBack(first=False),
    ),
    ("parent at 10 s is late", 6, replace(TURN, rotated_at=NOW - GRACE), HOME, LateRetry()),
    ("grandparent within the grace", 5, JUST_NOW, HOME, Reuse()),
    (
        "grandparent covered by two quick turns",
        5,
        replace(JUST_NOW, grace_counter=5),
        HOME,
        HandBack(first=False),
    ),
    ("late, same place, never shown", 6, TURN, HOME, LateRetry()),
    ("late, successor was shown", 6, replace(TURN, shown=True), HOME, Reuse()),
    ("late a second time", 6, replace(TURN, late_retries=1), HOME, Reuse()),
    ("late from another browser", 6, TURN, FOREIGN_BROWSER, Reuse()),
    ("late from another network", 6, TURN, FOREIGN_NETWORK, Reuse()),
    ("two turns old", 5, TURN, HOME, Reuse()),
    ("the very first", 0, TURN, HOME, Reuse()),
]


@pytest.mark.parametrize(
    ("shown", "turn", "caller", "verdict"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_verdict(shown: int, turn: Turn | None, caller: Caller, verdict: Verdict) -> None:
    assert judge(shown, turn, now=NOW, grace=GRACE, caller=caller) == verdict


@given(
    shown=st.integers(0, 20),
    counter=st.integers(0, 20),
    back=st.integers(0, 3),
    age=st.integers(0, 100),
    was_shown=st.booleans(),
)
def test_a_spent_credential_never_wins_after_the_grace(
    shown: int, counter: int, back: int, age: int, was_shown: bool
) -> None:
    turn = replace(
        TURN,
        counter=counter,
        grace_counter=max(0, counter - back),
        rotated_at=NOW - timedelta(seconds=age),
        shown=was_shown,
    )
    verdict = judge(shown, turn, now=NOW, grace=GRACE, caller=FOREIGN_BROWSER)
    if shown < counter and age >= 10:
        assert verdict == Reuse()
    if shown == counter:
        assert isinstance(verdict, HandBack)
