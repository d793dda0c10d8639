"""When keys that were fetched may be used, and when to fetch again. Pure verdicts on time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from authsvc.verify.jose import VerifyingKey


@dataclass(frozen=True, slots=True)
class Terms:
    """Seconds: keys are ``fresh`` so long, then usable for ``stale`` more while a fetch runs or
    fails; a failed fetch is repeated after ``retry``; names nobody knows cause one fetch a
    ``cooldown``.

    Spec: api.md §14.2, security.md section 4 (jwks, verifier package).
    """

    fresh: float = 300.0
    stale: float = 3600.0
    retry: float = 5.0
    cooldown: float = 15.0


@dataclass(frozen=True, slots=True)
class Held:
    """What is known at a moment: the keys, and when (monotonic seconds) what was last tried.

    ``searched_at`` is the last fetch that was made for an unknown name and went well.
    """

    keys: Mapping[str, VerifyingKey] = field(default_factory=dict[str, VerifyingKey])
    fetched_at: float | None = None
    failed_at: float | None = None
    searched_at: float | None = None


class Move(StrEnum):
    """What to do about a ``kid``."""

    SERVE = "serve"
    SERVE_AND_REFRESH = "serve_and_refresh"
    FETCH = "fetch"
    UNKNOWN = "unknown"
    UNAVAILABLE = "unavailable"


def usable(held: Held, *, terms: Terms, now: float) -> bool:
    """Whether the keys may still vouch for anything."""
    return held.fetched_at is not None and now - held.fetched_at < terms.fresh + terms.stale


def judge(kid: str, *, held: Held, terms: Terms, now: float) -> Move:
    """The next move for a token that names ``kid``.

    Without usable keys, and for an unknown name while the issuer does not answer, nobody can
    tell good from bad: that is UNAVAILABLE, never a refusal of the token.
    """
    may_try = held.failed_at is None or now - held.failed_at >= terms.retry
    if not usable(held, terms=terms, now=now):
        return Move.FETCH if may_try else Move.UNAVAILABLE
    if kid in held.keys:
        fresh = held.fetched_at is not None and now - held.fetched_at < terms.fresh
        return Move.SERVE if fresh or not may_try else Move.SERVE_AND_REFRESH
    if held.failed_at is not None:
        return Move.FETCH if may_try else Move.UNAVAILABLE
    if held.searched_at is None or now - held.searched_at >= terms.cooldown:
        return Move.FETCH
    return Move.UNKNOWN
