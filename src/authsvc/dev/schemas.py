"""The wire of dev mode. Shapes: api.md §13."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[
    str,
    Field(min_length=1, max_length=254, description="address, local name such as ann, or user id"),
]
Word = Annotated[str, Field(min_length=1, max_length=128)]
YEAR = 366 * 86400


class _Request(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, populate_by_name=True)


class TokenRequest(_Request):
    """The token that is wanted; a negative ``expires_in`` gives an expired one."""

    who: Annotated[Name, Field(alias="as")]
    audience: Annotated[list[Word] | None, Field(max_length=16)] = None
    acr: Literal["aal1", "aal2", "phr"] = "aal1"
    roles: Annotated[list[Word] | None, Field(max_length=16)] = None
    auth_age: Annotated[int, Field(ge=0, le=YEAR)] = 0
    expires_in: Annotated[int | None, Field(ge=-YEAR, le=YEAR)] = None


class Token(BaseModel):
    """An access token, shaped as RFC 6750 §4."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"
    expires_in: int


class AgeRequest(_Request):
    """How far the proofs move back; ``as`` unless a bearer token says who."""

    seconds: Annotated[int, Field(ge=0, le=YEAR)]
    who: Annotated[Name | None, Field(alias="as")] = None


class Aged(BaseModel):
    """How many sessions were made older."""

    aged: int


class ClockRequest(_Request):
    """Move the clock, or put it back to the machine's time."""

    advance: Annotated[int | None, Field(ge=-YEAR, le=YEAR)] = None
    reset: bool = False


class Now(BaseModel):
    """The service's time."""

    now: str


class PersonRequest(_Request):
    """Names a person."""

    who: Annotated[Name, Field(alias="as")]


class Revoked(BaseModel):
    """How many sessions were ended."""

    revoked: int


class PersonItem(BaseModel):
    """Somebody to sign in as."""

    email: str
    name: str | None
    roles: list[str]
    note: str


class People(BaseModel):
    """The demo people."""

    items: list[PersonItem]


class MessageLink(BaseModel):
    """A link in a message."""

    url: str


class MessageItem(BaseModel):
    """A message in the mailbox."""

    id: str
    channel: str
    to: str
    subject: str | None
    text: str
    links: list[MessageLink]
    code: str | None
    at: str


class Messages(BaseModel):
    """The mailbox, newest first."""

    items: list[MessageItem]
