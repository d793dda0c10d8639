"""Check the access tokens of an authsvc: ``Verifier(issuer=…, audience=…)``."""

from authsvc.verify.claims import Acr, Principal
from authsvc.verify.errors import (
    AuthRefused,
    BadRequest,
    Forbidden,
    InsufficientUserAuthentication,
    KeysUnavailable,
    TokenExpired,
    TokenInvalid,
    TokenMissing,
)
from authsvc.verify.verifier import Verifier

__all__ = [
    "Acr",
    "AuthRefused",
    "BadRequest",
    "Forbidden",
    "InsufficientUserAuthentication",
    "KeysUnavailable",
    "Principal",
    "TokenExpired",
    "TokenInvalid",
    "TokenMissing",
    "Verifier",
]
