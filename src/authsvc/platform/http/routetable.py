"""All routes of an application flat: templates for the log, methods for ``Allow``."""

import re
from dataclasses import dataclass
from typing import Any, Self

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import Mount

UNKNOWN = "-"


@dataclass(frozen=True, slots=True)
class _Pattern:
    template: str
    regex: re.Pattern[str]
    methods: frozenset[str]


@dataclass(frozen=True, slots=True)
class RouteTable:
    """What a decoded path leads to. Made after the last route was added."""

    literal: dict[str, frozenset[str]]
    patterns: tuple[_Pattern, ...]

    @classmethod
    def of(cls, app: FastAPI) -> Self:
        """The routes of the application, those of included routers too."""
        literal: dict[str, frozenset[str]] = {}
        patterns: list[_Pattern] = []
        for route in iter_route_contexts(app.router.routes):
            path: str | None = route.path
            if path is None:
                continue
            methods = frozenset(route.methods or ())
            original: Any = route.original_route
            if isinstance(original, Mount):
                patterns.append(_Pattern(f"{path}/*", original.path_regex, methods))
            elif "{" in path:
                patterns.append(_Pattern(path, route.path_regex, methods))
            else:
                literal[path] = literal.get(path, frozenset()) | methods
        return cls(literal, tuple(patterns))

    def template(self, path: str) -> str:
        """The template behind the path: ``/v1/account/sessions/{session_id}``; never ids."""
        if path in self.literal:
            return path
        return next((p.template for p in self.patterns if p.regex.match(path)), UNKNOWN)

    def allowed(self, path: str) -> list[str]:
        """The methods that work on the path, HEAD wherever GET does."""
        found = set(self.literal.get(path, ()))
        for pattern in self.patterns:
            if pattern.regex.match(path):
                found |= pattern.methods
        return sorted(found | {"HEAD"} if "GET" in found else found)
