"""Refusals: every way in which authsvc says no, as a stable code with public words elsewhere.

Titles and details are in the message catalogue under ``error.<code>.title`` and ``.detail``;
the mapping kind → HTTP status is in ``platform.http.problems``.
"""

from collections.abc import Mapping
from enum import StrEnum


class Kind(StrEnum):
    """What sort of refusal; decides the HTTP status."""

    BAD = "bad"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    MISSING = "missing"
    METHOD = "method"
    CONFLICT = "conflict"
    GONE = "gone"
    TOO_LARGE = "too_large"
    UNSUPPORTED = "unsupported"
    INVALID = "invalid"
    LIMITED = "limited"
    BROKEN = "broken"
    UNAVAILABLE = "unavailable"


class Code(StrEnum):
    """The error codes of the API: the contract, never renamed."""

    BAD_REQUEST = "bad_request"
    TOKEN_MISSING = "token_missing"
    TOKEN_INVALID = "token_invalid"
    TOKEN_EXPIRED = "token_expired"
    SESSION_REVOKED = "session_revoked"
    INSUFFICIENT_USER_AUTHENTICATION = "insufficient_user_authentication"
    FORBIDDEN = "forbidden"
    CSRF_REJECTED = "csrf_rejected"
    ORIGIN_NOT_ALLOWED = "origin_not_allowed"
    SIGN_UP_CLOSED = "sign_up_closed"
    INVITATION_REQUIRED = "invitation_required"
    ACCOUNT_DISABLED = "account_disabled"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    FLOW_STEP_MISMATCH = "flow_step_mismatch"
    OTHER_BROWSER = "other_browser"
    LINK_ALREADY_USED = "link_already_used"
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused"
    FLOW_EXPIRED = "flow_expired"
    LINK_EXPIRED = "link_expired"
    CHALLENGE_EXPIRED = "challenge_expired"
    VALIDATION_FAILED = "validation_failed"
    RETURN_TO_NOT_ALLOWED = "return_to_not_allowed"
    CODE_INCORRECT = "code_incorrect"
    RATE_LIMITED = "rate_limited"
    TOO_MANY_ATTEMPTS = "too_many_attempts"
    RESEND_TOO_SOON = "resend_too_soon"
    TEMPORARILY_BLOCKED = "temporarily_blocked"
    INTERNAL_ERROR = "internal_error"
    EMAIL_UNAVAILABLE = "email_unavailable"
    KEYS_UNAVAILABLE = "keys_unavailable"
    STORE_UNAVAILABLE = "store_unavailable"
    BUSY = "busy"
    MAINTENANCE = "maintenance"


KINDS: Mapping[Code, Kind] = {
    Code.BAD_REQUEST: Kind.BAD,
    Code.TOKEN_MISSING: Kind.UNAUTHENTICATED,
    Code.TOKEN_INVALID: Kind.UNAUTHENTICATED,
    Code.TOKEN_EXPIRED: Kind.UNAUTHENTICATED,
    Code.SESSION_REVOKED: Kind.UNAUTHENTICATED,
    Code.INSUFFICIENT_USER_AUTHENTICATION: Kind.UNAUTHENTICATED,
    Code.FORBIDDEN: Kind.FORBIDDEN,
    Code.CSRF_REJECTED: Kind.FORBIDDEN,
    Code.ORIGIN_NOT_ALLOWED: Kind.FORBIDDEN,
    Code.SIGN_UP_CLOSED: Kind.FORBIDDEN,
    Code.INVITATION_REQUIRED: Kind.FORBIDDEN,
    Code.ACCOUNT_DISABLED: Kind.FORBIDDEN,
    Code.NOT_FOUND: Kind.MISSING,
    Code.METHOD_NOT_ALLOWED: Kind.METHOD,
    Code.PAYLOAD_TOO_LARGE: Kind.TOO_LARGE,
    Code.UNSUPPORTED_MEDIA_TYPE: Kind.UNSUPPORTED,
    Code.FLOW_STEP_MISMATCH: Kind.CONFLICT,
    Code.OTHER_BROWSER: Kind.CONFLICT,
    Code.LINK_ALREADY_USED: Kind.CONFLICT,
    Code.IDEMPOTENCY_KEY_REUSED: Kind.CONFLICT,
    Code.FLOW_EXPIRED: Kind.GONE,
    Code.LINK_EXPIRED: Kind.GONE,
    Code.CHALLENGE_EXPIRED: Kind.GONE,
    Code.VALIDATION_FAILED: Kind.INVALID,
    Code.RETURN_TO_NOT_ALLOWED: Kind.INVALID,
    Code.CODE_INCORRECT: Kind.INVALID,
    Code.RATE_LIMITED: Kind.LIMITED,
    Code.TOO_MANY_ATTEMPTS: Kind.LIMITED,
    Code.RESEND_TOO_SOON: Kind.LIMITED,
    Code.TEMPORARILY_BLOCKED: Kind.LIMITED,
    Code.INTERNAL_ERROR: Kind.BROKEN,
    Code.EMAIL_UNAVAILABLE: Kind.UNAVAILABLE,
    Code.KEYS_UNAVAILABLE: Kind.UNAVAILABLE,
    Code.STORE_UNAVAILABLE: Kind.UNAVAILABLE,
    Code.BUSY: Kind.UNAVAILABLE,
    Code.MAINTENANCE: Kind.UNAVAILABLE,
}

Extra = str | int | bool | None | Mapping[str, object]


class Refusal(Exception):
    """A typed no. ``code`` and ``extras`` are public; ``log`` is the private reason.

    ``retry_after`` (seconds) goes out as header and member; 429 and 503 always carry one.
    ``pointer`` (a JSON pointer such as ``#/code``) adds an ``errors`` entry for a form field.
    ``params`` fill the placeholders of the translated title and detail.
    """

    def __init__(
        self,
        code: Code,
        *,
        log: str = "",
        retry_after: int | None = None,
        pointer: str | None = None,
        params: Mapping[str, str | int] | None = None,
        extras: Mapping[str, Extra] | None = None,
    ) -> None:
        super().__init__(f"{code}: {log}" if log else str(code))
        self.code = code
        self.kind = KINDS[code]
        self.log = log
        self.pointer = pointer
        self.params: Mapping[str, str | int] = params or {}
        self.extras: Mapping[str, Extra] = extras or {}
        needs_wait = self.kind in (Kind.LIMITED, Kind.UNAVAILABLE)
        self.retry_after = 1 if retry_after is None and needs_wait else retry_after


class Limited(Refusal):
    """rate_limited: this ``bucket`` is empty for so many seconds."""

    def __init__(self, bucket: str, *, retry_after: int) -> None:
        super().__init__(Code.RATE_LIMITED, retry_after=retry_after, log=f"limit {bucket}")
        self.bucket = bucket
