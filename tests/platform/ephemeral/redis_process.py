"""A Redis of one's own to freeze, kill and start again; and a wire to it that tears."""

import asyncio
import os
import signal
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import redis

from tests.servers import start_redis

PATIENCE = 30.0
Answer = TypeVar("Answer")


@dataclass(slots=True)
class RedisProcess:
    """The server behind ``url``; it keeps nothing over a restart."""

    url: str
    port: int
    program: str
    pid: int
    home: Path
    _again: list[subprocess.Popen[bytes]] = field(default_factory=list[subprocess.Popen[bytes]])

    def freeze(self) -> None:
        """Stop it in mid-air: connections stay open and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """kill -9; returns when nobody answers on the port any more."""
        os.kill(self.pid, signal.SIGKILL)
        _until(lambda: not _accepts(self.port))

    def restart(self) -> None:
        """An empty one on the same port; returns when it answers."""
        # fmt: off
        process = subprocess.Popen([
            self.program, "--port", str(self.port), "--bind", "127.0.0.1",
            "--dir", str(self.home), "--save", "", "--appendonly", "no",
        ], stdout=subprocess.DEVNULL)
        # fmt: on
        self._again.append(process)
        self.pid = process.pid
        _until(lambda: self.ask("ping"))

    def ask(self, *words: str) -> Any:
        """The answer to one command, over a connection of its own; None when there is none."""
        with suppress(redis.RedisError), redis.Redis.from_url(self.url) as client:
            return client.execute_command(*words)
        return None

    def close(self) -> None:
        """End what was started again; the first one ends where it was started."""
        self.thaw()
        for process in self._again:
            process.kill()
            process.wait(15)


@contextmanager
def own_process(home: Path) -> Iterator[RedisProcess]:
    """A fresh server; all of it is gone after the block."""
    with start_redis() as url:
        with redis.Redis.from_url(url) as client:
            about: Any = client.info("server")
        server = RedisProcess(
            url, about["tcp_port"], about["executable"], about["process_id"], home
        )
        try:
            yield server
        finally:
            server.close()


@dataclass(slots=True)
class Wire:
    """A relay to a port. After ``tear`` the connections of before stay open and carry nothing,
    as when the address moves to another machine."""

    target: int
    port: int = 0
    _torn: set[int] = field(default_factory=set[int])
    _tasks: list[asyncio.Task[None]] = field(default_factory=list[asyncio.Task[None]])
    _writers: list[asyncio.StreamWriter] = field(default_factory=list[asyncio.StreamWriter])
    _server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    @property
    def connections(self) -> int:
        """How many have been opened through it."""
        return len(self._writers) // 2

    def tear(self) -> None:
        """From now on every open connection is dead."""
        self._torn.update(range(self.connections))

    async def close(self) -> None:
        """Hang up."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.close()
        for writer in self._writers:
            with suppress(OSError):
                await writer.wait_closed()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = self.connections
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        self._writers += [writer, far_writer]
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            self._tasks.append(asyncio.create_task(self._pump(source, sink, number)))

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, number: int
    ) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                if number not in self._torn:
                    sink.write(data)
            if number not in self._torn:
                sink.close()


async def eventually(
    call: Callable[[], Awaitable[Answer]], failure: type[BaseException], *, within: float
) -> Answer:
    """The first answer of a call that is tried again after each failure; fails when late."""
    due = time.monotonic() + within
    while True:
        try:
            return await call()
        except failure:
            if time.monotonic() > due:
                raise
            await asyncio.sleep(0.01)


def _accepts(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _until(check: Callable[[], object]) -> None:
    due = time.monotonic() + PATIENCE
    while not check():
        assert time.monotonic() < due, "the server neither came nor went"
        time.sleep(0.01)
