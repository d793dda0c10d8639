"""Answers that caches may keep: bytes with an ETag, plain and compressed.

Spec: RFC 9110 §8.8.3 (ETag), §12.5.3 (Accept-Encoding), §13.1.2 (If-None-Match), §15.4.5 (304).
"""

import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from starlette.requests import Request
from starlette.responses import Response

_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_GZIP = re.compile(r"(?:x-)?gzip|\*", re.IGNORECASE)
_WORTH_IT = 512  # bytes below which compressing gains nothing


@dataclass(frozen=True, slots=True)
class Representation:
    """Bytes to serve as they are. ``compressed`` has an ETag of its own: other bytes."""

    body: bytes
    media_type: str
    etag: str
    compressed: bytes | None = None
    compressed_etag: str = ""

    @classmethod
    def of(cls, body: bytes, media_type: str) -> Self:
        """The representation of these bytes, compressed too where that is worth it."""
        etag = etag_of(body)
        if len(body) < _WORTH_IT:
            return cls(body, media_type, etag)
        compressed = gzip.compress(body, mtime=0)
        return cls(body, media_type, etag, compressed, etag_of(compressed))


def etag_of(body: bytes) -> str:
    """A strong ETag of just these bytes."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def answer(
    request: Request,
    found: Representation,
    *,
    headers: Mapping[str, str],
    status: int = 200,
    revalidates: bool = True,
) -> Response:
    """The bytes, or 304 when the client has them.

    ``revalidates=False`` is for answers that nobody may keep: no ETag, never 304.
    """
    body, etag, extra = found.body, found.etag, dict(headers)
    if found.compressed is not None:
        extra["Vary"] = "Accept-Encoding"
        if accepts_gzip(request.headers.get("accept-encoding", "")):
            body, etag = found.compressed, found.compressed_etag
            extra["Content-Encoding"] = "gzip"
    if revalidates:
        extra["ETag"] = etag
        if matches(request.headers.get("if-none-match"), etag):
            extra.pop("Content-Encoding", None)
            return Response(status_code=304, headers=extra)
    return Response(body, status_code=status, media_type=found.media_type, headers=extra)


def matches(if_none_match: str | None, etag: str) -> bool:
    """Whether the client's list of ETags has this one, compared weakly."""
    if if_none_match is None:
        return False
    if if_none_match.strip() == "*":
        return True
    return etag in _TAG.findall(if_none_match)


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether the client takes gzip; an explicit word beats ``*``, and q=0 is a no."""
    wanted: bool | None = None
    for part in accept_encoding.split(","):
        coding, _, parameters = part.partition(";")
        name = coding.strip()
        if _GZIP.fullmatch(name) is None or (name == "*" and wanted is not None):
            continue
        wanted = not _is_zero(parameters)
        if name != "*":
            return wanted
    return bool(wanted)


def _is_zero(parameters: str) -> bool:
    name, _, value = parameters.partition("=")
    return name.strip().lower() == "q" and re.fullmatch(r"0(\.0{0,3})?", value.strip()) is not None
