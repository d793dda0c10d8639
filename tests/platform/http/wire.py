"""Calls an application like a server would, with whatever bytes; nothing is corrected."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.platform.http.small_app import AUTH, SPA

Pairs = list[tuple[bytes, bytes]]

JSON: Pairs = [(b"content-type", b"application/json")]
PAGE: Pairs = [
    *JSON,
    (b"origin", SPA.encode()),
    (b"x-authsvc-client", b"test/1"),
    (b"sec-fetch-site", b"same-site"),
]
NOTE = b'{"text":"hello"}'


@dataclass(slots=True)
class Raw:
    """An answer as it left the application: nothing parsed, nothing corrected."""

    status: int
    headers: Pairs
    body: bytes

    def values(self, name: bytes) -> list[bytes]:
        """Each line of a header."""
        return [value for found, value in self.headers if found == name]

    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


@dataclass(slots=True)
class Wire:
    """Calls the application like a server would, with whatever bytes."""

    app: Any

    async def call(
        self,
        method: str = "GET",
        path: str = "/v1/things/1",
        *,
        headers: Iterable[tuple[bytes, bytes]] = (),
        host: bytes = b"auth.example.com",
        query: bytes = b"",
        body: Sequence[bytes | None] = (b"",),
        peer: str | None = "203.0.113.9",
    ) -> Raw | None:
        """The answer, or None if there was none. A body part None: the client goes away."""
        sent: list[Any] = []
        incoming = [_message(part, more=i + 1 < len(body)) for i, part in enumerate(body)]

        async def receive() -> dict[str, Any]:
            if not incoming:  # the client waits for its answer
                await asyncio.Event().wait()
            return incoming.pop(0)

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1",
            "method": method, "path": path, "raw_path": path.encode("utf-8", "replace"),
            "query_string": query, "root_path": "", "scheme": "https",
            "headers": [(b"host", host), *headers],
            "client": (peer, 1) if peer else None, "server": ("127.0.0.1", 8000),
        }  # fmt: skip
        await self.app(scope, receive, send)
        if not sent:
            return None
        content = b"".join(message.get("body", b"") for message in sent[1:])
        return Raw(sent[0]["status"], list(sent[0]["headers"]), content)


def _message(part: bytes | None, *, more: bool) -> dict[str, Any]:
    if part is None:
        return {"type": "http.disconnect"}
    return {"type": "http.request", "body": part, "more_body": more}


def refused(answer: Raw | None) -> tuple[int, str]:
    """Status and code of a problem, after checking that it is a whole one."""
    assert answer is not None
    body = answer.json()
    assert answer.values(b"content-type") == [b"application/problem+json"]
    assert answer.values(b"cache-control") == [b"no-store"]
    assert answer.values(b"x-request-id") == [body["request_id"].encode()]
    assert body["status"] == answer.status
    assert body["type"] == f"{AUTH}/errors/{body['code']}"
    assert body["title"]
    assert body["detail"]
    return answer.status, body["code"]
