"""``POST /v1/session/resume`` as a thin ASGI endpoint: the hottest route of the service.

It shares the middleware with every other route and is described in OpenAPI beside them.
"""

from dataclasses import dataclass

from pydantic import ValidationError
from starlette.types import Receive, Scope, Send

from authsvc.clients.service import Client, Clients
from authsvc.crypto.keyring import Keyring
from authsvc.kernel.caller import Caller
from authsvc.kernel.errors import Code, Refusal
from authsvc.platform.http.cookies import Cookies
from authsvc.sessions.facts import Live
from authsvc.signin import hint
from authsvc.signin.attempts import known_asker
from authsvc.signin.schemas import ResumeRequest
from authsvc.signin.session import Boot, Resumed, SessionDoor

_NOTHING_ASKED = ResumeRequest()


def cookie_age(live: Live) -> int | None:
    """Max-Age of the session cookie in seconds; None = gone with the browser."""
    if not live.stay:
        return None
    return max(0, int((live.idle_expires_at - live.rotated_at).total_seconds()))


@dataclass(frozen=True, slots=True)
class ResumeEndpoint:
    """Boot, refresh and lost races all come here. Always 200 for a well-formed question."""

    door: SessionDoor
    clients: Clients
    cookies: Cookies
    ring: Keyring

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request whose body the edge has read and checked."""
        message = await receive()
        resumed = await self._resumed(scope, message.get("body", b""))
        body = resumed.body.model_dump_json(exclude_none=True).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        if resumed.refreshed is not None:
            value, age = resumed.refreshed.credential, cookie_age(resumed.refreshed.live)
            headers.append(self.cookies.session_header(value, max_age=age))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _resumed(self, scope: Scope, body: bytes) -> Resumed:
        """The envelope, and the current credential as a cookie."""
        who: Caller = scope["state"]["caller"]
        asked = _asked(body)
        client = self._client(who.origin)
        jar = self.cookies.read(scope["headers"])
        boot = Boot(
            client=client,
            credential=jar.session,
            asker=known_asker(jar.flow, native=False),
            hint=hint.read(self.ring, jar.hint),
            audience=asked.audience,
            profile=asked.profile,
        )
        return await self.door.resume(boot, caller=who)

    def _client(self, origin: str | None) -> Client:
        client = self.clients.by_origin(origin) if origin else None
        if client is None:
            raise Refusal(Code.CSRF_REJECTED, log="no client has this origin")
        return client


def _asked(body: bytes) -> ResumeRequest:
    if not body or body == b"{}":
        return _NOTHING_ASKED
    try:
        return ResumeRequest.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]["loc"]
        pointer = "#/" + "/".join(str(part) for part in first)
        raise Refusal(Code.VALIDATION_FAILED, pointer=pointer, log="resume body") from error
