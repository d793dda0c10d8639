"""What was verified is remembered for its own life, in bounds. Spec: security.md C67."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.verify import TokenInvalid
from authsvc.verify.claims import Expected, Principal, parse
from authsvc.verify.verified_cache import Verified, VerifiedCache, length_prefixed
from tests.verify.forge import AUDIENCE, ISSUER, NOW, Ticking, claims, compact, es256, verifier

KEY = es256()


def person(**changed: object) -> Verified:
    expected = Expected(issuer=ISSUER, audience=AUDIENCE, leeway=30)
    principal: Principal = parse(compact(claims(**changed)), expected=expected, now=NOW)
    return Verified(principal, "key-1")


def cache(size: int = 3, scope: tuple[str, ...] = ("issuer", "audience")) -> VerifiedCache:
    return VerifiedCache(size=size, scope=scope)


def test_what_is_put_is_got_until_its_exp_and_no_second_longer() -> None:
    held, key = cache(), b"k"
    held.put(key, person(exp=NOW + 10))
    assert held.get(key, now=NOW + 9.9) == person(exp=NOW + 10)
    assert held.get(key, now=NOW + 10) is None
    assert held.get(key, now=NOW) is None


def test_the_least_recently_used_goes_first() -> None:
    held = cache(size=3)
    for key in (b"a", b"b", b"c"):
        held.put(key, person())
    held.get(b"a", now=NOW)
    held.put(b"d", person())
    assert [key for key in (b"a", b"b", b"c", b"d") if held.get(key, now=NOW)] == [b"a", b"c", b"d"]


def test_size_zero_remembers_nothing() -> None:
    held = cache(size=0)
    held.put(b"a", person())
    assert held.get(b"a", now=NOW) is None


@given(st.lists(st.tuples(st.binary(max_size=1), st.booleans()), max_size=60), st.integers(0, 5))
def test_it_never_grows_beyond_its_size(steps: list[tuple[bytes, bool]], size: int) -> None:
    held = cache(size=size)
    kept: set[bytes] = set()
    for key, put in steps:
        if put:
            held.put(key, person())
            kept.add(key)
        else:
            held.drop(key)
            kept.discard(key)
        alive = [each for each in kept if held.get(each, now=NOW)]
        assert len(alive) <= size


@given(st.lists(st.lists(st.text(max_size=4), max_size=4), min_size=2, max_size=6))
def test_shifted_borders_share_no_entry(lists: list[list[str]]) -> None:
    for one, other in combinations(lists, 2):
        assert (length_prefixed(one) == length_prefixed(other)) == (one == other)


def test_places_differ_by_token_scope_and_process_and_tell_nothing() -> None:
    held = cache()
    assert held.key("a.b.c") == held.key("a.b.c")
    assert held.key("a.b.c") != held.key("a.b.d")
    assert held.key("a.b.c") != cache().key("a.b.c")
    assert len(held.key("a.b.c")) == 32


async def test_a_token_is_checked_once() -> None:
    clock = Ticking()
    guard = verifier(KEY, now=clock)
    token = KEY.sign(claims())
    first = await guard.verify(token)
    assert await guard.verify(token) is first
    assert guard.verify_sync(token) is first
    clock.at += 200  # exp: out of the cache, and by the leeway still good
    again = await guard.verify(token)
    assert again == first
    assert again is not first


async def test_verifiers_share_nothing() -> None:
    orders = verifier(KEY)
    token = KEY.sign(claims())
    assert await orders.verify(token)
    billing = verifier(KEY, audience="billing-api")
    with pytest.raises(TokenInvalid):
        await billing.verify(token)
