"""Who may sign up."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class SignUpMode(StrEnum):
    """open: anybody; invite: people with an invitation; closed: nobody new."""

    OPEN = "open"
    INVITE = "invite"
    CLOSED = "closed"


class SignUpSettings(BaseModel):
    """The ``sign_up`` branch."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: SignUpMode = Field(default=SignUpMode.OPEN, description="open, invite or closed")
