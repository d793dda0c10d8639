"""What happens to signing keys next: next → active → retired → gone, as a plan over values.

There is one active key and one next key, known to verifiers long before it signs. A retired key
stays published until the last token it signed is over. Spec: security.md C37, api.md §14.2.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from authsvc.crypto.jose import Algorithm
from authsvc.verify.jose import MAX_KEYS

ROUTINE = MAX_KEYS - 4  # keys published at most, so that a verifier takes four emergencies more
OUTLIVED = timedelta(hours=2)  # no token lives as long, whatever its settings were
YOUNGEST = timedelta(hours=2)  # no key signs earlier: verifiers must have had time to fetch it
# After this every process publishes a key made in an emergency, and every verifier has looked or
# may look for it: 30 s between two loads, 15 s between two looks.
SPREAD = timedelta(seconds=45)
SETTLE = timedelta(seconds=90)  # how long another process may go on signing with a retired key


class State(StrEnum):
    """Where a key is in its life. A key that is gone has no row."""

    NEXT = "next"
    ACTIVE = "active"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Key:
    """A signing key as its row tells it.

    ``retained``: only an operator moves it on. ``usable``: we can open its private half.
    """

    kid: str
    alg: Algorithm
    state: State
    published_at: datetime
    activate_at: datetime | None  # an operator asked for this time
    activated_at: datetime | None
    retired_at: datetime | None
    remove_at: datetime | None
    retained: bool
    usable: bool = True


@dataclass(frozen=True, slots=True)
class Rules:
    """The periods. ``token_life``: how long an access token may be accepted at most."""

    alg: Algorithm
    rotate_every: timedelta
    publish_before: timedelta
    keep_after: timedelta
    token_life: timedelta
    job_alarm: timedelta


@dataclass(frozen=True, slots=True)
class Create:
    """Make a new key in this state."""

    state: State


@dataclass(frozen=True, slots=True)
class Activate:
    """Let the key sign."""

    kid: str


@dataclass(frozen=True, slots=True)
class Retire:
    """Stop signing, forget the private half, stay published until ``remove_at``.

    ``released`` = however long an operator wanted to keep it.
    """

    kid: str
    remove_at: datetime
    released: bool = False


@dataclass(frozen=True, slots=True)
class Remove:
    """Forget the key altogether."""

    kid: str


@dataclass(frozen=True, slots=True)
class Schedule:
    """Let the next key take over at this time."""

    kid: str
    activate_at: datetime


@dataclass(frozen=True, slots=True)
class Full:
    """No key may come: verifiers would turn the set away. ``until`` is when one goes, if ever."""

    until: datetime | None


Action = Create | Activate | Retire | Remove | Schedule


def due(keys: Sequence[Key], *, now: datetime, rules: Rules) -> tuple[Action, ...]:
    """What the schedule asks for now, in the order in which it must be done.

    Time that runs backwards makes nothing due; a step forwards moves a key by one state only.
    A hand-over waits while verifiers would be shown too many keys.
    """
    gone = tuple(Remove(key.kid) for key in keys if _is_over(key, now=now))
    active, waiting = find(keys, State.ACTIVE), find(keys, State.NEXT)
    if waiting is not None and not _serves(waiting, rules=rules):
        gone, waiting = (*gone, Remove(waiting.kid)), None
    if active is None:
        return (*gone, *_first(waiting))
    if waiting is None:
        return (*gone, Create(State.NEXT))
    takes_over = takes_over_at(keys, rules=rules)
    if takes_over is not None and takes_over <= now:
        actions = (*gone, *_hand_over(active, waiting, now=now, rules=rules))
        fitted = _fitted(actions, keys, now=now, most=ROUTINE)
        return gone if isinstance(fitted, Full) else fitted
    return gone


def rotation(keys: Sequence[Key], *, now: datetime, rules: Rules) -> tuple[Action, ...] | Full:
    """What an operator's "rotate" does: at once, or as soon as the next key is old enough."""
    active, waiting = find(keys, State.ACTIVE), find(keys, State.NEXT)
    if active is None or waiting is None or not _serves(waiting, rules=rules):
        return due(keys, now=now, rules=rules)
    ready = waiting.published_at + YOUNGEST
    if ready > now:
        return (Schedule(waiting.kid, activate_at=ready),)
    return _fitted(_hand_over(active, waiting, now=now, rules=rules), keys, now=now, most=ROUTINE)


def emergency(keys: Sequence[Key], *, now: datetime, rules: Rules) -> tuple[Action, ...] | Full:
    """Replace whatever may have leaked: a new key signs, as soon as it has spread.

    The next key never signed and goes at once. The active key goes when its last token is over,
    without the day of comfort.
    """
    active, waiting = find(keys, State.ACTIVE), find(keys, State.NEXT)
    actions: list[Action] = []
    if waiting is not None:
        actions.append(Remove(waiting.kid))
    if active is not None:
        last = _last_token(active, now=now, rules=rules)
        actions.append(Retire(active.kid, remove_at=last, released=True))
    actions += (Create(State.ACTIVE), Create(State.NEXT))
    return _fitted(tuple(actions), keys, now=now, most=MAX_KEYS)


def signing(keys: Sequence[Key], *, held: str | None, now: datetime) -> Key | None:
    """The key to sign with in a process whose signer is ``held``, None while there is none.

    It is the active key, but for a process that has the key before it and for a moment after an
    emergency: a token that is refused everywhere helps nobody, and whoever stole the old key
    gains nothing, because it is still published.
    """
    active = find(keys, State.ACTIVE)
    former = next((key for key in keys if key.kid == held), None)
    if active is None or former is None or former.retired_at is None:
        return active
    unheard_of = active.published_at >= former.retired_at
    just_now = timedelta() <= now - former.retired_at < SPREAD
    return former if unheard_of and just_now else active


def takes_over_at(keys: Sequence[Key], *, rules: Rules) -> datetime | None:
    """When the next key will begin to sign, or None while nobody knows."""
    active, waiting = find(keys, State.ACTIVE), find(keys, State.NEXT)
    if active is None or waiting is None or active.activated_at is None:
        return None
    if waiting.activate_at is not None:
        return max(waiting.activate_at, waiting.published_at + YOUNGEST)
    if active.retained or waiting.retained:
        return None
    known = waiting.published_at + rules.publish_before
    if active.alg is not rules.alg:
        return known
    return max(active.activated_at + rules.rotate_every, known)


def is_late(keys: Sequence[Key], *, now: datetime, rules: Rules) -> bool:
    """Whether the schedule has not been kept for so long that somebody must be told."""
    takes_over = takes_over_at(keys, rules=rules)
    return takes_over is not None and now > takes_over + rules.job_alarm


def find(keys: Sequence[Key], state: State) -> Key | None:
    """The one key in this state."""
    return next((key for key in keys if key.state is state), None)


def _serves(waiting: Key, *, rules: Rules) -> bool:
    return waiting.usable and (waiting.alg is rules.alg or waiting.retained)


def _first(waiting: Key | None) -> tuple[Action, ...]:
    if waiting is None:
        return (Create(State.ACTIVE), Create(State.NEXT))
    return (Activate(waiting.kid), Create(State.NEXT))


def _hand_over(active: Key, waiting: Key, *, now: datetime, rules: Rules) -> tuple[Action, ...]:
    remove_at = _last_token(active, now=now, rules=rules) + rules.keep_after
    return (
        Retire(active.kid, remove_at=remove_at),
        Activate(waiting.kid),
        Create(State.NEXT),
    )


def _fitted(
    actions: tuple[Action, ...], keys: Sequence[Key], *, now: datetime, most: int
) -> tuple[Action, ...] | Full:
    """The actions, and before them the removal of keys without tokens that there is no room for."""
    going = {action.kid for action in actions if isinstance(action, Remove)}
    staying = [key for key in keys if key.kid not in going]
    excess = len(staying) + sum(isinstance(action, Create) for action in actions) - most
    if excess <= 0:
        return actions
    idle = sorted((at, key.kid) for key in staying if (at := _idle_at(key)) is not None)
    if len(idle) < excess or idle[excess - 1][0] > now:
        return Full(until=idle[excess - 1][0] if len(idle) >= excess else None)
    return (*(Remove(kid) for _, kid in idle[:excess]), *actions)


def _idle_at(key: Key) -> datetime | None:
    """When a retired key may go without its days of comfort: none of its tokens can live."""
    if key.state is not State.RETIRED or key.retained:
        return None
    if key.retired_at is None or key.remove_at is None:
        return None
    last = max(key.retired_at, key.activated_at or key.retired_at)
    return min(key.remove_at, last + OUTLIVED)


def _last_token(active: Key, *, now: datetime, rules: Rules) -> datetime:
    # A key may have signed under a clock that was ahead: its tokens end by that clock.
    signed = now if active.activated_at is None else max(now, active.activated_at)
    return signed + rules.token_life + SETTLE


def _is_over(key: Key, *, now: datetime) -> bool:
    if key.state is not State.RETIRED or key.retained or key.remove_at is None:
        return False
    return key.remove_at <= now
