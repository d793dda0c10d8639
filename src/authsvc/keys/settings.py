"""How signing keys come and go."""

from pydantic import BaseModel, ConfigDict, Field

from authsvc.crypto.jose import Algorithm

HOUR = 3600
DAY = 24 * HOUR


class SigningSettings(BaseModel):
    """The ``signing`` branch."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    alg: Algorithm = Field(
        default=Algorithm.ES256, description="ES256, EdDSA or RS256; a change rotates in a day"
    )


class KeySettings(BaseModel):
    """The ``keys`` branch; seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rotate_every: int = Field(
        default=90 * DAY, ge=DAY, description="seconds for which a key signs before the next one"
    )
    publish_before: int = Field(
        default=DAY, ge=2 * HOUR, description="seconds a key is published before it signs"
    )
    keep_after: int = Field(
        default=DAY, ge=HOUR, description="seconds a key is published after its last token's end"
    )
    job_alarm: int = Field(
        default=36 * HOUR, ge=HOUR, description="seconds a rotation may be late before the alarm"
    )
