"""Logs: JSON lines on standard output, coloured text in dev mode; only listed fields leave.

A line costs a few microseconds: one processor, one write, nothing of the ``logging`` module.
"""

import json
import logging
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from pydantic_core import PydanticSerializationError, to_json
from structlog.typing import EventDict, WrappedLogger

from authsvc.kernel.clock import SystemClock

# Whatever has another name is dropped, so that no secret leaves by a careless keyword.
FIELDS = frozenset(
    {
        "event", "level", "ts", "request_id", "method", "route", "status", "ms", "ip", "ua",
        "code", "reason", "user", "session", "client", "kid", "action", "job", "template",
        "attempts", "attempts_left", "error", "fix", "count", "exception", "check", "origin",
        "version", "name", "port", "url", "database", "store", "seconds", "message", "workers",
    }
)  # fmt: skip
MAX_TEXT = 500
MAX_FRAMES = 30
_QUIET = ("authlib", "httpx2", "httpcore2", "aiosqlite", "asyncpg", "uvicorn.access")


class StandardOutput:
    """A logger that writes finished lines to whatever standard output is now."""

    def msg(self, line: str) -> None:
        """Write one line."""
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    debug = info = warning = error = critical = exception = fatal = log = msg


class _ToStructlog(logging.Handler):
    """Sends the records of libraries the same way."""

    def emit(self, record: logging.LogRecord) -> None:
        words: dict[str, Any] = {"name": record.name, "message": _first_line(record.getMessage())}
        if record.exc_info and record.exc_info[1] is not None:
            words["exc_info"] = record.exc_info[1]
        structlog.get_logger().log(record.levelno, "library", **words)


def _first_line(text: str) -> str:
    # Later lines of asyncio's records hold the repr of whatever failed.
    return text.partition("\n")[0]


def trace(error: BaseException) -> list[str]:
    """The chain of errors as types and places, without messages, which may quote the input."""
    lines: list[str] = []
    link: BaseException | None = error
    while link is not None and len(lines) < MAX_FRAMES:
        lines.append(f"{type(link).__module__}.{type(link).__qualname__}")
        frames = traceback.extract_tb(link.__traceback__)
        lines += [f"  {frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-12:]]
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return lines[:MAX_FRAMES]


def _raised(given: Any) -> BaseException | None:
    if isinstance(given, BaseException):
        return given
    if isinstance(given, tuple):  # as sys.exc_info() gives it
        return _raised(given[1])  # pyright: ignore[reportUnknownArgumentType]
    return sys.exc_info()[1] if given else None


def _safe(value: object) -> str:
    return type(value).__name__ if isinstance(value, BaseException) else str(value)


_ENCODE = json.JSONEncoder(default=_safe, separators=(", ", ": ")).encode


def _quickly(line: Mapping[str, str | int | float]) -> str:
    """Plain values only; what the quick encoder would spell otherwise goes the usual way."""
    try:
        text = to_json(line).decode()
    except PydanticSerializationError:
        return _ENCODE(line)
    return text if text.isascii() else _ENCODE(line)


def _allowed(event: EventDict) -> dict[str, Any]:
    return {
        name: value[:MAX_TEXT] if isinstance(value, str) else value
        for name, value in event.items()
        if name in FIELDS
    }


def as_json(_: WrappedLogger, method: str, event: EventDict) -> str:
    """The finished line; structlog's one processor in production."""
    line: dict[str, Any] = {"ts": _stamp(), "level": "error" if method == "exception" else method}
    error = _raised(event.pop("exc_info", None))
    line |= _allowed(event)
    if error is not None:
        line["exception"] = trace(error)
    return _ENCODE(line)


def tell(level: str, event: str, words: Mapping[str, str | int | float]) -> None:
    """Write a line whose fields are all allowed ones, past structlog where lines are JSON.

    Every request writes one. What a level leaves out, it leaves out here too.
    """
    if _plain.json is None:
        structlog.get_logger("authsvc.http").log(_LEVELS[level], event, **words)
    elif _LEVELS[level] >= _plain.json:
        line = {"ts": _stamp(), "level": level, **words, "event": event}
        _standard_output().msg(_quickly(line))


def _stamp() -> str:
    return SystemClock().now().isoformat(timespec="milliseconds")[:23] + "Z"


def _for_people(_: WrappedLogger, method: str, event: EventDict) -> EventDict:
    kept = _allowed(event)
    if "exc_info" in event:
        kept["exc_info"] = event["exc_info"]
    return {"timestamp": _stamp()[11:23], "level": method} | kept


def _as_text() -> Any:
    # Plain tracebacks: the pretty ones print local variables, secrets among them.
    return structlog.dev.ConsoleRenderer(
        colors=sys.stdout.isatty(), exception_formatter=structlog.dev.plain_traceback
    )


@dataclass(slots=True)
class _Plain:
    """The lowest level that is written as JSON; None while structlog decides."""

    json: int | None = None


_plain = _Plain()
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def set_up(*, dev: bool, level: str = "info") -> None:
    """Configure the logs of this process. ``level``: debug, info, warning or error."""
    _plain.json = None if dev else _LEVELS[level]
    structlog.configure(
        processors=[_for_people, _as_text()] if dev else [as_json],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_standard_output,
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [_ToStructlog()]
    root.setLevel(logging.WARNING)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _standard_output(*_: Any) -> StandardOutput:
    return StandardOutput()
