"""How long access tokens live."""

from pydantic import BaseModel, ConfigDict, Field


class TokenSettings(BaseModel):
    """The ``tokens`` branch; seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    access_ttl: int = Field(
        default=300, ge=30, le=3600, description="life of an access token, seconds"
    )
    leeway: int = Field(
        default=30, ge=0, le=60, description="clock leeway of every JWT check, seconds"
    )
