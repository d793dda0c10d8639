"""What an access token says about a person, as typed and checked values. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import cast

from authsvc.verify.strict_json import frozen_object, read_object

_LATEST = 253_402_300_799  # the last second of the year 9999
_MAX_TEXT = 2048


class Acr(StrEnum):
    """How strongly somebody proved who they are, weakest first. Spec: RFC 9470 (AM-03)."""

    AAL1 = "aal1"
    AAL2 = "aal2"
    PHR = "phr"

    def satisfies(self, wanted: "Acr") -> bool:
        """True if this level is at least the wanted one."""
        return _RANK[self] >= _RANK[wanted]


_RANK: Mapping[Acr, int] = {Acr.AAL1: 1, Acr.AAL2: 2, Acr.PHR: 3}


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever stands behind a verified access token.

    All times are whole seconds since 1970 as in the token; ``mfa_time`` is None unless a
    second factor or a passkey was proved in this session. ``claims`` is the whole payload,
    read-only, arrays as tuples.
    """

    sub: str
    sid: str
    client_id: str
    audience: tuple[str, ...]
    roles: tuple[str, ...]
    acr: Acr
    amr: tuple[str, ...]
    auth_time: int
    mfa: bool
    mfa_time: int | None
    trusted_device: bool
    issued_at: int
    expires_at: int
    token_id: str
    claims: Mapping[str, object] = field(repr=False, compare=False)


class ClaimsError(ValueError):
    """The claims are not what an access token must say."""


class ClaimsExpired(ClaimsError):
    """The claims were right and their time is over."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What the claims are held against. ``leeway`` is in seconds."""

    issuer: str
    audience: str
    leeway: int


def parse(payload: bytes, *, expected: Expected, now: float) -> Principal:
    """The principal that a signed payload speaks of.

    Raises ClaimsExpired only when everything else is right, so that "expired" always means
    that a refresh helps; ClaimsError for all other faults.

    Spec: RFC 9068 §2.2 and §4, RFC 7519 §4.1 (AT-02, AT-04, JW-10, JW-12, C38).
    """
    try:
        claims = read_object(payload)
    except ValueError as fault:
        raise ClaimsError(f"payload: {fault}") from None
    if claims.get("iss") != expected.issuer:
        raise ClaimsError(f"iss is {_shown(claims.get('iss'))}")
    audience = _audience(claims)
    if expected.audience not in audience:
        raise ClaimsError(f"aud is {_shown(claims.get('aud'))}")
    principal = _principal(claims, audience=audience)
    _check_times(principal, claims=claims, latest=now + expected.leeway)
    if now >= principal.expires_at + expected.leeway:
        raise ClaimsExpired(f"exp passed {int(now - principal.expires_at)} s ago")
    return principal


def _principal(claims: Mapping[str, object], *, audience: tuple[str, ...]) -> Principal:
    return Principal(
        sub=_text(claims, "sub"),
        sid=_text(claims, "sid"),
        client_id=_text(claims, "client_id"),
        audience=audience,
        roles=_texts(claims, "roles"),
        acr=_acr(claims),
        amr=_texts(claims, "amr"),
        auth_time=_seconds(claims, "auth_time"),
        mfa=_flag(claims, "mfa"),
        mfa_time=_seconds(claims, "mfa_time") if "mfa_time" in claims else None,
        trusted_device=_flag(claims, "trusted_device"),
        issued_at=_seconds(claims, "iat"),
        expires_at=_seconds(claims, "exp"),
        token_id=_text(claims, "jti"),
        claims=frozen_object(claims),
    )


def _check_times(principal: Principal, *, claims: Mapping[str, object], latest: float) -> None:
    """Refuses what claims to come from the future: it would stay fresh for ever."""
    if principal.expires_at <= principal.issued_at:
        raise ClaimsError("exp is not after iat")
    if "nbf" in claims and _seconds(claims, "nbf") > latest:
        raise ClaimsError("nbf is in the future")
    if principal.issued_at > latest:
        raise ClaimsError("iat is in the future")
    if max(principal.auth_time, principal.mfa_time or 0) > latest:
        raise ClaimsError("auth_time or mfa_time is in the future")


def _text(claims: Mapping[str, object], name: str) -> str:
    return _clean(claims.get(name), name=name)


def _clean(value: object, *, name: str) -> str:
    if not isinstance(value, str):
        raise ClaimsError(f"{name} is missing or not a string")
    if not 0 < len(value) <= _MAX_TEXT or not value.isprintable():
        raise ClaimsError(f"{name} is empty, too long or has control characters")
    return value


def _texts(claims: Mapping[str, object], name: str) -> tuple[str, ...]:
    if name not in claims:
        return ()
    value = claims[name]
    if not isinstance(value, list):
        raise ClaimsError(f"{name} is not an array")
    return tuple(_clean(item, name=name) for item in cast("list[object]", value))


def _audience(claims: Mapping[str, object]) -> tuple[str, ...]:
    if isinstance(claims.get("aud"), str):
        return (_text(claims, "aud"),)
    return _texts(claims, "aud")


def _seconds(claims: Mapping[str, object], name: str) -> int:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ClaimsError(f"{name} is missing or not a number")
    if not 0 <= value <= _LATEST:  # also refuses NaN
        raise ClaimsError(f"{name} is out of range")
    return math.floor(value)


def _flag(claims: Mapping[str, object], name: str) -> bool:
    value = claims.get(name, False)
    if not isinstance(value, bool):
        raise ClaimsError(f"{name} is not true or false")
    return value


def _acr(claims: Mapping[str, object]) -> Acr:
    value = claims.get("acr")
    if not isinstance(value, str):
        raise ClaimsError("acr is missing or not a string")
    try:
        return Acr(value)
    except ValueError:
        raise ClaimsError(f"acr is {_shown(value)}") from None


def _shown(value: object) -> str:
    return ascii(value)[:120]
