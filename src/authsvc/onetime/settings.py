"""How long mailed links live."""

from pydantic import BaseModel, ConfigDict, Field


class OneTimeSettings(BaseModel):
    """The ``onetime`` branch; seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sign_in: int = Field(default=600, ge=60, le=600, description="life of a sign-in link and code")
    invite: int = Field(default=7 * 86400, ge=3600, description="life of an invitation")
