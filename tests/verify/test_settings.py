"""A verifier that would be unsafe, or could never match, does not come to be."""

from typing import Any

import pytest

from authsvc.verify import TokenInvalid, Verifier
from authsvc.verify.errors import Code
from authsvc.verify.local_keys import LocalKeys
from tests.verify.forge import AUDIENCE, ISSUER, NOW, Issuer, claims, es256, key_set

KEY = es256()


@pytest.mark.parametrize(
    ("setting", "error"),
    [
        ({"issuer": ""}, ValueError),
        ({"issuer": ISSUER + "/"}, ValueError),
        ({"issuer": "auth.example.com"}, ValueError),
        ({"issuer": "http://auth.example.com"}, ValueError),
        ({"audience": ""}, ValueError),
        ({"audience": ["orders-api"]}, TypeError),
        ({"audience": None}, TypeError),
        ({"algorithms": []}, ValueError),
        ({"algorithms": "ES256"}, TypeError),
        ({"algorithms": ["none"]}, ValueError),
        ({"algorithms": ["ES256", "HS256"]}, ValueError),
        ({"leeway": -1}, ValueError),
        ({"leeway": 61}, ValueError),
        ({"stale_if_error": -1}, ValueError),
        ({"stale_if_error": 86_401}, ValueError),
        ({"stale_if_error": float("nan")}, ValueError),
        ({"jwks_url": "http://keys.example.com/jwks"}, ValueError),
        ({"keys": LocalKeys({}), "jwks_url": "https://keys.example.com"}, ValueError),
    ],
    ids=str,
)
def test_refused(setting: dict[str, Any], error: type[Exception]) -> None:
    settings: dict[str, Any] = {"issuer": ISSUER, "audience": AUDIENCE} | setting
    with pytest.raises(error):
        Verifier(**settings)


def test_issuer_and_audience_cannot_be_forgotten() -> None:
    with pytest.raises(TypeError):
        Verifier(issuer=ISSUER)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Verifier(audience=AUDIENCE)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("issuer", "jwks_url", "asked"),
    [
        (ISSUER, None, ISSUER + "/.well-known/jwks.json"),
        (ISSUER + "/auth", None, ISSUER + "/auth/.well-known/jwks.json"),
        ("http://localhost:8000", None, "http://localhost:8000/.well-known/jwks.json"),
        (ISSUER, "https://inside.example/keys", "https://inside.example/keys"),
    ],
)
async def test_where_keys_are_asked_for(issuer: str, jwks_url: str | None, asked: str) -> None:
    stand = Issuer(key_set(KEY))
    guard = Verifier(
        issuer=issuer,
        audience=AUDIENCE,
        jwks_url=jwks_url,
        transport=stand.transport,
        now=lambda: NOW,
    )
    assert await guard.verify(KEY.sign(claims(iss=issuer)))
    assert [str(request.url) for request in stand.asked] == [asked]


async def test_local_keys_need_no_network() -> None:
    guard = Verifier(
        issuer=ISSUER, audience=AUDIENCE, keys=LocalKeys.of(key_set(KEY)), now=lambda: NOW
    )
    await guard.warm()
    assert await guard.verify(KEY.sign(claims()))
    assert guard.verify_sync(KEY.sign(claims(sub="usr_2"))).sub == "usr_2"
    with pytest.raises(TokenInvalid):
        await guard.verify(es256("stranger").sign(claims()))
    await guard.reload_keys()
    await guard.aclose()


class OnlyAwaited:
    """A key source as the service itself has one: without a blocking side."""

    def __init__(self) -> None:
        self.inner = LocalKeys.of(key_set(KEY))

    async def key(self, kid: str) -> Any:
        return await self.inner.key(kid)

    def known(self, kid: str) -> bool:
        return self.inner.known(kid)

    async def reload(self) -> None:
        pass

    async def aclose(self) -> None:
        pass


async def test_keys_that_can_only_be_awaited() -> None:
    guard = Verifier(issuer=ISSUER, audience=AUDIENCE, keys=OnlyAwaited(), now=lambda: NOW)
    with pytest.raises(TypeError):
        guard.verify_sync(KEY.sign(claims()))
    assert await guard.verify(KEY.sign(claims()))


def test_the_codes_are_the_contract() -> None:
    assert {code.value for code in Code} == {
        "bad_request", "token_missing", "token_invalid", "token_expired", "session_revoked",
        "insufficient_user_authentication", "forbidden", "keys_unavailable",
    }  # fmt: skip
