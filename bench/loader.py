"""The load: a process of its own that speaks HTTP/1.1 over a few kept connections.

It reads a job (pickled) from standard input, connects, says "ready", and begins when told "go".
Every answer is looked at: its status, a word of its body, and the turn of its cookie.
"""

import asyncio
import pickle
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import uvloop


@dataclass(frozen=True, slots=True)
class Job:
    """What to send: ``parts`` of a request with the words of an item between them.

    ``items``: a list for each connection, sent one after the other until it is used up or the
    time is over; ``again`` begins the list anew. ``expect`` must stand in each body. ``cookie``
    names the cookie to keep; ``turns``: its third field, parted by dots, must be one more than
    in the cookie sent (the item's first word).
    """

    port: int
    seconds: float
    parts: tuple[str, ...]
    items: tuple[tuple[tuple[str, ...], ...], ...]
    status: int
    expect: str
    again: bool = False
    cookie: str | None = None
    turns: bool = False


@dataclass(slots=True)
class Outcome:
    """What came back. ``wrong`` holds the beginnings of answers that were not as expected."""

    answered: int = 0
    seconds: float = 0.0
    waits: list[float] = field(default_factory=list[float])
    wrong: list[str] = field(default_factory=list[str])
    cookies: list[list[str]] = field(default_factory=list[list[str]])


class Client(asyncio.Protocol):
    """One connection: a request, its answer, the next request."""

    def __init__(self, job: Job, items: tuple[tuple[str, ...], ...]) -> None:
        self.job = job
        self.items = items
        self.parts = [part.encode() for part in job.parts]
        self.expect = job.expect.encode()
        self.status = b"HTTP/1.1 %d " % job.status
        self.cookie = (
            None if job.cookie is None else b"\r\nset-cookie: %b=" % job.cookie.lower().encode()
        )
        self.loop = asyncio.get_running_loop()
        self.over: asyncio.Future[None] = self.loop.create_future()
        self.deadline = self.sent_at = 0.0
        self.next = 0
        self.held = b""
        self.waits: list[float] = []
        self.wrong: list[str] = []
        self.cookies: list[str] = []

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.over.done():
            self.wrong.append(f"connection lost: {exc}")
            self.over.set_result(None)

    def begin(self, deadline: float) -> None:
        """Send the first request; none is sent after the deadline."""
        self.deadline = deadline
        self._send()

    def _send(self) -> None:
        used_up = self.next >= len(self.items)
        if used_up and self.job.again and self.items:
            self.next, used_up = 0, False
        now = time.perf_counter()
        if used_up or now >= self.deadline:
            self.over.set_result(None)
            return
        item = self.items[self.next]
        self.next += 1
        pieces = [self.parts[0]]
        for word, part in zip(item, self.parts[1:], strict=True):
            pieces += (word.encode(), part)
        self.sent_at = now
        self.transport.write(b"".join(pieces))

    def data_received(self, data: bytes) -> None:
        self.held += data
        end = self.held.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self.held[: end + 2].lower()
        start = head.find(b"\r\ncontent-length: ") + 18
        length = int(head[start : head.find(b"\r\n", start)])
        if len(self.held) < end + 4 + length:
            return
        self.waits.append(time.perf_counter() - self.sent_at)
        self._look(self.held[: end + 2], self.held[end + 4 :])
        self.held = b""
        self._send()

    def _look(self, head: bytes, body: bytes) -> None:
        good = head.startswith(self.status) and self.expect in body
        if self.cookie is not None:
            start = head.lower().find(self.cookie)
            value = head[start + len(self.cookie) :].partition(b";")[0].decode()
            good = good and start > 0
            if good and self.job.turns:
                sent = self.items[self.next - 1][0]
                good = int(value.split(".")[2]) == int(sent.split(".")[2]) + 1
            self.cookies.append(value)
        if not good:
            self.wrong.append((head[:200] + body[:300]).decode("latin-1"))


async def run(job: Job) -> Outcome:
    """Connect, wait for the word, send, and count."""
    loop = asyncio.get_running_loop()
    clients: list[Client] = []
    for items in job.items:
        _, client = await loop.create_connection(
            lambda items=items: Client(job, items), "127.0.0.1", job.port
        )
        clients.append(client)
    sys.stdout.buffer.write(b"ready\n")
    sys.stdout.buffer.flush()
    await loop.run_in_executor(None, sys.stdin.buffer.readline)
    began = time.perf_counter()
    for client in clients:
        client.begin(began + job.seconds)
    await asyncio.gather(*(client.over for client in clients))
    outcome = Outcome(seconds=time.perf_counter() - began)
    for client in clients:
        client.transport.close()
        outcome.answered += len(client.waits)
        outcome.waits += client.waits
        outcome.wrong += client.wrong[:3]
        outcome.cookies.append(client.cookies)
    return outcome


def main() -> None:
    """Do the job that standard input brings."""
    size = int(sys.stdin.buffer.readline())
    job: Job = pickle.loads(sys.stdin.buffer.read(size))  # noqa: S301 our own parent's words
    outcome = uvloop.run(run(job))
    sys.stdout.buffer.write(pickle.dumps(outcome))
