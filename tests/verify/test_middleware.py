"""The middleware that tells who calls and never refuses."""

from typing import Annotated, Any

import httpx2
import pytest
from fastapi import Depends, FastAPI

from authsvc.verify.fastapi import AuthMiddleware, Principal, Verifier
from tests.verify.forge import AUDIENCE, ISSUER, NOW, Issuer, claims, es256, key_set

KEY = es256()
Client = httpx2.AsyncClient


def bearer(**changed: object) -> dict[str, str]:
    return {"Authorization": f"Bearer {KEY.sign(claims(**changed))}"}


@pytest.mark.parametrize(
    ("headers", "who"),
    [
        ({}, None),
        (bearer(), "usr_4K9D"),
        (bearer(aud=["billing"]), None),
        ({"Authorization": "Bearer"}, None),
        ({"Authorization": "Basic dTpw"}, None),
    ],
    ids=["nobody", "good", "bad", "broken", "basic"],
)
async def test_the_middleware_tells_and_never_refuses(
    headers: dict[str, str], who: str | None
) -> None:
    seen: list[Principal | None] = []

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        seen.append(scope["state"]["principal"])
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    issuer = Issuer(key_set(KEY))
    auth = Verifier(issuer=ISSUER, audience=AUDIENCE, transport=issuer.transport, now=lambda: NOW)
    transport = httpx2.ASGITransport(app=AuthMiddleware(app, auth))
    async with Client(transport=transport, base_url="https://orders.example.com") as client:
        answer = await client.get("/?access_token=x" if who is None else "/", headers=headers)
    assert answer.status_code == 204
    assert [person and person.sub for person in seen] == [who]


async def test_the_middleware_beside_a_guard() -> None:
    issuer = Issuer(key_set(KEY))
    auth = Verifier(issuer=ISSUER, audience=AUDIENCE, transport=issuer.transport, now=lambda: NOW)
    app = FastAPI()
    app.add_middleware(AuthMiddleware, verifier=auth)
    auth.install(app)

    @app.get("/")
    async def endpoint(  # pyright: ignore[reportUnusedFunction]
        me: Annotated[Principal, Depends(auth.require_auth())],
    ) -> str:
        return me.sub

    issuer.down = True
    transport = httpx2.ASGITransport(app=app)
    async with Client(transport=transport, base_url="https://orders.example.com") as client:
        assert (await client.get("/", headers=bearer())).status_code == 503
        assert (await client.get("/docs", headers=bearer())).status_code == 200
