"""Which limit each door has: charged at the edge, before a body is read. Pure."""

from authsvc.abuse.limits import LimitName

_BY_DOOR: dict[tuple[str, str], LimitName] = {
    ("POST", "/v1/session/resume"): LimitName.REFRESH,
    ("POST", "/v1/token"): LimitName.REFRESH,
    ("POST", "/v1/logout"): LimitName.REFRESH,
    ("POST", "/v1/sign-in/email"): LimitName.SIGN_IN,
    ("POST", "/v1/sign-in/email/resend"): LimitName.SIGN_IN,
    ("POST", "/v1/sign-in/email/code"): LimitName.VERIFY,
    ("POST", "/v1/sign-in/link/inspect"): LimitName.VERIFY,
    ("POST", "/v1/sign-in/link/confirm"): LimitName.VERIFY,
}


def limit_of(method: str, path: str) -> LimitName:
    """The limit of a door; what is not named here shares one by kind."""
    if not path.startswith("/v1/"):
        return LimitName.PUBLIC
    return _BY_DOOR.get((method, path), LimitName.READ)
