"""Who is calling, as far as the request tells: values only, made once at the door."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Device:
    """What the User-Agent claims: words for people and a coarse family for comparisons."""

    browser: str  # "Firefox", "" when unknown
    os: str  # "Linux", "" when unknown
    kind: str  # "computer" | "phone" | "tablet" | "other"

    @property
    def family(self) -> str:
        """The browser family, compared when a credential is shown late."""
        return self.browser


@dataclass(frozen=True, slots=True)
class Caller:
    """The request's circumstances that rooms may use; no header decides who the user is."""

    request_id: str
    address: str  # canonical client IP, "" when unknown
    network: str  # coarse range: IPv4 /16, IPv6 /32, e.g. "203.0.0.0/16"
    masked_address: str  # for people and logs: IPv4 /24 "203.0.113.x", IPv6 /48
    device: Device
    origin: str | None  # the Origin header, exactly as sent; None = native call
    locale: str  # negotiated language, e.g. "en"
