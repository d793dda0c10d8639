"""The wire of one's own account. Shapes: api.md §12 j, §13."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

_UNWANTED = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]|://|www\.")


def _plain_name(text: str) -> str:
    if _UNWANTED.search(text):
        raise ValueError("no line breaks, control characters or web addresses")
    return " ".join(text.split())


class ProfileChange(BaseModel):
    """What a person may change of their profile; null clears a member."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    name: Annotated[str, Field(max_length=64), AfterValidator(_plain_name)] | None = None
    locale: Annotated[str, Field(max_length=16)] | None = None


class RevokeRequest(BaseModel):
    """Which sessions to end."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    scope: Literal["others", "all"] = "others"


class Profile(BaseModel):
    """One's own account."""

    id: str
    email: str
    email_verified: bool
    name: str | None
    locale: str | None
    roles: list[str]


class SessionItem(BaseModel):
    """A signed-in browser or app. ``ip`` is shortened; ``place`` may be unknown."""

    id: str
    current: bool
    browser: str
    os: str
    kind: str
    place: str | None
    ip: str
    method: str
    created_at: str
    last_seen_at: str


class SessionList(BaseModel):
    """Newest first."""

    items: list[SessionItem]
    next_cursor: str | None


class Revoked(BaseModel):
    """How many sessions were ended."""

    revoked: int
