"""How long sessions live."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

HOUR = 3600
DAY = 24 * HOUR


class Profile(StrEnum):
    """standard for most people; strict (one hour idle, a day at most) for administrators."""

    STANDARD = "standard"
    STRICT = "strict"


class SessionSettings(BaseModel):
    """The ``sessions`` branch; all durations in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: Profile = Field(
        default=Profile.STANDARD, description="standard or strict, for everybody"
    )
    idle: int = Field(
        default=14 * DAY, ge=60, description="seconds without a visit, standard profile"
    )
    absolute: int = Field(default=30 * DAY, ge=60, description="seconds at most, standard profile")
    strict_idle: int = Field(
        default=HOUR, ge=60, description="seconds without a visit, strict profile"
    )
    strict_absolute: int = Field(default=DAY, ge=60, description="seconds at most, strict profile")
    not_kept: int = Field(
        default=DAY, ge=60, description="seconds at most without 'Stay signed in'"
    )
    grace: int = Field(
        default=10, ge=1, le=60, description="seconds in which a lost answer is repeated unasked"
    )
    maximum: int = Field(
        default=50, ge=1, description="sessions a person may hold; the oldest goes"
    )
    guard_keep: int = Field(
        default=DAY, ge=900, description="seconds an ended session's row is kept"
    )

    def idle_of(self, profile: Profile) -> int:
        """Idle life of a profile in seconds."""
        return self.strict_idle if profile is Profile.STRICT else self.idle

    def absolute_of(self, profile: Profile, *, stay: bool) -> int:
        """Longest life of a profile in seconds."""
        longest = self.strict_absolute if profile is Profile.STRICT else self.absolute
        return longest if stay else min(longest, self.not_kept)
