"""SIGTERM under load: not ready first, every refresh in flight answered, then a good end."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from authsvc.bootstrap.services import build
from authsvc.crypto.keyring import Purpose
from authsvc.kernel.caller import Caller, Device
from authsvc.kernel.ids import FLOW, new_id
from authsvc.sessions.facts import Proof
from authsvc.settings import load
from tests.actors import FIREFOX
from tests.cli.test_serve import fetch, serve, settings_of
from tests.databases import Backend
from tests.live import Server
from tests.scale import pick, report

FLIGHTS = pick(ci=64, soak=400)
ORIGIN = "https://auth.example.com"
LAPTOP = Device("Firefox", "Linux", "computer")
CALLER = Caller("", "127.0.0.1", "127.0.0.0/16", "127.0.0.x", LAPTOP, ORIGIN, "en")


@dataclass(slots=True)
class Line:
    """A kept connection of a page, and how it refreshes."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    credential: str

    def send(self, body: bytes = b"{}", *, declared: int = 2) -> None:
        """Write a refresh; whatever happens to the server now, it has been sent."""
        head = (
            "POST /v1/session/resume HTTP/1.1\r\nHost: auth.example.com\r\n"
            f"Origin: {ORIGIN}\r\nX-Authsvc-Client: test/1\r\nUser-Agent: {FIREFOX}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {declared}\r\n"
            f"Cookie: __Host-authsvc_rt={self.credential}\r\n\r\n"
        )
        self.writer.write(head.encode() + body)

    async def answer(self) -> str:
        """The status and what comes next; "" when the connection ends without an answer."""
        try:
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            length = int(head.lower().partition("content-length: ")[2].split("\r\n")[0])
            body = json.loads(await self.reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError):
            return ""
        return f"{head.split()[1]} {body.get('next')}"


async def sessions(environ: dict[str, str], count: int) -> list[str]:
    """The first credentials of so many people."""
    services = build(load(environ))
    await services.start()
    rooms, ground = services.rooms, services.ground
    key_id = ground.ring.current(Purpose.SESSION).id
    found: list[str] = []
    async with ground.uow() as tx:
        for number in range(count):
            person = await rooms.accounts.by_proven_email(
                tx, f"person{number}@example.com", invited=False, locale="en"
            )
            account = person.account  # type: ignore[union-attr]
            live = await rooms.sessions.open(
                tx,
                user_id=account.id,
                epoch=account.epoch,
                roles=account.roles,
                flow_id=new_id(FLOW),
                client_id="ui",
                proof=Proof(method="email", acr="aal1", amr=("email",), auth_time=tx.now),
                stay=True,
                key_id=key_id,
                caller=CALLER,
            )
            assert live is not None
            found.append(rooms.tokens.credential(live.id, counter=live.counter))
    await services.stop()
    return found


@pytest.fixture
def environ(two_process_backend: Backend) -> dict[str, str]:
    many = {"limits__refresh": "100000", "store__timeout": "2", "db__statement": "20"}
    return settings_of(two_process_backend, workers="2", **many)


@pytest.fixture
async def served(environ: dict[str, str], tmp_path: Path) -> AsyncIterator[Server]:
    server = await asyncio.to_thread(serve, environ, tmp_path)
    yield server
    await asyncio.to_thread(server.stop)


async def test_refreshes_in_flight_are_answered(
    served: Server, environ: dict[str, str], two_process_backend: Backend
) -> None:
    credentials = await sessions(environ, FLIGHTS)
    port = int(environ["AUTHSVC_LISTEN__PORT"])

    async def line(credential: str) -> Line:
        return Line(*await asyncio.open_connection("127.0.0.1", port), credential)

    kept = [await line(credential) for credential in credentials[: FLIGHTS // 2]]
    for one in kept:
        one.send()
        assert await one.answer() == "200 done"
    fresh = [await line(credential) for credential in credentials[FLIGHTS // 2 :]]
    for one in kept + fresh:
        one.send()
    served.process.send_signal(signal.SIGTERM)
    answers = await asyncio.gather(*(one.answer() for one in kept + fresh))
    assert answers == ["200 done"] * FLIGHTS
    assert await asyncio.to_thread(served.process.wait, 25) == 0
    levels = {json.loads(text)["level"] for text in served.log.read_text().splitlines()}
    assert levels == {"info"}
    for one in kept + fresh:
        one.writer.close()
    report(f"SIGTERM under load, {two_process_backend.name}", answered=FLIGHTS, lost=0)


async def is_let_in(port: int) -> bool:
    """Whether a new connection gets as far as a queue."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return False
    except ConnectionResetError:  # the queue was closed with us in it
        return True
    writer.close()
    return True


@pytest.mark.parametrize("two_process_backend", ["postgres-redis"], indirect=True)
async def test_it_leaves_before_it_ends(served: Server, environ: dict[str, str]) -> None:
    (credential,) = await sessions(environ, 1)
    port = int(environ["AUTHSVC_LISTEN__PORT"])
    slow = Line(*await asyncio.open_connection("127.0.0.1", port), credential)
    slow.send(b"{")
    await slow.writer.drain()
    served.process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(4):
        while (await asyncio.to_thread(fetch, f"{served.url}/readyz"))[0] == 200:
            assert served.process.poll() is None, "it never said that it is leaving"
        # Nobody may wait in a queue that nothing empties any more.
        while await is_let_in(port):
            assert served.process.poll() is None
    status, _, body = await asyncio.to_thread(fetch, f"{served.url}/readyz")
    assert (status, json.loads(body)["checks"]["serving"]) == (503, "failed")
    slow.writer.write(b"}")
    assert await slow.answer() == "200 done"
    slow.writer.close()
    assert await asyncio.to_thread(served.process.wait, 25) == 0
