"""The named limits of the public routes, each with what it does when the store is away."""

from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

MINUTE = 60.0


class LimitName(StrEnum):
    """What a limit is for."""

    SIGN_IN = "sign_in"  # starting a sign-in
    VERIFY = "verify"  # proving something
    REFRESH = "refresh"  # boot, refresh, sign-out
    READ = "read"  # everything else under /v1
    PUBLIC = "public"  # pages, modules, keys: answered from memory


class Away(StrEnum):
    """What happens while the store cannot be reached."""

    CLOSED = "closed"  # 503 store_unavailable
    LOCAL = "local"  # counted inside this process; goes on


@dataclass(frozen=True, slots=True)
class Limit:
    """Calls a minute from one address (IPv6: a /64) and from one /48."""

    per_address: int
    per_site: int
    away: Away


class LimitSettings(BaseModel):
    """The ``limits`` branch: calls per address and minute."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sign_in: int = Field(default=30, ge=1, description="started sign-ins a minute from one address")
    verify: int = Field(default=60, ge=1, description="proofs a minute from one address")
    refresh: int = Field(default=300, ge=1, description="refreshes a minute from one address")
    read: int = Field(default=600, ge=1, description="other calls a minute from one address")
    public: int = Field(default=6000, ge=1, description="pages and files a minute from one address")
    both: int = Field(default=5, ge=1, description="the same for one name")

    def of(self, name: LimitName) -> Limit:
        """The limit of this name. A /48 gets ten times what an address gets."""
        match name:
            case LimitName.SIGN_IN:
                return Limit(self.sign_in, self.sign_in * 10, Away.CLOSED)
            case LimitName.VERIFY:
                return Limit(self.verify, self.verify * 10, Away.CLOSED)
            case LimitName.REFRESH:
                return Limit(self.refresh, self.refresh * 10, Away.LOCAL)
            case LimitName.READ:
                return Limit(self.read, self.read * 10, Away.LOCAL)
            case LimitName.PUBLIC:
                return Limit(self.public, self.public * 10, Away.LOCAL)
