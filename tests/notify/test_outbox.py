"""Mail: sealed until sent, by real SMTP, once, with back-off."""

import asyncio
import socket
import sqlite3
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import select

from authsvc.crypto.keyring import Keyring
from authsvc.crypto.sealing import Sealer, Unopenable
from authsvc.kernel.clock import FrozenClock
from authsvc.kernel.secret import Secret
from authsvc.notify.dispatch import Dispatch, backoff
from authsvc.notify.messages import Asked, Message, notice, probe, sign_in
from authsvc.notify.messages import invite as invite_message
from authsvc.notify.render import Renderer
from authsvc.notify.service import PAYLOADS, Outbox, place
from authsvc.notify.settings import MailSettings
from authsvc.notify.smtp import Envelope, MailPermanent, MailTemporary, SmtpMailer
from authsvc.notify.tables import OutboxMessage
from authsvc.platform.db.engine import open_database
from authsvc.platform.db.uow import UnitOfWork
from authsvc.platform.i18n.catalogue import Catalogue
from tests.live import free_port
from tests.mail import Inbox, smtp_inbox

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
LINK, CODE, ADDRESS = "https://auth.example.com/ui/link?t=TOKENTOKEN", "493201", "ann@example.com"
CATALOGUE = Catalogue.load()


def message(address: str = ADDRESS, *, locale: str = "en") -> Message:
    return sign_in(
        address,
        locale=locale,
        link=Secret(LINK),
        code=Secret(CODE),
        expires_at=NOW + timedelta(minutes=10),
        minutes=10,
        asked=Asked(NOW, "Firefox", "Linux"),
    )


@dataclass(slots=True)
class Post:
    uow: UnitOfWork
    clock: FrozenClock
    outbox: Outbox
    dispatch: Dispatch

    async def put(self, *messages: Message, key: str | None = None) -> None:
        async with self.uow() as tx:
            for one in messages:
                await self.outbox.put(tx, one, idempotency_key=key)

    async def rows(self) -> list[OutboxMessage]:
        async with self.uow.reading() as tx:
            return list((await tx.session.execute(select(OutboxMessage))).scalars())


def mailer_for(url: str, clock: FrozenClock, **settings: Any) -> SmtpMailer:
    knobs = {"from": "Acme <no-reply@example.com>", "timeout": 5, **settings}
    return SmtpMailer(url, MailSettings.model_validate(knobs), clock)


def post_at(database_url: str, url: str) -> Post:
    clock = FrozenClock(NOW)
    uow = UnitOfWork(open_database(database_url), clock)
    sealer = Sealer(Keyring.of([b"k" * 32]))
    renderer = Renderer.of(CATALOGUE, app_name="Acme")
    return Post(uow, clock, Outbox(sealer), Dispatch(uow, sealer, renderer, mailer_for(url, clock)))


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with smtp_inbox() as found:
        yield found


@pytest.fixture
async def post(backend: Any, inbox: Inbox) -> AsyncIterator[Post]:
    found = post_at(backend.database_url, inbox.url)
    yield found
    await found.uow.database.dispose()


async def test_sent_and_wiped(post: Post, inbox: Inbox) -> None:
    await post.put(message())
    assert await post.dispatch.run_once() == 1
    mail = inbox.last(ADDRESS)
    assert (mail.link, mail.code) == (LINK, CODE)
    assert mail.message["Auto-Submitted"] == "auto-generated"
    row = (await post.rows())[0]
    assert mail.message["Message-ID"] == f"<{row.id}@example.com>"
    assert row.payload is None
    assert row.sent_at == NOW
    assert await post.dispatch.run_once() == 0


async def test_a_rollback_leaves_no_message(post: Post) -> None:
    async def fail_after_queueing() -> None:
        async with post.uow() as tx:
            await post.outbox.put(tx, message())
            raise LookupError

    with pytest.raises(LookupError):
        await fail_after_queueing()
    assert await post.rows() == []


async def test_one_fact_is_queued_once(post: Post) -> None:
    for _ in range(3):
        await post.put(message(), key="evt_1")
    assert len(await post.rows()) == 1


async def test_two_dispatchers_send_each_once(post: Post, inbox: Inbox) -> None:
    await post.put(*(message(f"p{number}@example.com") for number in range(60)))
    tried = await asyncio.gather(*(post.dispatch.run_once() for _ in range(4)))
    assert sum(tried) == 60
    assert sorted(mail.to[0] for mail in inbox.mails) == sorted(
        f"p{number}@example.com" for number in range(60)
    )


async def test_a_crash_repeats_after_the_lease_with_the_same_id(post: Post, inbox: Inbox) -> None:
    await post.put(message())
    claimed = await post.dispatch._claim()
    assert len(claimed) == 1
    assert await post.dispatch.run_once() == 0, "the lease holds"
    post.clock.advance(61)
    assert await post.dispatch.run_once() == 1
    assert len(inbox.mails) == 1


async def test_back_off_until_the_server_is_there(backend: Any) -> None:
    port = free_port()
    post = post_at(backend.database_url, f"smtp://127.0.0.1:{port}")
    await post.put(probe(ADDRESS, locale="en"))
    assert await post.dispatch.run_once() == 1
    row = (await post.rows())[0]
    assert row.sent_at is None
    assert row.next_attempt_at is not None
    assert timedelta(seconds=5) <= row.next_attempt_at - NOW <= timedelta(seconds=6.25)
    assert await post.dispatch.run_once() == 0
    post.clock.advance(86401)
    assert await post.dispatch.run_once() == 1
    row = (await post.rows())[0]
    assert row.failed_at is not None, "given up after a day"
    assert row.payload is None
    await post.uow.database.dispose()


async def test_a_message_that_breaks_holds_up_no_other(post: Post, inbox: Inbox) -> None:
    await post.put(Message("no_such_template", "x@example.com", "en"), message())
    assert await post.dispatch.run_once() == 2
    assert [mail.to for mail in inbox.mails] == [(ADDRESS,)]
    broken = next(row for row in await post.rows() if row.sent_at is None)
    assert broken.next_attempt_at is not None
    assert broken.lease_until is None
    post.clock.advance(86401)
    await post.dispatch.run_once()
    broken = next(row for row in await post.rows() if row.sent_at is None)
    assert broken.payload is None
    assert broken.last_error == "gave up KeyError"


async def test_a_late_refusal_does_not_touch_what_another_sent(post: Post, inbox: Inbox) -> None:
    await post.put(message())
    slow = (await post.dispatch._claim())[0]
    post.clock.advance(61)
    assert await post.dispatch.run_once() == 1
    slow_dispatch = replace(
        post.dispatch, mailer=mailer_for(f"smtp://127.0.0.1:{free_port()}", post.clock)
    )
    await slow_dispatch._deliver(slow)
    row = (await post.rows())[0]
    assert row.sent_at is not None
    assert row.next_attempt_at is None
    assert len(inbox.mails) == 1


async def test_a_delivery_ends_within_its_lease(post: Post) -> None:
    over = asyncio.Event()

    async def silent(_r: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    url = f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    await post.put(message())
    stuck = replace(post.dispatch, mailer=mailer_for(url, post.clock, timeout=60), within=0.2)
    assert await stuck.run_once() == 1
    row = (await post.rows())[0]
    assert (row.lease_until, row.last_error) == (None, "temporary")
    over.set()
    server.close()
    await server.wait_closed()


def test_the_schedule_of_waits() -> None:
    waits = [backoff(attempts, jitter=0.0).total_seconds() for attempts in range(1, 13)]
    assert waits == [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]


async def test_a_process_without_the_key_gives_no_message_up(post: Post, inbox: Inbox) -> None:
    await post.put(message())
    other = replace(post.dispatch, sealer=Sealer(Keyring.of([b"n" * 32])))
    assert await other.run_once() == 1
    row = (await post.rows())[0]
    assert (row.failed_at, row.last_error) == (None, "temporary")
    assert inbox.mails == []
    post.clock.advance(8)
    assert await post.dispatch.run_once() == 1
    assert inbox.last(ADDRESS).code == CODE


async def test_messages_are_sealed_anew_while_they_are_sent(post: Post, inbox: Inbox) -> None:
    await post.put(*(message(f"ann{number}@example.com") for number in range(40)))
    one, other = (
        Sealer(Keyring.of([key * 32, old * 32])) for key, old in ((b"n", b"k"), (b"k", b"n"))
    )
    sent = asyncio.create_task(replace(post.dispatch, sealer=one).run_once())
    resealed = 0
    while not sent.done():
        for sealer in (one, other):
            async with post.uow() as tx:
                resealed += (await PAYLOADS.reseal(tx, sealer, limit=40)).resealed
    assert (await sent, len(inbox.mails)) == (40, 40)
    assert resealed > 40, "nothing was sealed while it was sent"
    assert [row.payload for row in await post.rows()] == [None] * 40


async def test_an_expired_link_is_not_sent(post: Post, inbox: Inbox) -> None:
    await post.put(message())
    post.clock.advance(601)
    await post.dispatch.run_once()
    assert inbox.mails == []
    assert (await post.rows())[0].last_error == "expired"


async def test_nothing_in_clear_in_the_file(sqlite_database: str, inbox: Inbox) -> None:
    post = post_at(sqlite_database, inbox.url)
    await post.put(message())
    await post.uow.database.dispose()
    path = Path(sqlite_database.partition(":///")[2])
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    raw = await asyncio.to_thread(path.read_bytes)
    for secret in (ADDRESS, LINK, CODE, "TOKENTOKEN"):
        assert secret.encode() not in raw


async def test_a_payload_belongs_to_its_row(post: Post) -> None:
    await post.put(message())
    row = (await post.rows())[0]
    assert row.payload is not None
    with pytest.raises(Unopenable):
        post.outbox.sealer.open(row.payload, place=place("msg_other"))


@pytest.mark.parametrize("locale", CATALOGUE.locales)
def test_every_message_renders(locale: str) -> None:
    renderer = Renderer.of(CATALOGUE, app_name="Tom & Jerry <b>")
    asked = Asked(NOW, "Firefox", "Linux")
    bare = message(locale=locale)
    every = [
        bare,
        invite_message(
            ADDRESS, locale=locale, link=Secret(LINK), code=Secret(CODE), expires_at=NOW, days=7
        ),
        probe(ADDRESS, locale=locale),
        *(
            notice(name, ADDRESS, locale=locale, link="https://a.example/ui", asked=asked)
            for name in ("reuse", "new_sign_in", "signed_out_everywhere")
        ),
    ]
    for one in every:
        rendered = renderer.render(one)
        assert "{" not in rendered.subject + rendered.text
        assert "\n" not in rendered.subject
        assert "<b>" not in rendered.html.replace("<body", "")
        assert "Tom &amp; Jerry &lt;b&gt;" in rendered.html
        assert "http-equiv" not in rendered.html
        assert "src=" not in rendered.html
    assert "493 201" in renderer.render(bare).html
    assert CODE not in repr(bare)
    assert LINK not in repr(bare)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test mail")])
    names: list[x509.GeneralName] = [
        x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1")),
    ]  # fmt: skip
    today = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = built.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (directory / "both.pem").write_bytes(private + pem)
    (directory / "ca.pem").write_bytes(pem)
    return directory


class Server(Controller):
    """A controller that does not probe itself: it would not trust its own certificate."""

    def _trigger_server(self) -> None:
        with socket.create_connection((self.hostname, self.port), timeout=5):
            return


class TestServers:
    """Real servers of each kind."""

    def context(self, certificate: Path) -> ssl.SSLContext:
        found = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        found.load_cert_chain(certificate / "both.pem")
        return found

    @contextmanager
    def server(self, handler: Any, **how: Any) -> Iterator[int]:
        controller = Server(handler, hostname="127.0.0.1", port=free_port(), **how)
        controller.start()
        try:
            yield int(controller.port)
        finally:
            controller.stop()

    async def deliver(self, url: str, *, far: bool = False, **settings: Any) -> None:
        """Deliver a message; ``far`` = as to a server on another machine."""
        clock = FrozenClock(NOW)
        rendered = Renderer.of(CATALOGUE, app_name="Acme").render(probe(ADDRESS, locale="en"))
        mailer = replace(mailer_for(url, clock, **settings), plain_loopback=not far)
        await mailer.send(Envelope("msg_1", ADDRESS, "test", rendered))

    async def test_starttls_with_log_in(self, certificate: Path) -> None:
        inbox, seen = Inbox(), []

        def authenticate(server: Any, session: Any, envelope: Any, way: str, data: Any) -> Any:
            seen.append((session.ssl is not None, data.login, data.password))
            return AuthResult(success=True)

        with self.server(
            inbox,
            tls_context=self.context(certificate),
            require_starttls=True,
            authenticator=authenticate,
        ) as port:
            url = f"smtp://ann%40x:p%40ss@localhost:{port}"
            await self.deliver(url, far=True, ca_file=str(certificate / "ca.pem"))
            await self.deliver(
                f"smtp://ann@localhost:{port}",
                far=True,
                smtp_password="apart",
                ca_file=str(certificate / "ca.pem"),
            )
        assert len(inbox.to(ADDRESS)) == 2
        assert seen == [(True, b"ann@x", b"p@ss"), (True, b"ann", b"apart")]

    async def test_loopback_with_a_certificate_of_a_private_authority(
        self, certificate: Path
    ) -> None:
        inbox = Inbox()
        with self.server(inbox, tls_context=self.context(certificate)) as port:
            url = f"smtp://localhost:{port}"
            await self.deliver(url, ca_file=str(certificate / "ca.pem"))
            with pytest.raises(MailTemporary):
                await self.deliver(url)
        assert len(inbox.to(ADDRESS)) == 1

    async def test_starttls_is_required_away_from_loopback(self) -> None:
        inbox = Inbox()
        with self.server(inbox) as port, pytest.raises(MailTemporary):
            await self.deliver(f"smtp://localhost:{port}", far=True)
        assert inbox.mails == []

    async def test_implicit_tls(self, certificate: Path) -> None:
        inbox = Inbox()
        with self.server(inbox, ssl_context=self.context(certificate)) as port:
            await self.deliver(f"smtps://localhost:{port}", ca_file=str(certificate / "ca.pem"))
            with pytest.raises(MailTemporary):
                await self.deliver(f"smtps://localhost:{port}")
        assert len(inbox.to(ADDRESS)) == 1

    @pytest.mark.parametrize(
        ("reply", "kind"),
        [
            ("451 later", MailTemporary),
            ("421 closing", MailTemporary),
            ("550 no such user", MailPermanent),
            ("554 refused", MailPermanent),
        ],
    )
    async def test_refusals(self, reply: str, kind: type[Exception]) -> None:
        class Refusing:
            async def handle_RCPT(self, *_: Any) -> str:  # noqa: N802 aiosmtpd calls it so
                return reply

        with self.server(Refusing()) as port, pytest.raises(kind) as refused:
            await self.deliver(f"smtp://127.0.0.1:{port}")
        assert ADDRESS not in str(refused.value)

    async def test_a_server_that_says_nothing(self) -> None:
        over, handlers = asyncio.Event(), list[Any]()

        async def silent(_r: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            handlers.append(asyncio.current_task())
            await over.wait()
            writer.close()
            await writer.wait_closed()

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(MailTemporary):
            await self.deliver(f"smtp://127.0.0.1:{port}", timeout=0.3)
        over.set()
        await asyncio.gather(*handlers)
        server.close()
        await server.wait_closed()
