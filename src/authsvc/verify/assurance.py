"""Is this person's proof strong and fresh enough, and have they the role? Pure verdicts."""

from collections.abc import Collection
from dataclasses import dataclass

from authsvc.verify.claims import Acr, Principal


@dataclass(frozen=True, slots=True)
class Requirement:
    """What a route asks of whoever calls it. ``max_age`` is in seconds.

    ``roles``: any one of them; ``all_roles``: every one of them. None asks nothing.
    """

    acr: Acr | None = None
    max_age: int | None = None
    roles: frozenset[str] | None = None
    all_roles: frozenset[str] | None = None


def requirement(
    *,
    mfa: bool = False,
    max_age: int | None = None,
    roles: Collection[str] | None = None,
    all_roles: Collection[str] | None = None,
    phishing_resistant: bool = False,
) -> Requirement:
    """The requirement in the words of ``require_auth``.

    Raises TypeError or ValueError for demands that cannot be meant: a string where a list of
    roles belongs, an empty list (it would let everybody in), a ``max_age`` nobody can meet.
    """
    if max_age is not None and (isinstance(max_age, bool) or max_age < 1):
        raise ValueError("max_age is a number of seconds, at least 1")
    asked = Acr.PHR if phishing_resistant else Acr.AAL2 if mfa else None
    return Requirement(
        acr=asked,
        max_age=max_age,
        roles=_role_set(roles, name="roles"),
        all_roles=_role_set(all_roles, name="all_roles"),
    )


def _role_set(roles: Collection[str] | None, *, name: str) -> frozenset[str] | None:
    if roles is None:
        return None
    if isinstance(roles, str):
        raise TypeError(f'{name} is a list: write {name}=["{roles}"]')
    if not roles or not all(roles):
        raise ValueError(f"{name} names no role; leave it out to ask for none")
    return frozenset(roles)


@dataclass(frozen=True, slots=True)
class Satisfied:
    """Nothing more is needed."""


@dataclass(frozen=True, slots=True)
class RoleMissing:
    """The account lacks the role; no proof helps."""


@dataclass(frozen=True, slots=True)
class StepUp:
    """A new proof would help: all that is asked, and the age in seconds of the last proof."""

    acr_values: Acr | None
    max_age: int | None
    auth_age: int


def judge(
    principal: Principal, *, required: Requirement, now: float
) -> Satisfied | RoleMissing | StepUp:
    """Whether the principal meets the requirement at ``now`` (seconds since 1970).

    Roles come first: nobody confirms only to read "forbidden". ``max_age`` counts from the
    second-factor proof when one is asked, else from the last proof of any kind.

    Spec: RFC 9470 §3 and §5 (SU-01, SU-02, SU-06), security B6.
    """
    held = set(principal.roles)
    if required.roles is not None and not held & required.roles:
        return RoleMissing()
    if required.all_roles is not None and not held >= required.all_roles:
        return RoleMissing()
    if _strong(principal, acr=required.acr) and _fresh(principal, required=required, now=now):
        return Satisfied()
    return StepUp(
        acr_values=required.acr,
        max_age=required.max_age,
        auth_age=max(0, int(now - principal.auth_time)),
    )


def _strong(principal: Principal, *, acr: Acr | None) -> bool:
    return acr is None or (principal.mfa and principal.acr.satisfies(acr))


def _fresh(principal: Principal, *, required: Requirement, now: float) -> bool:
    if required.max_age is None:
        return True
    proved = principal.auth_time if required.acr is None else principal.mfa_time
    return proved is not None and now - proved <= required.max_age
