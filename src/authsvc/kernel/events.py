"""Security events: one frozen value for each kind of change. Effects follow from them."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Event:
    """What every event has. ``name`` is stable: logs, exports and reactions go by it."""

    name: ClassVar[str]


@dataclass(frozen=True, slots=True)
class SignInStarted(Event):
    """Somebody asked for a message; it may have gone to nobody."""

    name: ClassVar[str] = "sign_in_started"
    method: str
    client_id: str


@dataclass(frozen=True, slots=True)
class SignInFailed(Event):
    """A proof was refused, or the gate refused after it."""

    name: ClassVar[str] = "sign_in_failed"
    method: str
    code: str
    user_id: str | None


@dataclass(frozen=True, slots=True)
class SignedUp(Event):
    """The first proof of an address created an account."""

    name: ClassVar[str] = "signed_up"
    user_id: str
    method: str


@dataclass(frozen=True, slots=True)
class SignedIn(Event):
    """A session was opened."""

    name: ClassVar[str] = "signed_in"
    user_id: str
    session_id: str
    method: str
    acr: str
    amr: tuple[str, ...]
    client_id: str
    new_user: bool


@dataclass(frozen=True, slots=True)
class SignedOut(Event):
    """A person ended the session they were in."""

    name: ClassVar[str] = "signed_out"
    user_id: str
    session_id: str


@dataclass(frozen=True, slots=True)
class SessionRevoked(Event):
    """One session was ended from elsewhere."""

    name: ClassVar[str] = "session_revoked"
    user_id: str
    session_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class SessionsRevoked(Event):
    """Several sessions were ended at once."""

    name: ClassVar[str] = "sessions_revoked"
    user_id: str
    scope: str
    count: int
    reason: str


@dataclass(frozen=True, slots=True)
class SessionReuseDetected(Event):
    """A spent credential came back and ended its session."""

    name: ClassVar[str] = "session_reuse_detected"
    user_id: str
    session_id: str


@dataclass(frozen=True, slots=True)
class RefreshRetriedLate(Event):
    """A lost answer was repeated after the grace."""

    name: ClassVar[str] = "refresh_retried_late"
    user_id: str
    session_id: str


@dataclass(frozen=True, slots=True)
class ProfileChanged(Event):
    """A person changed these members of their profile."""

    name: ClassVar[str] = "profile_changed"
    user_id: str
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RolesChanged(Event):
    """The roles a person has from now on, and who changed them."""

    name: ClassVar[str] = "roles_changed"
    user_id: str
    roles: tuple[str, ...]
    by: str


@dataclass(frozen=True, slots=True)
class UserStatusChanged(Event):
    """A person was disabled or enabled."""

    name: ClassVar[str] = "user_status_changed"
    user_id: str
    status: str
    by: str


@dataclass(frozen=True, slots=True)
class UserInvited(Event):
    """An invitation was sent; the address is in the sealed message only."""

    name: ClassVar[str] = "user_invited"
    invitation_id: str
    by: str


@dataclass(frozen=True, slots=True)
class SigningKeyChanged(Event):
    """A signing key was added, promoted, retired or removed."""

    name: ClassVar[str] = "signing_key_changed"
    kid: str
    action: str
