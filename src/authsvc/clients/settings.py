"""Who may call, as the operator writes it down: the ``clients`` table."""

import re
from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from authsvc.clients.origins import is_localhost, origin_of, origin_problem
from authsvc.clients.rules import Fault, parse
from authsvc.clients.same_site import same_site_problem

ACCOUNT_AUDIENCE = "authsvc"  # what /v1/account and /v1/admin want
HOSTED = "ui"  # the client of our own screens

_CLIENT_ID = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?", re.ASCII)
_AUDIENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}", re.ASCII)


class ClientSettings(BaseModel):
    """One entry of the ``clients`` table: a web app, or a native one without origins."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    label: str = Field(default="", max_length=64, description="the app's name on screens")
    origins: tuple[str, ...] = Field(
        default=(), description="exact origins of its pages, such as https://app.example.com"
    )
    return_to: tuple[str, ...] = Field(
        default=(), description="URL prefixes to which people may return; end at a path border"
    )
    audiences: tuple[str, ...] = Field(default=(), description="names of the APIs it calls")
    account_api: bool = Field(default=False, description="whether it may use /v1/account")
    native: bool = Field(default=False, description="whether it is an app, command line or server")

    @field_validator("origins")
    @classmethod
    def _exact(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            problem = origin_problem(origin)
            if problem is not None:
                raise ValueError(problem)
        return _once(origins)

    @field_validator("return_to")
    @classmethod
    def _prefixes(cls, prefixes: tuple[str, ...]) -> tuple[str, ...]:
        for prefix in prefixes:
            problem = _prefix_problem(prefix)
            if problem is not None:
                raise ValueError(problem)
        return _once(prefixes)

    @field_validator("audiences")
    @classmethod
    def _names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if ACCOUNT_AUDIENCE in names:
            raise ValueError(f"{ACCOUNT_AUDIENCE} is reserved; set account_api = true instead")
        if any(_AUDIENCE.fullmatch(name) is None for name in names):
            raise ValueError("must be API names of letters, digits and . _ : / -")
        return _once(names)

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if self.native and self.origins:
            raise ValueError("a native client has no origins")
        if not self.native and not self.origins:
            raise ValueError("needs origins, or native = true")
        if not self.audiences and not self.account_api:
            raise ValueError("needs audiences or account_api = true, else its tokens open nothing")
        return self


def client_problems(
    clients: Mapping[str, ClientSettings], *, public_url: str, dev: bool
) -> list[str]:
    """Why the table as a whole cannot be used: sentences that name the settings."""
    found: list[str] = []
    owners: dict[str, str] = {}
    for name, client in clients.items():
        if name == HOSTED or _CLIENT_ID.fullmatch(name) is None:
            found.append(
                f"clients.{name}: the name must be up to 64 of a-z, 0-9, _ and -, and not {HOSTED}"
            )
        for origin in client.origins:
            other = owners.setdefault(origin, name)
            if other != name:
                found.append(
                    f"clients.{other}.origins and clients.{name}.origins both have {origin};"
                    " an origin belongs to one client"
                )
            problem = _site_problem(origin, public_url=public_url, dev=dev)
            if problem is not None:
                found.append(f"clients.{name}.origins: {problem}")
    return found


def _prefix_problem(prefix: str) -> str | None:
    target = parse(prefix)
    if isinstance(target, Fault):
        return f"must be plain URL prefixes; one has {target}"
    if target.query or origin_problem(target.origin) is not None:
        return "must be URL prefixes such as https://app.example.com/"
    return None


def _site_problem(origin: str, *, public_url: str, dev: bool) -> str | None:
    if dev and is_localhost(origin) and is_localhost(origin_of(public_url)):
        return None
    return same_site_problem(public_url, origin)


def _once(values: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(values)) != len(values):
        raise ValueError("names one of them twice")
    return values
