"""No secret is left behind: not stored, logged, counted, answered or mailed. Spec: security.md §7.

The main job runs on real servers with known secrets, its failures included; then everything that
it left is searched. The search itself is shown to find what is planted. Goal G8.
"""

import asyncio
import json
import os
import secrets
import smtplib
import subprocess
import sys
from base64 import b64encode, urlsafe_b64encode
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
import redis
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key
from sqlalchemy import select, text

from authsvc.bootstrap.services import Services, build
from authsvc.crypto.keyring import Purpose
from authsvc.notify.messages import Message
from authsvc.notify.tables import OutboxMessage
from authsvc.settings import load
from tests.databases import Backend
from tests.faults.processes import SESSION_COOKIE, Service, Town, Visitor, serving, until
from tests.live import free_port
from tests.mail import Inbox
from tests.scale import report
from tests.servers import start_redis
from tests.spec import canaries
from tests.spec.canaries import Hit, decoded, forms, search

CODE, CONFIRM = "/v1/sign-in/email/code", "/v1/sign-in/link/confirm"
START, RESUME = "/v1/sign-in/email", "/v1/session/resume"
ROOTS = [secrets.token_urlsafe(40), secrets.token_urlsafe(40)]
DATABASE, STORE, SMTP = (secrets.token_urlsafe(24) for _ in range(3))  # passwords
LATER = "later@example.com"  # whose mail server is busy all day
COMMANDS = [
    ["config", "check"], ["config", "print"], ["config", "print", "--json"], ["keys", "list"],
    ["users", "find"], ["users", "invite", LATER], ["mail", "test", "ann@example.com"],
    ["secrets", "status"], ["secrets", "reseal"], ["keys", "rotate", "--emergency"],
    ["migrate", "status"], ["worker", "--once"],
]  # fmt: skip
_RUN = (
    "import json, sys; from authsvc.cli.main import run;"
    "print([run(words) for words in json.loads(sys.argv[1])])"
)


@dataclass(slots=True)
class Guarded(Inbox):
    """A mail server with a password that never has time for one recipient."""

    async def handle_RCPT(  # noqa: N802 aiosmtpd calls it so
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if not session.authenticated:
            return "530 who are you"
        if address == LATER:
            return "450 later"
        envelope.rcpt_tos.append(address)
        return "250 fine"


@contextmanager
def guarded_inbox() -> Iterator[Guarded]:
    inbox, port = Guarded(), free_port()

    def check(
        _server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any
    ) -> AuthResult:
        ours = isinstance(given, LoginPassword) and given.password == SMTP.encode()
        return AuthResult(success=ours)

    controller = Controller(
        inbox, hostname="127.0.0.1", port=port, authenticator=check, auth_require_tls=False
    )  # fmt: skip
    controller.start()
    try:
        inbox.url = f"smtp://postman:{SMTP}@127.0.0.1:{port}"
        yield inbox
    finally:
        controller.stop()


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


@dataclass(slots=True)
class House:
    """The running service, the secrets known so far, and what it has left behind."""

    service: Service
    town: Town
    environ: dict[str, str]
    known: dict[str, bytes] = field(default_factory=dict[str, bytes])
    media: dict[str, bytes] = field(default_factory=dict[str, bytes])

    def keep(self, name: str, secret: str | None) -> None:
        """Remember a secret: its text, and the bytes behind it."""
        assert secret, name
        for way, value in zip(("", " decoded"), decoded(secret), strict=False):
            self.known[name + way] = value

    def keep_credential(self, name: str, credential: str | None) -> None:
        """Of a session credential the MAC is secret; what it is a MAC of is not."""
        assert credential, name
        self.keep(name, credential.rpartition(".")[2])

    def note(self, medium: str, content: bytes) -> None:
        self.media[medium] = self.media.get(medium, b"") + content + b"\n"

    async def look(self) -> None:
        """Take down what can be seen now; things that come and go are looked at often."""
        backend = self.service.backend
        found = await canaries.tables(backend.database_url)
        found |= canaries.files(backend.database_url) | canaries.store(
            self.environ["AUTHSVC_REDIS_URL"]
        )
        for medium, content in found.items():
            self.note(medium, content)

    async def finish(self) -> None:
        """The last look, with all logs, mails and metrics."""
        await self.look()
        for number, server in enumerate(self.service.servers):
            self.note(f"log {number}", server.log.read_bytes())
            async with httpx2.AsyncClient(base_url=server.url) as private:
                self.note(f"metrics {number}", (await private.get("/metrics")).content)

    def hits(self) -> list[Hit]:
        """Whatever was found; a message may hold its own link and code."""
        found = search(self.media, self.known)
        for number, mail in enumerate(self.service.inbox.mails):
            own = {mail.token, mail.code} if "/ui/link?t=" in mail.text else set[str]()
            values = {value for secret in own for value in decoded(secret)}
            others = {name: value for name, value in self.known.items() if value not in values}
            found += search({f"mail {number}": canaries.letter(mail)}, others)
        return found

    async def send(self, browser: Any, method: str, path: str, **how: Any) -> httpx2.Response:
        """A request; what is answered to a bad one is kept."""
        headers = browser.headers() | how.pop("headers", {})
        answer = await browser.http.request(method, path, headers=headers, **how)
        if answer.status_code >= 400:
            self.note("answers", str(answer.headers).encode() + answer.content)
        return answer

    async def services(self) -> Services:
        return build(load(self.environ))


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


async def keep_what_we_configured(house: House) -> None:
    for number, root in enumerate(ROOTS):
        house.keep(f"root key {number}", root)
    house.keep("mail password", SMTP)
    house.keep("database password", DATABASE)
    house.keep("store password", STORE)
    services = await house.services()
    for purpose in Purpose:
        for number, derived in enumerate(services.ground.ring.all(purpose)):
            house.known[f"{purpose} key {number}"] = derived.key
    await keep_signing_keys(house, services)
    await services.stop()


async def keep_signing_keys(house: House, services: Services) -> None:
    async with services.ground.uow.reading() as tx:
        rows = await tx.session.execute(text("SELECT kid, private_sealed FROM signing_keys"))
        for kid, sealed in rows:
            if sealed is None:
                continue
            der = services.ground.sealer.open(bytes(sealed), place=f"signing_keys:private:{kid}")
            key = load_der_private_key(der, password=None)
            assert isinstance(key, EllipticCurvePrivateKey)
            number = key.private_numbers().private_value
            house.known[f"signing key {kid}"] = number.to_bytes(32, "big")


async def keep_waiting_mail(house: House) -> None:
    """The link and code of the invitation that cannot be delivered."""
    services = await house.services()
    async with services.ground.uow.reading() as tx:
        rows = await tx.session.execute(
            select(OutboxMessage).where(OutboxMessage.sent_at.is_(None))
        )
        packed = [
            services.ground.sealer.open(row.payload, place=f"outbox:payload:{row.id}")
            for row in rows.scalars() if row.payload
        ]  # fmt: skip
    await services.stop()
    (waiting,) = (mail for mail in map(Message.unpack, packed) if mail.address == LATER)
    assert waiting.link
    assert waiting.code
    house.keep("waiting link", waiting.link.reveal().partition("?t=")[2])
    house.keep("waiting code", waiting.code.reveal())


async def sign_in_by_link(house: House) -> Visitor:
    """Ann, with wrong codes and a broken database before she is in."""
    ann = await house.town.person("ann")
    mail = await ann.asks_for_mail()
    house.keep("link", mail.token)
    house.keep("code of a link", mail.code)
    house.keep("flow cookie", ann.browser.http.cookies["authsvc_flow"])
    await house.look()
    for wrong in {"000001", "000002"} - {mail.code}:
        await house.send(ann.browser, "POST", CODE, json={"code": wrong})
    async with broken(house, "guesses"):
        failed = await house.send(ann.browser, "POST", CODE, json={"code": mail.code})
        assert failed.status_code >= 500
    async with broken(house, "onetime"):
        failed = await house.send(ann.browser, "POST", CONFIRM, json={"token": mail.token})
        assert failed.status_code >= 500
    answer = await ann.presses(mail.token)
    assert answer.json()["next"] == "done", answer.text
    keep_tokens(house, "link session", answer.json()["access_token"], ann)
    await house.look()
    return ann


async def sign_in_by_code(house: House) -> Visitor:
    bob = await house.town.person("bob")
    mail = await bob.asks_for_mail()
    house.keep("link of a code", mail.token)
    house.keep("code", mail.code)
    answer = await bob.types(mail.code)
    assert answer.json()["next"] == "done", answer.text
    keep_tokens(house, "code session", answer.json()["access_token"], bob)
    return bob


async def sign_in_an_app(house: House) -> None:
    app = await house.town.person("app", native=True)
    mail = await app.asks_for_mail()
    house.keep("link of an app", mail.token)
    house.keep("code of an app", mail.code)
    house.keep("flow token", (app.flow_token or "").removeprefix("ft_"))
    assert (await app.types(mail.code)).json()["next"] == "done"
    await house.look()
    tokens = (await app.exchanges()).json()
    asked = {"grant": "refresh_token", "client_id": "cli"}
    for turn in range(2):
        house.keep(f"app access token {turn}", tokens["access_token"].rpartition(".")[2])
        house.keep_credential(f"app refresh token {turn}", tokens["refresh_token"])
        asked |= {"refresh_token": tokens["refresh_token"]}
        answer = await house.send(app.browser, "POST", "/v1/token", json=asked)
        tokens = answer.json()
    asked["refresh_token"] += "x"
    await house.send(app.browser, "POST", "/v1/token", json=asked)


def keep_tokens(house: House, name: str, access_token: str, visitor: Visitor) -> str:
    credential = visitor.browser.http.cookies[SESSION_COOKIE]
    house.keep_credential(f"{name} cookie", credential)
    house.keep(f"{name} access token", access_token.rpartition(".")[2])
    return credential


async def refresh_until_reuse(house: House, bob: Visitor) -> None:
    """Turns of a credential, and then the first one again: a thief, whose session ends."""
    first, turns = bob.browser.http.cookies[SESSION_COOKIE], set[str]()
    async with asyncio.timeout(20):
        while len(turns) < 3:
            envelope = await bob.browser.resume()
            turns.add(keep_tokens(house, f"turn {len(turns)}", envelope["access_token"], bob))
            await asyncio.sleep(0.2)
    bob.browser.http.cookies.set(SESSION_COOKIE, first, domain="127.0.0.1")
    ended = await house.send(bob.browser, "POST", RESUME, json={})
    assert ended.json()["reason"] == "session_revoked"


@asynccontextmanager
async def broken(house: House, table: str) -> AsyncIterator[None]:
    """A table is missing for the length of the block: what nobody expects."""
    services = await house.services()

    async def rename(old: str, new: str) -> None:
        async with services.ground.uow() as tx:
            await tx.session.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))

    await rename(table, f"{table}_away")
    try:
        yield
    finally:
        await rename(f"{table}_away", table)
        await services.stop()


async def send_nonsense(house: House, ann: Visitor, secrets_of: dict[str, str]) -> int:
    """Each secret where it does not belong; how many requests were refused."""
    answers: list[httpx2.Response] = []
    for secret in secrets_of.values():
        requests: list[tuple[str, str, dict[str, Any]]] = [
            ("POST", CODE, {"content": f'{{"code": "{secret}"'}),
            ("POST", CODE, {"json": {"code": secret}}),
            ("POST", CODE, {"json": {"code": [secret]}}),
            ("POST", CONFIRM, {"json": {"token": secret, "surplus": secret}}),
            ("POST", CONFIRM, {"json": {"token": {secret: secret}}}),
            ("POST", CONFIRM, {"json": {"token": secret + "\u0000"}}),
            ("POST", START, {"json": {"email": secret}}),
            ("POST", START, {"json": {"email": "a@example.com", "client_id": secret}}),
            ("POST", START, {"json": {"email": "a@example.com", "return_to": f"https://x/{secret}"}}),
            ("POST", START, {"json": {"email": "a@example.com", "ui_locales": [secret]}}),
            ("POST", RESUME, {"json": {"audience": secret}}),
            ("POST", "/v1/token", {"json": {"grant": secret, "client_id": secret}}),
            ("POST", f"{RESUME}?token={secret}&access_token={secret}", {"json": {}}),
            ("GET", f"/v1/{secret}", {}),
            ("GET", f"/ui/link?t={secret}", {}),
            ("GET", f"/v1/flow?flow={quote(secret)}", {}),
            ("GET", f"/v1/i18n/{secret}", {}),
            ("GET", "/v1/account", {"headers": {"Authorization": f"Bearer {secret}x"}}),
            ("GET", "/v1/account", {"headers": {"Authorization": secret}}),
            ("POST", RESUME, {"json": {}, "headers": {"Content-Type": f"text/{secret}"}}),
            ("POST", RESUME, {"json": {}, "headers": {"User-Agent": secret}}),
            ("POST", RESUME, {"json": {}, "headers": {"Cookie": f"authsvc_rt={secret}x"}}),
            ("POST", RESUME, {"json": {}, "headers": {"X-Request-Id": secret, "Referer": secret}}),
            ("POST", RESUME, {"json": {}, "headers": {"Accept-Language": secret, "Via": secret}}),
            ("POST", RESUME, {"json": {}, "headers": {"X-Forwarded-For": secret, "Host": secret}}),
            (secret[:20], RESUME, {"json": {}}),
        ]  # fmt: skip
        for method, path, how in requests:
            answers.append(await house.send(ann.browser, method, path, **how))
    assert all(answer.status_code < 500 for answer in answers)
    return sum(answer.status_code >= 400 for answer in answers)


async def type_commands(house: House, *more: list[str]) -> None:
    clean = {name: value for name, value in os.environ.items() if "AUTHSVC" not in name}
    typed = json.dumps([*COMMANDS, *more])
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", _RUN, typed], env=clean | house.environ,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True,
    )  # fmt: skip
    house.note("commands", done.stdout)
    statuses = json.loads(done.stdout.splitlines()[-1])
    assert statuses == [0] * len(statuses), done.stdout.decode()


async def live(house: House) -> int:
    """The main job from end to end; how many requests were refused on the way."""
    await keep_what_we_configured(house)
    ann = await sign_in_by_link(house)
    bob = await sign_in_by_code(house)
    await sign_in_an_app(house)
    await refresh_until_reuse(house, bob)
    ours = ann.browser.http.cookies[SESSION_COOKIE]
    ann.browser.http.cookies.set("authsvc_rt", ours, domain="127.0.0.1")
    token = (await ann.browser.resume())["access_token"]
    keep_tokens(house, "last", token, ann)
    async with broken(house, "sessions"):
        failed = await house.send(ann.browser, "POST", RESUME, json={})
        assert failed.status_code >= 500
        await house.send(ann.browser, "POST", "/v1/logout", json={})
    link = (await (await house.town.person("cy")).asks_for_mail()).token
    house.keep("unused link", link)
    refused = await send_nonsense(house, ann, {"link": link, "cookie": ours, "token": token})
    await type_commands(house, ["users", "show", ann.address])
    await keep_waiting_mail(house)
    services = await house.services()
    await keep_signing_keys(house, services)
    await services.stop()
    await house.look()
    assert (await ann.browser.post("/v1/logout", {"scope": "all"})).status_code == 204
    notices = house.service.inbox.to
    await until(lambda: len(notices(bob.address)) > 1)
    await house.finish()
    return refused


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
@pytest.mark.parametrize("secret", [secrets.token_urlsafe(32), "pass word/+&\u00fc", "042917"])
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
