"""The floor: bare FastAPI handlers that do the work nobody can avoid, and nothing else.

uvicorn starts ``app``; BENCH_DATABASE, BENCH_ISSUER and BENCH_JWK say what it stands on.
"""

import hashlib
import json
import os
import secrets
import sqlite3
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Protocol

import asyncpg
import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

AUDIENCE, COOKIE, FLOW, CODE = "orders-api", "floor_rt", "floor_flow", "123456"
LIFE, AGE = 300, 14 * 86400
ISSUER = os.environ.get("BENCH_ISSUER", "https://auth.example.com")
KEY = ec.generate_private_key(ec.SECP256R1())
ECDSA = ec.ECDSA(hashes.SHA256())

TABLES = (
    (
        "CREATE TABLE floor_sessions ({key} PRIMARY KEY, user_id {id} NOT NULL,"
        " counter bigint NOT NULL, rotated_at bigint NOT NULL) {room}"
    ),
    (
        "CREATE TABLE floor_codes ({key} PRIMARY KEY, hash {bytes} NOT NULL, address text NOT NULL,"
        " used boolean NOT NULL, expires_at bigint NOT NULL)"
    ),
    (
        "CREATE TABLE floor_outbox ({key} PRIMARY KEY, payload {bytes} NOT NULL,"
        " created_at bigint NOT NULL)"
    ),
)
ROTATE = (
    "UPDATE floor_sessions SET counter = counter + 1, rotated_at = $3"
    " WHERE id = $1 AND counter = $2 RETURNING user_id, counter"
)
ASK = "INSERT INTO floor_codes VALUES ($1, $2, $3, FALSE, $4)"
SEND = "INSERT INTO floor_outbox VALUES ($1, $2, $3)"
ASK_AND_SEND = (
    "WITH asked AS (INSERT INTO floor_codes VALUES ($1, $2, $3, FALSE, $4))"
    " INSERT INTO floor_outbox VALUES ($5, $6, $7)"
)
SPEND = "UPDATE floor_codes SET used = TRUE WHERE id = $1 AND hash = $2 AND NOT used RETURNING id"
OPEN = "INSERT INTO floor_sessions VALUES ($1, $2, 0, $3)"
SPEND_AND_OPEN = (
    f"WITH spent AS ({SPEND})"  # noqa: S608 our own text
    " INSERT INTO floor_sessions SELECT $3, $4, 0, $5 FROM spent RETURNING id"
)


class Store(Protocol):
    """The three pieces of database work."""

    async def rotate(self, id: uuid.UUID, counter: int) -> tuple[Any, ...] | None: ...
    async def ask(self, id: uuid.UUID, address: str) -> None: ...
    async def prove(self, id: uuid.UUID, session: uuid.UUID) -> bool: ...


def _now() -> int:
    return time.time_ns() // 1000


def _hash(code: str) -> bytes:
    return hashlib.sha256(code.encode()).digest()


class Postgres:
    """asyncpg's pool with prepared statements, without its reset round trip."""

    def __init__(self, pool: Any) -> None:
        self.pool = pool

    async def rotate(self, id: uuid.UUID, counter: int) -> tuple[Any, ...] | None:
        return await self.pool.fetchrow(ROTATE, id, counter, _now())

    async def ask(self, id: uuid.UUID, address: str) -> None:
        mail = uuid.uuid4(), f"to {address}: {CODE}".encode(), _now()
        await self.pool.execute(ASK_AND_SEND, id, _hash(CODE), address, _now(), *mail)

    async def prove(self, id: uuid.UUID, session: uuid.UUID) -> bool:
        opened = session, uuid.uuid4(), _now()
        return await self.pool.fetchval(SPEND_AND_OPEN, id, _hash(CODE), *opened) is not None


class Sqlite:
    """sqlite3 on the event loop's own thread: the shortest way, as durable as authsvc."""

    def __init__(self, path: str) -> None:
        self.file = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "busy_timeout = 3000"):
            self.file.execute(f"PRAGMA {pragma}")

    async def rotate(self, id: uuid.UUID, counter: int) -> tuple[Any, ...] | None:
        rows = self.file.execute(_numbered(ROTATE), (id.bytes, counter, _now())).fetchall()
        return rows[0] if rows else None

    async def ask(self, id: uuid.UUID, address: str) -> None:
        self.file.execute("BEGIN IMMEDIATE")
        self.file.execute(_numbered(ASK), (id.bytes, _hash(CODE), address, _now()))
        mail = uuid.uuid4().bytes, f"to {address}: {CODE}".encode(), _now()
        self.file.execute(_numbered(SEND), mail)
        self.file.execute("COMMIT")

    async def prove(self, id: uuid.UUID, session: uuid.UUID) -> bool:
        self.file.execute("BEGIN IMMEDIATE")
        spent = self.file.execute(_numbered(SPEND), (id.bytes, _hash(CODE))).fetchall()
        opened = session.bytes, uuid.uuid4().bytes, _now()
        self.file.execute(_numbered(OPEN), opened)
        self.file.execute("COMMIT")
        return bool(spent)


def _numbered(statement: str) -> str:
    return statement.replace("$", "?")


async def _no_reset(_connection: object) -> None:
    pass


@asynccontextmanager
async def lifespan(application: FastAPI) -> AsyncGenerator[None]:
    """Opens the database, if one is named."""
    url = os.environ.get("BENCH_DATABASE", "")
    if url.startswith("sqlite"):
        application.state.store = Sqlite(url.removeprefix("sqlite:///"))
    elif url:
        pool = await asyncpg.create_pool(url, reset=_no_reset)
        application.state.store = Postgres(pool)
    jwk = os.environ.get("BENCH_JWK")
    application.state.key = jwt.PyJWK.from_json(jwk).key if jwk else None
    yield


app = FastAPI(lifespan=lifespan)


def _b64(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")


_HEAD = _b64(b'{"alg":"ES256","typ":"at+jwt","kid":"floor"}')


def sign(user: str, session: str) -> str:
    """One access token: the claims of authsvc, one signature."""
    now = int(time.time())
    claims = {
        "iss": ISSUER, "aud": [AUDIENCE], "sub": user, "client_id": "web", "iat": now,
        "exp": now + LIFE, "jti": uuid.uuid4().hex, "sid": session, "roles": [],
        "acr": "aal1", "amr": ["otp"], "auth_time": now, "mfa": False,
    }  # fmt: skip
    text = _HEAD + b"." + _b64(json.dumps(claims, separators=(",", ":")).encode())
    r, s = decode_dss_signature(KEY.sign(text, ECDSA))
    return (text + b"." + _b64(r.to_bytes(32) + s.to_bytes(32))).decode()


def _signed_in(user: uuid.UUID, session: uuid.UUID, counter: int) -> JSONResponse:
    token = sign(user.hex, session.hex)
    answer = JSONResponse({"next": "done", "access_token": token, "expires_in": LIFE})
    value = f"f1.{session.hex}.{counter}"
    answer.set_cookie(COOKIE, value, max_age=AGE, httponly=True, secure=True, samesite="strict")
    return answer


@app.get("/livez")
async def livez() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/orders")
async def orders(request: Request) -> JSONResponse:
    token = request.headers["authorization"].removeprefix("Bearer ")
    claims = jwt.decode(
        token, app.state.key, algorithms=["ES256"], audience=AUDIENCE, issuer=ISSUER
    )
    return JSONResponse({"sub": claims["sub"]})


@app.post("/resume")
async def resume(request: Request) -> JSONResponse:
    _, name, counter = request.cookies[COOKIE].split(".")
    id = uuid.UUID(name)
    row = await app.state.store.rotate(id, int(counter))
    if row is None:
        return JSONResponse({"next": "sign_in"}, 401)
    user = row[0] if isinstance(row[0], uuid.UUID) else uuid.UUID(bytes=row[0])
    return _signed_in(user, id, row[1])


@app.post("/start")
async def start(request: Request) -> JSONResponse:
    asked = await request.json()
    id = uuid.uuid4()
    await app.state.store.ask(id, asked["email"])
    answer = JSONResponse({"next": "check_email"}, 202)
    answer.set_cookie(FLOW, id.hex, max_age=900, httponly=True, secure=True, samesite="lax")
    return answer


@app.post("/code")
async def code(request: Request) -> JSONResponse:
    asked = await request.json()
    id = uuid.UUID(request.cookies[FLOW])
    session = uuid.uuid4()
    right = secrets.compare_digest(asked["code"], CODE) and await app.state.store.prove(id, session)
    return _signed_in(uuid.uuid4(), session, 0) if right else JSONResponse({}, 401)
