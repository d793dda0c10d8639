"""Secrets kept in files of their own, as containers mount them."""

from collections.abc import Callable
from pathlib import Path as FilePath

ReadFile = Callable[[FilePath], str]
MAX_BYTES = 64 * 1024


class Unreadable(ValueError):
    """The file cannot be read; the message says why and shows none of its content."""


def read_text(path: FilePath) -> str:
    """The file's text; raises Unreadable when it is absent, too large or not UTF-8."""
    try:
        with path.open("rb") as opened:
            raw = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise Unreadable(f"cannot be read ({(error.strerror or 'error').lower()})") from error
    if len(raw) > MAX_BYTES:
        raise Unreadable(f"is larger than {MAX_BYTES} bytes")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise Unreadable("is not text; `openssl rand -base64 48` makes a good secret") from error
