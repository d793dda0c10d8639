"""A FastAPI service guarded as api.md §14 shows: every row of §14.1, on the wire."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import Depends, FastAPI, WebSocket
from fastapi.exceptions import FastAPIError
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from authsvc.verify.fastapi import Principal, Verifier
from tests.verify.forge import AUDIENCE, ISSUER, NOW, Issuer, Ticking, claims, es256, key_set

AT = int(NOW)
KEY = es256()
Client = httpx2.AsyncClient


class Service:
    """An orders service and the issuer it trusts."""

    def __init__(self) -> None:
        self.issuer = Issuer(key_set(KEY))
        self.clock = Ticking()
        self.monotonic = Ticking()
        self.auth = Verifier(
            issuer=ISSUER,
            audience=AUDIENCE,
            transport=self.issuer.transport,
            now=self.clock,
            monotonic=self.monotonic,
        )
        self.app = FastAPI(lifespan=self.auth.lifespan)
        self.auth.install(self.app)
        self._routes()

    def _routes(self) -> None:
        need = self.auth.require_auth
        ways: dict[str, Any] = {
            "/signed-in": need(),
            "/optional": need(optional=True),
            "/any-role": need(roles=["support", "admin"]),
            "/all-roles": need(all_roles=["member", "support"]),
            "/mfa": need(mfa=True),
            "/passkey": need(phishing_resistant=True),
            "/recent": need(max_age=600),
            "/mfa-recent": need(mfa=True, max_age=600),
            "/passkey-recent": need(phishing_resistant=True, max_age=60),
            "/admin-mfa": need(roles=["admin"], mfa=True),
            "/optional-mfa": need(mfa=True, optional=True),
        }
        for path, dependency in ways.items():
            self.app.get(path)(self._endpoint(dependency))

        @self.app.websocket("/socket")
        async def socket(  # pyright: ignore[reportUnusedFunction]
            socket: WebSocket, me: Annotated[Principal, Depends(need(mfa=True))]
        ) -> None:
            await socket.accept()
            await socket.send_text(me.sub)
            await socket.close()

    @staticmethod
    def _endpoint(dependency: Any) -> Callable[..., Any]:
        async def endpoint(me: Annotated[Any, Depends(dependency)]) -> dict[str, str | None]:
            return {"sub": me and me.sub}

        return endpoint


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
async def client(service: Service) -> AsyncIterator[Client]:
    transport = httpx2.ASGITransport(app=service.app)
    async with Client(transport=transport, base_url="https://orders.example.com") as client:
        yield client


def bearer(**changed: object) -> dict[str, str]:
    return {"Authorization": f"Bearer {KEY.sign(claims(**changed))}"}


MAIL: dict[str, Any] = {"acr": "aal1", "amr": ["email"], "mfa": False, "mfa_time": None}
PASSKEY: dict[str, Any] = {"acr": "phr", "amr": ["hwk", "user", "mfa"]}
OLD: dict[str, Any] = {"auth_time": AT - 5123}

STEP_UP = 'Bearer error="insufficient_user_authentication"'
MORE = "insufficient_user_authentication"
INVALID = 'Bearer error="invalid_token"'
NO_ROLE = 'Bearer error="insufficient_scope"'
OVER: dict[str, Any] = {"iat": AT - 400, "exp": AT - 100}
AAL2, PHR = ', acr_values="aal2"', ', acr_values="phr"'
ACCEPTED: list[tuple[str, dict[str, Any]]] = [
    ("/signed-in", MAIL),
    ("/optional", MAIL),
    ("/any-role", {"roles": ["support"]}),
    ("/all-roles", {"roles": ["support", "member", "x"]}),
    ("/mfa", {}),
    ("/mfa", PASSKEY),
    ("/passkey", PASSKEY),
    ("/recent", MAIL),
    ("/mfa-recent", {}),
    ("/mfa-recent", OLD),  # it is mfa_time that counts
    ("/passkey-recent", PASSKEY | {"mfa_time": AT - 60}),
    ("/admin-mfa", {"roles": ["admin"]}),
]


@pytest.mark.parametrize(("path", "said"), ACCEPTED)
async def test_accepted(path: str, said: dict[str, Any], client: Client) -> None:
    answer = await client.get(path, headers=bearer(**said))
    assert (answer.status_code, answer.json()) == (200, {"sub": "usr_4K9D"})


REFUSED: list[tuple[str, dict[str, Any] | None, int, str, str]] = [
    ("/signed-in", None, 401, "token_missing", "Bearer"),
    ("/mfa", None, 401, "token_missing", "Bearer"),
    ("/signed-in", {"aud": ["billing"]}, 401, "token_invalid", INVALID),
    ("/optional", {"aud": ["billing"]}, 401, "token_invalid", INVALID),
    ("/signed-in", OVER, 401, "token_expired", INVALID),
    ("/any-role", {}, 403, "forbidden", NO_ROLE),
    ("/all-roles", {}, 403, "forbidden", NO_ROLE),
    ("/admin-mfa", MAIL, 403, "forbidden", NO_ROLE),
    ("/mfa", MAIL, 401, MORE, STEP_UP + AAL2),
    ("/optional-mfa", MAIL, 401, MORE, STEP_UP + AAL2),
    ("/passkey", {}, 401, MORE, STEP_UP + PHR),
    ("/recent", MAIL | OLD, 401, MORE, STEP_UP + ', max_age="600"'),
    ("/mfa-recent", {"mfa_time": AT - 601}, 401, MORE, STEP_UP + AAL2 + ', max_age="600"'),
    ("/passkey-recent", PASSKEY, 401, MORE, STEP_UP + PHR + ', max_age="60"'),
]


@pytest.mark.parametrize(
    ("path", "said", "status", "code", "challenge"),
    REFUSED,
    ids=[f"{row[0]} {row[3]}" for row in REFUSED],
)
async def test_refused(
    path: str, said: dict[str, Any] | None, status: int, code: str, challenge: str, client: Client
) -> None:
    answer = await client.get(path, headers=bearer(**said) if said is not None else {})
    body = answer.json()
    assert (answer.status_code, body["status"], body["code"]) == (status, status, code)
    assert answer.headers.get_list("www-authenticate") == [challenge]
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert body["type"] == f"{ISSUER}/errors/{code}"
    assert body["title"]
    assert body["detail"]


async def test_the_body_repeats_the_challenge(client: Client) -> None:
    body = (await client.get("/mfa-recent", headers=bearer(**MAIL, **OLD))).json()
    assert body["required"] == {"acr": "aal2", "max_age": 600}
    assert body["current"] == {"acr": "aal1", "mfa": False, "auth_age": 5123}
    body = (await client.get("/recent", headers=bearer(**MAIL, **OLD))).json()
    assert body["required"] == {"max_age": 600}
    body = (await client.get("/passkey", headers=bearer())).json()
    assert body["required"] == {"acr": "phr"}


async def test_optional_without_a_token_is_nobody(client: Client) -> None:
    for path in ("/optional", "/optional-mfa"):
        assert (await client.get(path)).json() == {"sub": None}
        basic = await client.get(path, headers={"Authorization": "Basic dTpw"})
        assert basic.json() == {"sub": None}


@pytest.mark.parametrize("path", ["/signed-in", "/optional"])
async def test_a_token_belongs_into_one_header(path: str, client: Client) -> None:
    header = bearer()["Authorization"]
    in_query = await client.get(path, params={"access_token": header[7:]})
    twice = await client.get(path, headers=[("Authorization", header)] * 2)
    for answer in (in_query, twice):
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_request"'
    broken = await client.get(path, headers={"Authorization": "Bearer"})
    assert (broken.status_code, broken.json()["code"]) == (401, "token_invalid")


async def test_no_keys_is_503_and_never_401(service: Service, client: Client) -> None:
    service.issuer.down = True
    for _ in range(3):
        answer = await client.get("/signed-in", headers=bearer())
        body = answer.json()
        assert (answer.status_code, body["code"]) == (503, "keys_unavailable")
        assert answer.headers["retry-after"] == str(body["retry_after"])
        assert 1 <= body["retry_after"] <= 5
        assert "www-authenticate" not in answer.headers
    service.issuer.down = False
    service.monotonic.at += 5
    assert (await client.get("/signed-in", headers=bearer())).status_code == 200


async def test_answers_hold_neither_token_nor_private_reason(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="authsvc.verify")
    headers = bearer(aud=["billing"])
    answer = await client.get("/signed-in", headers=headers)
    assert "billing" not in answer.text
    assert "aud is" in caplog.text  # the operator is told
    for part in headers["Authorization"][7:].split("."):
        assert part not in answer.text
        assert part not in caplog.text


async def test_a_hundred_at_once_ask_the_issuer_once(service: Service, client: Client) -> None:
    headers = bearer()
    answers = await asyncio.gather(*(client.get("/signed-in", headers=headers) for _ in range(100)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(service.issuer.asked) == 1


async def test_openapi_shows_a_bearer_scheme(service: Service) -> None:
    document = service.app.openapi()
    scheme = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    assert document["components"]["securitySchemes"] == {"bearer": scheme}
    operation = document["paths"]["/mfa-recent"]["get"]
    assert operation["security"] == [{"bearer": []}]
    assert "parameters" not in operation


def test_a_forgotten_call_does_not_leave_the_route_open(service: Service) -> None:
    async def endpoint(me: Annotated[Any, Depends(service.auth.require_auth)]) -> None:
        raise AssertionError("open")

    with pytest.raises(FastAPIError):
        service.app.get("/forgotten")(endpoint)


def test_nonsense_is_refused_when_the_route_is_made(service: Service) -> None:
    for asked in ({"roles": "admin"}, {"roles": []}, {"max_age": 0}):
        with pytest.raises((TypeError, ValueError)):
            service.auth.require_auth(**asked)  # type: ignore[arg-type]


def test_lifespan_warms_the_keys(service: Service) -> None:
    with TestClient(service.app) as client:
        assert len(service.issuer.asked) == 1
        assert client.get("/signed-in", headers=bearer()).status_code == 200
    with TestClient(service.app) as client:  # a second life
        assert client.get("/signed-in", headers=bearer(sub="usr_2")).json() == {"sub": "usr_2"}


def test_an_issuer_that_is_not_up_yet_stops_nobody(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    service.issuer.down = True
    with TestClient(service.app) as client:
        assert client.get("/signed-in", headers=bearer()).status_code == 503
        service.issuer.down = False
        service.monotonic.at += 5
        assert client.get("/signed-in", headers=bearer()).status_code == 200
    assert "starting without keys" in caplog.text


def test_sockets_are_guarded_too(service: Service) -> None:
    with TestClient(service.app) as client:
        with client.websocket_connect("/socket", headers=bearer()) as socket:
            assert socket.receive_text() == "usr_4K9D"
        with (
            pytest.raises(WebSocketDisconnect) as refused,
            client.websocket_connect("/socket", headers=bearer(**MAIL)),
        ):
            raise AssertionError("open")
    response: Any = refused.value  # the test client speaks the denial extension
    assert response.status_code == 401
    assert response.json()["code"] == "insufficient_user_authentication"


async def test_without_install_it_is_still_a_plain_refusal() -> None:
    auth = Verifier(
        issuer=ISSUER, audience=AUDIENCE, transport=Issuer(key_set(KEY)).transport, now=lambda: NOW
    )
    app = FastAPI()
    app.get("/")(Service._endpoint(auth.require_auth(mfa=True)))
    transport = httpx2.ASGITransport(app=app)
    async with Client(transport=transport, base_url="https://orders.example.com") as client:
        missing = await client.get("/")
        weak = await client.get("/", headers=bearer(**MAIL))
        good = await client.get("/", headers=bearer())
    assert (missing.status_code, missing.headers["www-authenticate"]) == (401, "Bearer")
    assert weak.headers["www-authenticate"] == STEP_UP + ', acr_values="aal2"'
    assert good.status_code == 200
