"""Bodies: read with a cap, checked once by the strict JSON reader, handed on as they came."""

import re

from starlette.types import Message, Receive

from authsvc.kernel.errors import Code, Refusal
from authsvc.platform.http.csrf import SAFE_METHODS
from authsvc.platform.http.jsonbody import parse

_JSON = re.compile(r"application/json[ \t]*(?:;[ \t]*charset=\"?utf-8\"?[ \t]*)?", re.IGNORECASE)
_MAX_DIGITS = 18


class Disconnected(Exception):
    """The client went away before its body was complete."""


def expects_json(method: str, path: str) -> bool:
    """Whether a body of this request must be JSON."""
    return method not in SAFE_METHODS and path.startswith(("/v1/", "/dev/"))


async def read(receive: Receive, *, declared: str | None, cap: int) -> bytes:
    """The whole body of at most ``cap`` bytes.

    Raises bad_request for a length that is no number, payload_too_large as soon as the cap is
    passed (whatever was declared), Disconnected.
    """
    if declared is not None:
        if not (declared.isascii() and declared.isdigit() and len(declared) <= _MAX_DIGITS):
            raise Refusal(Code.BAD_REQUEST, log="Content-Length is no number")
        if int(declared) > cap:
            raise Refusal(Code.PAYLOAD_TOO_LARGE, log="declared size")
    message = await _more(receive, left=cap)
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        return body
    chunks = [body]
    left = cap - len(body)
    while message.get("more_body", False):
        message = await _more(receive, left=left)
        chunks.append(message.get("body", b""))
        left -= len(chunks[-1])
    return b"".join(chunks)


async def _more(receive: Receive, *, left: int) -> Message:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Disconnected
    if len(message.get("body", b"")) > left:
        raise Refusal(Code.PAYLOAD_TOO_LARGE, log="streamed size")
    return message


def check(body: bytes, *, content_type: str | None, required: bool, depth: int) -> None:
    """Raise unsupported_media_type, or what the JSON reader says of the body.

    ``required``: the type must be named even without a body, because a page that can name it
    has passed a preflight.
    """
    if content_type is None:
        if body or required:
            raise Refusal(Code.UNSUPPORTED_MEDIA_TYPE, log="no Content-Type")
    elif content_type != "application/json" and not _JSON.fullmatch(content_type):
        raise Refusal(Code.UNSUPPORTED_MEDIA_TYPE, log="not application/json")
    if body and body != b"{}":
        parse(body, depth=depth)


def again(body: bytes, receive: Receive) -> Receive:
    """A receive channel that hands the body on once, then the client's own messages."""
    pending = True

    async def replay() -> Message:
        nonlocal pending
        if pending:
            pending = False
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return replay
