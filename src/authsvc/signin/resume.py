"""``POST /v1/session/resume`` as a thin ASGI endpoint: the hottest route of the service.

It shares the middleware with every other route and is described in OpenAPI beside them.
"""

from dataclasses import dataclass

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from authsvc.clients.service import Client, Clients
from authsvc.crypto.keyring import Keyring
from authsvc.kernel.errors import Code, Refusal
from authsvc.platform.http.cookies import Cookies
from authsvc.platform.http.provide import caller
from authsvc.sessions.facts import Live
from authsvc.signin import hint
from authsvc.signin.attempts import known_asker
from authsvc.signin.schemas import ResumeRequest
from authsvc.signin.session import Boot, SessionDoor

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

    async def answer(self, request: Request) -> Response:
        """The envelope, and the current credential as a cookie."""
        who = caller(request)
        asked = _asked(await request.body())
        client = self._client(who.origin)
        jar = self.cookies.read(request.scope["headers"])
        boot = Boot(
            client=client,
            credential=jar.session,
            asker=known_asker(jar.flow, native=False),
            hint=hint.read(self.ring, jar.hint),
            audience=asked.audience,
            profile=asked.profile,
        )
        resumed = await self.door.resume(boot, caller=who)
        body = resumed.body.model_dump_json(exclude_none=True).encode()
        response = Response(body, media_type="application/json")
        if resumed.refreshed is not None:
            live = resumed.refreshed.live
            self.cookies.set_session(
                response, resumed.refreshed.credential, max_age=cookie_age(live)
            )
        return response

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
