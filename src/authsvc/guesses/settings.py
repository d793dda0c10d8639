"""How often a secret may be tried and an address be written to."""

from pydantic import BaseModel, ConfigDict, Field

DAY = 86400  # the longest window: older counters are swept


class GuessSettings(BaseModel):
    """The ``guesses`` branch: attempt budgets of an account."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    flow: int = Field(default=5, ge=1, le=10, description="wrong codes one message allows")
    first: int = Field(
        default=10, ge=1, le=100, description="wrong first-step proofs of an account"
    )
    window: int = Field(
        default=900, ge=60, le=DAY, description="seconds after which a budget is whole again"
    )


class MailCapSettings(BaseModel):
    """The ``mail_caps`` branch: messages a recipient gets, whoever asks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pause: int = Field(default=30, ge=1, le=DAY, description="seconds between two messages")
    hour: int = Field(default=5, ge=1, description="messages an hour")
    day: int = Field(default=10, ge=1, description="messages a day")
    own_hour: int = Field(
        default=3, ge=1, description="more an hour for a browser known to the account"
    )
    own_day: int = Field(
        default=6, ge=1, description="more a day for a browser known to the account"
    )
