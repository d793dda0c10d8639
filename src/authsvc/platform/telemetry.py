"""Logs: JSON lines on standard output, text in dev mode; only listed fields leave."""

import json
import logging
import sys
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

FIELDS = frozenset(
    {
        "event", "level", "ts", "request_id", "method", "route", "status", "ms", "ip", "ua",
        "code", "reason", "user", "session", "client", "kid", "action", "job", "template",
        "attempts", "error", "fix", "count", "exception", "check", "version", "name", "port",
        "url", "database", "store", "seconds", "message",
    }
)  # fmt: skip
_QUIET = ("authlib", "httpx2", "httpcore2", "aiosqlite", "asyncpg", "uvicorn.access")


def _only_listed(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return {name: value for name, value in event.items() if name in FIELDS}


def _as_json(_: WrappedLogger, __: str, event: EventDict) -> str:
    return json.dumps(event, default=str, ensure_ascii=False)


def set_up(*, dev: bool, level: str = "info") -> None:
    """Configure logging for this process."""
    number = getattr(logging, level.upper())
    processors: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", key="ts"),
        structlog.processors.format_exc_info,
        _only_listed,
        structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty()) if dev else _as_json,
    ]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stdout)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
