"""The same guard on plain Starlette."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from authsvc.verify.assurance import requirement
from authsvc.verify.starlette import Verifier
from tests.verify.forge import AUDIENCE, ISSUER, NOW, Issuer, claims, es256, key_set

KEY = es256()
AUTH = Verifier(
    issuer=ISSUER, audience=AUDIENCE, transport=Issuer(key_set(KEY)).transport, now=lambda: NOW
)
MAIL: dict[str, Any] = {"acr": "aal1", "mfa": False, "mfa_time": None}


@AUTH.require_auth(mfa=True, roles=["member"])
async def guarded(request: Request) -> Response:
    return JSONResponse({"sub": request.state.principal.sub})


@AUTH.require_auth(optional=True)
async def open_to_all(request: Request) -> Response:
    return JSONResponse({"known": request.state.principal is not None})


async def by_hand(request: Request) -> Response:
    strict = requirement(phishing_resistant=True)
    me = await AUTH.authenticate(request, required=strict)
    assert me is not None
    return JSONResponse({"sub": me.sub})


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    routes = [
        Route("/guarded", guarded), Route("/open", open_to_all), Route("/by-hand", by_hand),
    ]  # fmt: skip
    app = Starlette(routes=routes, lifespan=AUTH.lifespan)
    AUTH.install(app)
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="https://x.example") as client:
        yield client


def bearer(**changed: object) -> dict[str, str]:
    return {"Authorization": f"Bearer {KEY.sign(claims(**changed))}"}


async def test_guarded(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/guarded", headers=bearer())).json() == {"sub": "usr_4K9D"}
    nobody = await client.get("/guarded")
    assert (nobody.status_code, nobody.headers["www-authenticate"]) == (401, "Bearer")
    assert nobody.json()["code"] == "token_missing"
    weak = await client.get("/guarded", headers=bearer(**MAIL))
    assert weak.json()["required"] == {"acr": "aal2"}
    stranger = await client.get("/guarded", headers=bearer(**MAIL, roles=[]))
    assert stranger.status_code == 403


async def test_optional(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/open")).json() == {"known": False}
    assert (await client.get("/open", headers=bearer(**MAIL))).json() == {"known": True}
    assert (await client.get("/open", headers=bearer(aud="x"))).status_code == 401


async def test_by_hand(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/by-hand", headers=bearer(acr="phr"))).status_code == 200
    assert (await client.get("/by-hand", headers=bearer())).status_code == 401


def test_the_endpoint_keeps_its_name() -> None:
    assert guarded.__name__ == "guarded"
