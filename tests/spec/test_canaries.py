"""No secret is left behind: not stored, logged, counted, answered or mailed. Spec: security.md §7.

The main job runs on real servers with known secrets; then everything that it left is searched.
The search itself is shown to find what is planted. Goal G8.
"""

import json
import secrets
import smtplib
from base64 import b64encode, urlsafe_b64encode
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import redis
from sqlalchemy import text

from tests.databases import Backend
from tests.faults.processes import serving
from tests.scale import report
from tests.servers import start_redis
from tests.spec import canaries
from tests.spec.canaries import forms, search
from tests.spec.canary_house import DATABASE, ROOTS, SMTP, STORE, House, guarded_inbox
from tests.spec.canary_story import live


@pytest.fixture(params=["sqlite-redis", "postgres-redis"])
def place(request: pytest.FixtureRequest, key_prefix: str) -> Iterator[Backend]:
    """A database and a store with passwords of their own; nobody else writes to either."""
    database = request.param.partition("-")[0]
    url: str = request.getfixturevalue(f"{database}_database")
    with start_redis() as bare:
        with redis.Redis.from_url(bare) as client:
            client.config_set("requirepass", STORE)
        with_password = url.replace("postgres@", f"postgres:{DATABASE}@")
        store = bare.replace("://", f"://:{STORE}@")
        yield Backend(request.param, with_password, store, key_prefix)


@pytest.fixture
async def house(place: Backend, tmp_path: Path) -> AsyncIterator[House]:
    more = {"secret_key": json.dumps(ROOTS), "log__level": "debug", "sessions__grace": 1}
    with guarded_inbox() as inbox, serving(place, inbox, tmp_path, **more) as service:
        environ = {
            "AUTHSVC_PUBLIC_URL": service.urls[0],
            "AUTHSVC_DATABASE_URL": place.database_url,
            "AUTHSVC_REDIS_URL": place.redis_url or "",
            "AUTHSVC_STORE__PREFIX": place.key_prefix,
            "AUTHSVC_SECRET_KEY": json.dumps(ROOTS),
            "AUTHSVC_MAIL__SMTP_URL": inbox.url,
            "AUTHSVC_LOG__LEVEL": "debug",
        }
        async with service.town() as town:
            yield House(service, town, environ)


async def test_nothing_of_the_main_job_leaves_a_secret_behind(house: House) -> None:
    refused = await live(house)
    assert refused > 40
    assert len(house.known) > 60
    expected = {"table events", "table outbox", "log 0", "metrics 0", "answers", "commands"}
    assert expected <= set(house.media), house.media.keys()
    assert house.hits() == []
    await plant(house)
    report(
        f"Canary scan, {house.service.backend.name}", secrets=len(house.known),
        media=len(house.media) + len(house.service.inbox.mails),
        bytes=sum(map(len, house.media.values())), found=0,
    )  # fmt: skip


async def plant(house: House) -> None:
    """The same search finds what is put into each medium on purpose."""
    canary = secrets.token_urlsafe(32)
    house.known = {}
    house.keep("canary", canary)
    raw = canary.encode()
    services = await house.services()
    async with services.ground.uow() as tx:
        await tx.session.execute(
            text("UPDATE users SET name = :name"), {"name": b64encode(b"n" + raw).decode()}
        )
        await tx.session.execute(
            text("UPDATE onetime SET address_sealed = :raw"), {"raw": b"\x01" + raw}
        )
    await services.stop()
    with redis.Redis.from_url(house.environ["AUTHSVC_REDIS_URL"]) as client:
        client.set("planted", urlsafe_b64encode(b"no" + raw))
    for server in house.service.servers:
        with server.log.open("a") as log:
            log.write(raw.hex())
    with smtplib.SMTP("127.0.0.1", int(house.service.inbox.url.rpartition(":")[2])) as server:
        server.login("postman", SMTP)
        server.sendmail("x@example.com", ["y@example.com"], f"Subject: x\n\n{canary}\n")
    for medium in ("metrics 0", "answers", "commands"):
        house.note(medium, quote(canary, safe="").encode())
    await house.finish()
    found = {hit.medium for hit in house.hits()}
    written = {"table users", "table onetime", "store", "log 0", "metrics 0", "answers", "commands"}
    if canaries.files(house.service.backend.database_url):
        written.add("file .db-wal")
    assert written <= found, written - found
    assert any(medium.startswith("mail ") for medium in found)


@pytest.mark.parametrize("form", forms(b"").keys())
@pytest.mark.parametrize(
    "secret",
    [secrets.token_urlsafe(32), "pass word/+&\u00fc", "042917"],
    ids=["token", "password", "code"],
)
def test_every_form_is_found(secret: str, form: str) -> None:
    raw = secret.encode()
    written = forms(raw)[form]
    media = {"clean": b"123042918456", "dirty": b"before " + written + b" after"}
    assert {hit.medium for hit in search(media, {"secret": raw})} == {"dirty"}


@pytest.mark.parametrize("before", [b"", b"x", b"xy", b"xyz"])
@pytest.mark.parametrize("after", [b"", b"z", b"zz"])
@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
def test_base64_is_found_wherever_it_begins(
    before: bytes, after: bytes, encode: Callable[[bytes], bytes]
) -> None:
    secret = secrets.token_bytes(32)
    for written in (encode(before + secret + after), encode(before + secret + after).rstrip(b"=")):
        assert search({"here": written}, {"secret": secret})
        assert search({"here": written}, {"other": secrets.token_bytes(32)}) == []


def test_a_code_is_not_found_in_longer_numbers() -> None:
    code = {"code": b"042917"}
    assert search({"here": b"at 1795042917123 or 0.042917"}, code) == []
    assert search({"here": b'{"code": 042917}'}, code)
