"""Bodies: read with a cap, checked once by the strict JSON reader, handed on as they came."""

from starlette.types import Message, Receive

from authsvc.kernel.errors import Code, Refusal
from authsvc.platform.http.jsonbody import parse


class Disconnected(Exception):
    """The client went away before its body was complete."""


def expects_json(method: str, path: str) -> bool:
    """Whether a body of this request must be JSON."""
    return method not in ("GET", "HEAD", "OPTIONS") and path.startswith(("/v1/", "/dev/"))


async def read(receive: Receive, *, declared: str | None, cap: int) -> bytes:
    """The whole body; raises payload_too_large as soon as the cap is passed."""
    if declared is not None and (not declared.isascii() or not declared.isdigit()):
        raise Refusal(Code.BAD_REQUEST, log="Content-Length")
    if declared is not None and int(declared[:12]) > cap:
        raise Refusal(Code.PAYLOAD_TOO_LARGE, log="declared size")
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > cap:
            raise Refusal(Code.PAYLOAD_TOO_LARGE, log="streamed size")
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def check(body: bytes, *, content_type: str | None, depth: int) -> None:
    """Raise unsupported_media_type or what the JSON reader says; an empty body is none."""
    media = (content_type or "").partition(";")[0].strip().lower()
    if media != "application/json" and (body or content_type is not None):
        raise Refusal(Code.UNSUPPORTED_MEDIA_TYPE, log="not application/json")
    if body:
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
