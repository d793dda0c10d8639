"""The settings of the platform: ports, request sizes, proxies, store and logs."""

from ipaddress import IPv4Network, IPv6Network
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Network = IPv4Network | IPv6Network


class Branch(BaseModel):
    """A part of the settings tree: frozen, unknown names refused, no value in an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class ListenSettings(Branch):
    """The ``listen`` branch: the public port."""

    host: str = Field(
        default="127.0.0.1", description="address to listen on; 0.0.0.0 in a container"
    )
    port: int = Field(default=8000, ge=0, le=65535, description="public port; 0 takes a free one")


class ManagementSettings(Branch):
    """The ``management`` branch: the private port with the health checks."""

    host: str = Field(default="127.0.0.1", description="address of the private port")
    port: int = Field(default=9090, ge=0, le=65535, description="private port of the health checks")


class HttpSettings(Branch):
    """The ``http`` branch: what a request may weigh and last."""

    max_body: int = Field(default=16 * 1024, ge=1024, description="bytes of a request body at most")
    max_headers: int = Field(default=16 * 1024, ge=1024, description="bytes of all headers at most")
    json_depth: int = Field(default=16, ge=4, le=64, description="nesting of a JSON body at most")
    deadline: float = Field(default=5.0, gt=0, le=60, description="seconds a request may take")


class ProxySettings(Branch):
    """The ``proxy`` branch."""

    trusted: tuple[Network, ...] = Field(
        default=(), description="networks of proxies whose X-Forwarded-For is believed"
    )


class LocaleSettings(Branch):
    """The ``locales`` branch."""

    default: str = Field(default="en", description="language when a person asked for none")


class StoreSettings(Branch):
    """The ``store`` branch: patience with Redis."""

    timeout: float = Field(default=0.25, gt=0, le=5, description="seconds a store call may take")
    breaker: float = Field(
        default=1.0, ge=0, le=60, description="seconds without calls after a failure"
    )
    prefix: str = Field(
        default="authsvc:", max_length=128, description="beginning of every key, if Redis is shared"
    )


class LinkSettings(Branch):
    """The ``links`` branch: pages of yours that the screens point to."""

    help: str | None = Field(default=None, description="https address of your help page")
    privacy: str | None = Field(default=None, description="https address of your privacy notice")
    terms: str | None = Field(default=None, description="https address of your terms")


class LogSettings(Branch):
    """The ``log`` branch."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="debug, info, warning or error"
    )
    pii: bool = Field(
        default=False, description="whether logs may name mail addresses and full IPs"
    )
