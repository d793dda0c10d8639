"""When keys serve and when they are fetched. Spec: api.md §14.2, security.md C36."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.verify.freshness import Held, Move, Terms, judge, usable
from authsvc.verify.jose import SUPPORTED, read_keys
from tests.verify.forge import es256, key_set

KEYS = read_keys(key_set(es256("known")), algorithms=SUPPORTED)
TERMS = Terms()
AT = 10_000.0

SERVE, BEHIND, FETCH, UNKNOWN, AWAY = (
    Move.SERVE, Move.SERVE_AND_REFRESH, Move.FETCH, Move.UNKNOWN, Move.UNAVAILABLE,
)  # fmt: skip
TABLE: list[tuple[str, str, float | None, float | None, float | None, Move]] = [
    # what, kid, seconds since: good fetch, failure, search
    ("cold", "known", None, None, None, FETCH),
    ("cold, failed just now", "known", None, 4.9, None, AWAY),
    ("cold, failed a while ago", "known", None, 5, None, FETCH),
    ("fresh", "known", 0, None, None, SERVE),
    ("still fresh", "known", 299.9, None, None, SERVE),
    ("stale", "known", 300, None, None, BEHIND),
    ("stale, failed just now", "known", 300, 4.9, None, SERVE),
    ("stale, failed a while ago", "known", 300, 5, None, BEHIND),
    ("stale to the last", "known", 3899.9, 1, None, SERVE),
    ("too old", "known", 3900, None, None, FETCH),
    ("too old, failed just now", "known", 3900, 1, None, AWAY),
    ("unknown", "other", 10, None, None, FETCH),
    ("unknown, searched just now", "other", 10, None, 14.9, UNKNOWN),
    ("unknown, searched a while ago", "other", 20, None, 15, FETCH),
    ("unknown, issuer away", "other", 10, 4.9, None, AWAY),
    ("unknown, issuer away for a while", "other", 10, 5, None, FETCH),
    ("unknown, stale", "other", 300, None, None, FETCH),
    ("known, searched just now", "known", 10, None, 1, SERVE),
]


@pytest.mark.parametrize(
    ("kid", "fetched", "failed", "searched", "move"),
    [row[1:] for row in TABLE],
    ids=[row[0] for row in TABLE],
)
def test_moves(
    kid: str, fetched: float | None, failed: float | None, searched: float | None, move: Move
) -> None:
    held = Held(
        keys=KEYS if fetched is not None else {},
        fetched_at=None if fetched is None else AT - fetched,
        failed_at=None if failed is None else AT - failed,
        searched_at=None if searched is None else AT - searched,
    )
    assert judge(kid, held=held, terms=TERMS, now=AT) is move


AGES = st.none() | st.floats(0, 100_000)


@given(kid=st.sampled_from(["known", "other"]), ages=st.tuples(AGES, AGES, AGES),
       stale=st.floats(0, 86_400))  # fmt: skip
def test_laws(
    kid: str, ages: tuple[float | None, float | None, float | None], stale: float
) -> None:
    """Only usable keys serve; nobody is refused for what could not be looked up."""
    at = 1e6
    fetched, failed, searched = (None if age is None else at - age for age in ages)
    held = Held(
        keys=KEYS if fetched is not None else {},
        fetched_at=fetched,
        failed_at=failed,
        searched_at=searched,
    )
    terms = Terms(stale=stale)
    move = judge(kid, held=held, terms=terms, now=at)
    alive = usable(held, terms=terms, now=at)
    assert (move in (SERVE, BEHIND)) == (alive and kid in held.keys)
    if move is UNKNOWN:
        assert alive
        assert failed is None
    if move in (FETCH, BEHIND) and failed is not None:
        assert at - failed >= terms.retry
