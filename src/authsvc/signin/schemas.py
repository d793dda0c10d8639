"""The wire of sign-in: requests are strict, answers are allow-lists. Shapes: api.md §5, §10."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

MAX_ADDRESS = 254
MAX_RETURN_TO = 2048


class Request(BaseModel):
    """A request body: unknown members and other types are refused."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class ResumeRequest(Request):
    """``audience`` picks the API the token is for; ``profile`` adds the user."""

    audience: Annotated[str | None, Field(max_length=128)] = None
    profile: bool = False


FlowName = Annotated[str | None, Field(max_length=30)]
FlowToken = Annotated[str | None, Field(max_length=64, description="native apps only")]


class EmailRequest(Request):
    """Ask for a message with a link and a code."""

    email: Annotated[str, Field(min_length=1, max_length=320)]
    return_to: Annotated[str | None, Field(max_length=MAX_RETURN_TO)] = None
    stay_signed_in: bool = False
    ui_locales: Annotated[str | None, Field(max_length=128)] = None
    client_id: Annotated[str | None, Field(max_length=64)] = None


class FlowRequest(Request):
    """Names an attempt; without it the newest of this browser is meant."""

    flow: FlowName = None
    flow_token: FlowToken = None


class CodeRequest(FlowRequest):
    """The mailed code, blanks and dashes allowed."""

    code: Annotated[str, Field(min_length=1, max_length=32)]


class LinkRequest(Request):
    """A link's token."""

    token: Annotated[str, Field(min_length=1, max_length=128)]


class ConfirmRequest(LinkRequest):
    """The pressed button; ``here`` with the mail's code signs in another browser."""

    here: bool = False
    code: Annotated[str | None, Field(max_length=32)] = None


class LogoutRequest(Request):
    """``this`` session, the ``others``, or ``all`` of the person."""

    scope: Literal["this", "others", "all"] = "this"
    forget_device: bool = False


class TokenRequest(Request):
    """A native app's exchange or refresh."""

    grant: Literal["flow", "refresh_token"]
    client_id: Annotated[str, Field(max_length=64)]
    flow_token: FlowToken = None
    refresh_token: Annotated[str | None, Field(max_length=256)] = None
    audience: Annotated[str | None, Field(max_length=128)] = None


class FlowInfo(BaseModel):
    """The attempt an envelope speaks of; ``token`` for native apps only."""

    id: str
    expires_at: str
    token: str | None = None


class CodeInfo(BaseModel):
    digits: int
    attempts_left: int


class Delivery(BaseModel):
    channel: Literal["email"]
    to: str
    expires_at: str


class CheckEmail(BaseModel):
    """A message is on its way, if the address can sign in here."""

    next: Literal["check_email"]
    flow: FlowInfo
    resend_after: int
    code: CodeInfo
    delivery: Delivery
    continue_url: str


class SessionInfo(BaseModel):
    id: str
    acr: str
    amr: list[str]
    auth_time: str
    mfa: bool
    mfa_time: str | None
    profile: str
    idle_expires_at: str
    expires_at: str


class UserInfo(BaseModel):
    id: str
    email: str
    email_verified: bool
    name: str | None
    locale: str | None
    roles: list[str]


class Nudge(BaseModel):
    id: str
    reason: str
    dismissible: bool


class Done(BaseModel):
    """Signed in. ``user`` and ``nudges`` only when the profile was asked for."""

    next: Literal["done"]
    access_token: str | None = None
    token_type: Literal["Bearer"] | None = None
    expires_in: int | None = None
    session: SessionInfo | None = None
    user: UserInfo | None = None
    nudges: list[Nudge] | None = None
    return_to: str | None = None
    flow: FlowInfo | None = None


class Method(BaseModel):
    type: Literal["email"]


class LastUsed(BaseModel):
    type: Literal["email"]
    account_hint: str


class SignIn(BaseModel):
    """Nobody is signed in: why, and the ways to sign in."""

    next: Literal["sign_in"]
    reason: Literal[
        "none",
        "session_expired",
        "session_idle",
        "signed_out",
        "signed_out_elsewhere",
        "session_revoked",
        "security_event",
    ]
    sign_up: Literal["open", "invite", "closed"]
    continue_url: str
    methods: list[Method]
    last_used: LastUsed | None = None


Envelope = Annotated[CheckEmail | Done | SignIn, Field(discriminator="next")]


class Requested(BaseModel):
    at: str
    browser: str
    place: str | None


class LinkInfo(BaseModel):
    """What the link page shows; nothing was changed."""

    valid: Literal[True]
    purpose: Literal["sign_in", "invite"]
    same_browser: bool
    account_hint: str
    requested: Requested | None


class TokenAnswer(BaseModel):
    """A native app's tokens. Spec: RFC 6749 §5.1."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    refresh_token: str


class Links(BaseModel):
    help: str | None
    privacy: str | None
    terms: str | None


class Config(BaseModel):
    """What a sign-in screen needs to know before anything else."""

    app: str
    methods: list[Method]
    sign_up: Literal["open", "invite", "closed"]
    locales: list[str]
    challenge_provider: str | None
    links: Links
    dev: bool


class Messages(BaseModel):
    """One language of the catalogue: ICU texts by name."""

    locale: str
    messages: dict[str, str]
