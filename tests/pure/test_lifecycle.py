"""Signing keys over time: a simulated store that carries out what the plan says."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.crypto.jose import Algorithm
from authsvc.keys.lifecycle import (
    OUTLIVED,
    ROUTINE,
    SETTLE,
    SPREAD,
    YOUNGEST,
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
    due,
    emergency,
    find,
    is_late,
    rotation,
    signing,
    takes_over_at,
)
from authsvc.verify.jose import MAX_KEYS

START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
RULES = Rules(
    alg=Algorithm.ES256,
    rotate_every=90 * DAY,
    publish_before=DAY,
    keep_after=DAY,
    token_life=timedelta(seconds=330),
    job_alarm=timedelta(hours=36),
)
KEPT = RULES.token_life + SETTLE + RULES.keep_after


@dataclass
class House:
    """Keys in memory and what became of each of them."""

    keys: list[Key] = field(default_factory=list[Key])
    made: int = 0

    def run(self, now: datetime, *, rules: Rules = RULES) -> tuple[Action, ...]:
        return self.carry_out(due(self.keys, now=now, rules=rules), now, rules=rules)

    def carry_out(
        self, actions: tuple[Action, ...] | Full, now: datetime, *, rules: Rules = RULES
    ) -> tuple[Action, ...]:
        for action in refused_or(actions):
            match action:
                case Create(state=state):
                    self.made += 1
                    self.keys.append(new_key(f"k{self.made}", state, now, alg=rules.alg))
                case Activate(kid=kid):
                    self.change(kid, state=State.ACTIVE, activated_at=now, activate_at=None)
                case Retire(kid=kid, remove_at=remove_at, released=released):
                    self.change(kid, state=State.RETIRED, retired_at=now, remove_at=remove_at)
                    if released:
                        self.change(kid, retained=False)
                case Schedule(kid=kid, activate_at=activate_at):
                    self.change(kid, activate_at=activate_at)
                case Remove(kid=kid):
                    self.keys.remove(self.key(kid))
            # The order of the actions never breaks the database's unique keys.
            assert self.count(State.ACTIVE) <= 1
            assert self.count(State.NEXT) <= 1
        assert len(self.keys) <= MAX_KEYS
        return refused_or(actions)

    def key(self, kid: str) -> Key:
        return next(key for key in self.keys if key.kid == kid)

    def change(self, kid: str, **changes: object) -> None:
        at = self.keys.index(self.key(kid))
        self.keys[at] = replace(self.keys[at], **changes)  # pyright: ignore[reportArgumentType]

    def count(self, state: State) -> int:
        return sum(key.state is state for key in self.keys)

    @property
    def active(self) -> Key:
        found = find(self.keys, State.ACTIVE)
        assert found is not None
        return found

    @property
    def waiting(self) -> Key:
        found = find(self.keys, State.NEXT)
        assert found is not None
        return found


def new_key(kid: str, state: State, now: datetime, *, alg: Algorithm) -> Key:
    active_since = now if state is State.ACTIVE else None
    return Key(kid, alg, state, now, None, active_since, None, None, retained=False)


def refused_or(actions: tuple[Action, ...] | Full) -> tuple[Action, ...]:
    """Nothing happens where there is no room for another key."""
    return () if isinstance(actions, Full) else actions


def house_at_start() -> House:
    house = House()
    house.run(START)
    return house


def states(house: House) -> dict[str, State]:
    return {key.kid: key.state for key in house.keys}


class TestSchedule:
    def test_an_empty_house_gets_one_active_key_and_its_successor(self) -> None:
        assert due((), now=START, rules=RULES) == (Create(State.ACTIVE), Create(State.NEXT))

    def test_then_there_is_nothing_to_do(self) -> None:
        assert house_at_start().run(START) == ()

    def test_the_next_key_takes_over_after_ninety_days_and_not_a_second_before(self) -> None:
        house = house_at_start()
        assert house.run(START + 90 * DAY - SECOND) == ()
        house.run(START + 90 * DAY)
        assert states(house) == {"k1": State.RETIRED, "k2": State.ACTIVE, "k3": State.NEXT}

    def test_a_retired_key_is_published_for_a_day_and_a_token_life(self) -> None:
        house = house_at_start()
        house.run(START + 90 * DAY)
        assert house.run(START + 90 * DAY + KEPT - SECOND) == ()
        assert house.run(START + 90 * DAY + KEPT) == (Remove("k1"),)

    def test_a_missing_successor_is_made_at_once_and_waits_its_day(self) -> None:
        house = house_at_start()
        house.keys.remove(house.waiting)
        late = START + 100 * DAY
        assert house.run(late) == (Create(State.NEXT),)
        assert house.run(late + DAY - SECOND) == ()
        assert Activate("k3") in house.run(late + DAY)

    def test_a_house_without_an_active_key_signs_with_the_next_one_at_once(self) -> None:
        house = house_at_start()
        house.keys.remove(house.active)
        assert house.run(START + SECOND) == (Activate("k2"), Create(State.NEXT))

    def test_another_algorithm_replaces_the_successor_and_takes_over_after_its_day(self) -> None:
        house, rules = house_at_start(), replace(RULES, alg=Algorithm.EDDSA)
        assert house.run(START + DAY, rules=rules) == (Remove("k2"), Create(State.NEXT))
        assert house.run(START + 2 * DAY - SECOND, rules=rules) == ()
        house.run(START + 2 * DAY, rules=rules)
        assert (house.active.kid, house.active.alg) == ("k3", Algorithm.EDDSA)

    def test_a_successor_that_cannot_be_opened_is_replaced(self) -> None:
        house = house_at_start()
        house.change("k2", usable=False)
        assert house.run(START + 95 * DAY) == (Remove("k2"), Create(State.NEXT))
        assert house.active.kid == "k1"


class TestByHand:
    def test_the_next_key_takes_over_when_it_is_old_enough(self) -> None:
        house, now = house_at_start(), START + YOUNGEST
        house.carry_out(rotation(house.keys, now=now, rules=RULES), now)
        assert states(house) == {"k1": State.RETIRED, "k2": State.ACTIVE, "k3": State.NEXT}

    def test_a_younger_one_takes_over_by_itself_later(self) -> None:
        house, now = house_at_start(), START + SECOND
        actions = rotation(house.keys, now=now, rules=RULES)
        assert actions == (Schedule("k2", activate_at=START + YOUNGEST),)
        house.carry_out(actions, now)
        assert takes_over_at(house.keys, rules=RULES) == START + YOUNGEST
        assert house.run(START + YOUNGEST - SECOND) == ()
        house.run(START + YOUNGEST)
        assert house.active.kid == "k2"

    def test_rotating_an_empty_house_makes_its_first_keys(self) -> None:
        assert rotation((), now=START, rules=RULES) == (Create(State.ACTIVE), Create(State.NEXT))

    def test_rotating_with_a_successor_of_no_use_makes_another_first(self) -> None:
        house = house_at_start()
        house.change("k2", usable=False)
        actions = rotation(house.keys, now=START + DAY, rules=RULES)
        assert actions == (Remove("k2"), Create(State.NEXT))

    def test_an_emergency_signs_with_a_key_made_now(self) -> None:
        house, now = house_at_start(), START + SECOND
        house.carry_out(emergency(house.keys, now=now, rules=RULES), now)
        assert states(house) == {"k1": State.RETIRED, "k3": State.ACTIVE, "k4": State.NEXT}
        assert house.key("k1").remove_at == now + RULES.token_life + SETTLE

    def test_an_emergency_in_an_empty_house_is_a_first_start(self) -> None:
        actions = emergency((), now=START, rules=RULES)
        assert actions == (Create(State.ACTIVE), Create(State.NEXT))

    @pytest.mark.parametrize("kid", ["k1", "k2"])
    def test_retaining_either_key_stops_the_hand_over_by_schedule(self, kid: str) -> None:
        house = house_at_start()
        house.change(kid, retained=True)
        assert house.run(START + 900 * DAY) == ()
        assert takes_over_at(house.keys, rules=RULES) is None

    def test_retaining_a_retired_key_keeps_it_published(self) -> None:
        house = house_at_start()
        house.run(START + 90 * DAY)
        house.change("k1", retained=True)
        assert house.run(START + 170 * DAY) == ()
        house.change("k1", retained=False)
        assert house.run(START + 170 * DAY) == (Remove("k1"),)

    def test_retaining_a_successor_keeps_it_through_a_change_of_algorithm(self) -> None:
        house, rules = house_at_start(), replace(RULES, alg=Algorithm.RS256)
        house.change("k2", retained=True)
        assert house.run(START + 10 * DAY, rules=rules) == ()


def crowd(house: House, count: int, *, now: datetime, retained: bool = False) -> None:
    """So many more keys that were retired a moment ago."""
    for _ in range(count):
        house.made += 1
        key = new_key(f"k{house.made}", State.RETIRED, now, alg=RULES.alg)
        end = now + KEPT
        house.keys.append(replace(key, retired_at=now, remove_at=end, retained=retained))


def signer(house: House, held: str | None, now: datetime) -> str:
    found = signing(house.keys, held=held, now=now)
    assert found is not None
    return found.kid


class TestSigner:
    def test_after_a_hand_over_the_new_key_signs_at_once(self) -> None:
        house, now = house_at_start(), START + 90 * DAY
        house.run(now)
        assert signer(house, "k1", now) == "k2"

    def test_after_an_emergency_the_old_one_signs_until_the_new_one_has_spread(self) -> None:
        house, now = house_at_start(), START + DAY
        house.carry_out(emergency(house.keys, now=now, rules=RULES), now)
        assert signer(house, "k1", now + SPREAD - SECOND) == "k1"
        assert signer(house, "k1", now + SPREAD) == "k3"
        assert signer(house, None, now) == "k3"
        assert signer(house, "k2", now) == "k3"

    def test_emergencies_in_a_row_put_nothing_off(self) -> None:
        house, now = house_at_start(), START + DAY
        house.carry_out(emergency(house.keys, now=now, rules=RULES), now)
        again = now + SPREAD - SECOND
        house.carry_out(emergency(house.keys, now=again, rules=RULES), again)
        assert signer(house, "k1", now + SPREAD) == house.active.kid

    def test_a_clock_that_was_put_back_puts_nothing_off(self) -> None:
        house, now = house_at_start(), START + DAY
        house.carry_out(emergency(house.keys, now=now, rules=RULES), now)
        assert signer(house, "k1", now - SECOND) == "k3"

    def test_every_process_is_done_with_the_old_key_before_its_tokens_are_counted_out(self) -> None:
        reload = timedelta(seconds=30)
        assert SPREAD + reload < SETTLE

    def test_nobody_signs_without_a_key(self) -> None:
        assert signing((), held="k1", now=START) is None


class TestRoom:
    def test_a_rotation_makes_room_by_letting_keys_go_that_have_no_tokens(self) -> None:
        house, now = house_at_start(), START + DAY
        crowd(house, ROUTINE - 2, now=now - OUTLIVED)
        first = rotation(house.keys, now=now, rules=RULES)
        assert isinstance(first, tuple)
        assert [type(action) for action in first] == [Remove, Retire, Activate, Create]
        house.carry_out(first, now)
        assert len(house.keys) == ROUTINE

    def test_a_rotation_is_refused_while_every_key_may_have_tokens(self) -> None:
        house, now = house_at_start(), START + DAY
        crowd(house, ROUTINE - 2, now=now - OUTLIVED + SECOND)
        assert rotation(house.keys, now=now, rules=RULES) == Full(until=now + SECOND)

    def test_the_schedule_waits_and_the_alarm_rings(self) -> None:
        house, late = house_at_start(), START + 90 * DAY
        crowd(house, ROUTINE - 2, now=late, retained=True)
        assert house.run(late) == ()
        assert is_late(house.keys, now=late + RULES.job_alarm + SECOND, rules=RULES)
        house.change("k3", retained=False)
        house.run(late + OUTLIVED)
        assert house.active.kid == "k2"

    def test_four_emergencies_find_room_when_rotations_find_none(self) -> None:
        house, now = house_at_start(), START + DAY
        crowd(house, ROUTINE - 2, now=now)
        for _ in range(MAX_KEYS - ROUTINE):
            before = house.active.kid
            house.carry_out(emergency(house.keys, now=now, rules=RULES), now)
            assert house.active.kid != before
        wait = RULES.token_life + SETTLE
        assert emergency(house.keys, now=now, rules=RULES) == Full(until=now + wait)
        assert isinstance(emergency(house.keys, now=now + wait, rules=RULES), tuple)

    def test_nobody_can_say_when_while_all_are_retained(self) -> None:
        house, now = house_at_start(), START + DAY
        crowd(house, MAX_KEYS - 2, now=now - DAY, retained=True)
        assert emergency(house.keys, now=now, rules=RULES) == Full(until=None)

    def test_an_emergency_keeps_no_key_that_was_retained(self) -> None:
        house, now = house_at_start(), START + DAY
        house.change("k1", retained=True)
        house.carry_out(emergency(house.keys, now=now, rules=RULES), now)
        assert Remove("k1") in house.run(now + RULES.token_life + SETTLE)


class TestAlarm:
    def test_it_rings_when_the_hand_over_is_more_than_its_time_late(self) -> None:
        keys = house_at_start().keys
        planned = START + 90 * DAY
        assert not is_late(keys, now=planned + RULES.job_alarm, rules=RULES)
        assert is_late(keys, now=planned + RULES.job_alarm + SECOND, rules=RULES)

    def test_it_is_silent_when_nothing_is_planned(self) -> None:
        assert not is_late((), now=START, rules=RULES)


class TestClockSteps:
    def test_a_step_backwards_makes_nothing_due(self) -> None:
        house = house_at_start()
        house.run(START + 90 * DAY)
        assert house.run(START - 365 * DAY) == ()

    def test_a_step_forwards_moves_the_key_by_one_state(self) -> None:
        house = house_at_start()
        house.run(START + 3650 * DAY)
        assert house.key("k1").state is State.RETIRED
        assert house.run(START + 3650 * DAY) == ()

    def test_tokens_signed_under_a_clock_that_was_ahead_outlive_its_correction(self) -> None:
        ahead = START + 10 * DAY
        house = House()
        house.run(ahead)
        house.carry_out(emergency(house.keys, now=START, rules=RULES), START)
        assert house.key("k1").remove_at == ahead + RULES.token_life + SETTLE


steps = st.lists(
    st.tuples(
        st.sampled_from(["run", "rotate", "emergency"]),
        st.integers(min_value=-3 * 24 * 3600, max_value=60 * 24 * 3600),
    ),
    max_size=40,
)


@given(steps)
def test_whatever_the_clock_does_there_is_one_key_that_signs(
    moves: list[tuple[str, int]],
) -> None:
    house, now = House(), START
    for what, seconds in moves:
        now += seconds * SECOND
        plan = {"run": due, "rotate": rotation, "emergency": emergency}[what]
        house.carry_out(plan(house.keys, now=now, rules=RULES), now)
        house.run(now)
        assert house.count(State.ACTIVE) == 1
        assert house.count(State.NEXT) == 1


@given(steps)
def test_no_key_goes_while_a_token_of_it_lives_and_none_signs_too_young(
    moves: list[tuple[str, int]],
) -> None:
    house, now = House(), START
    lives_until: dict[str, datetime] = {}
    for what, seconds in moves:
        now += abs(seconds) * SECOND
        if house.count(State.ACTIVE):
            lives_until[house.active.kid] = now + RULES.token_life
        plan = {"run": due, "rotate": rotation, "emergency": emergency}[what]
        actions = house.carry_out(plan(house.keys, now=now, rules=RULES), now)
        for action in actions:
            if isinstance(action, Remove):
                assert lives_until.get(action.kid, now) <= now
            if isinstance(action, Activate):
                assert now - house.key(action.kid).published_at >= YOUNGEST


@given(st.integers(min_value=1, max_value=400))
def test_a_daily_job_rotates_four_times_a_year(days: int) -> None:
    house = House()
    for day in range(days):
        house.run(START + day * DAY)
    handed_over = (days - 1) // 90
    assert house.active.kid == f"k{handed_over + 1}"
    assert len(house.keys) <= 3
