"""Sign-in attempts and verification."""

from pydantic import BaseModel, ConfigDict, Field


class FlowSettings(BaseModel):
    """The ``flow`` branch."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ttl: int = Field(default=900, ge=60, le=3600, description="life of a sign-in attempt, seconds")


class VerifySettings(BaseModel):
    """The ``verify`` branch."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    floor: float = Field(
        default=0.2,
        ge=0,
        le=2,
        description="seconds every verification takes at least, right or wrong",
    )
