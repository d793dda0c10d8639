"""The only place that sets cookies. Spec: api.md §2.4, RFC 6265bis §4.1.3."""

from collections.abc import Iterable
from dataclasses import dataclass

from starlette.responses import Response

SESSION, FLOW, HINT = "authsvc_rt", "authsvc_flow", "authsvc_hint"
HINT_AGE = 180 * 86400
_MAX_VALUE = 1024


@dataclass(frozen=True, slots=True)
class Jar:
    """Our cookies of one request; a cookie sent twice counts as absent."""

    session: str | None = None
    flow: str | None = None
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Cookies:
    """Reads and sets our cookies. ``secure`` is off only for http on localhost."""

    secure: bool

    def _name(self, bare: str) -> str:
        return f"__Host-{bare}" if self.secure else bare

    def read(self, headers: Iterable[tuple[bytes, bytes]]) -> Jar:
        """Our cookies in the request's headers."""
        pairs: dict[str, list[str]] = {}
        for name, value in headers:
            if name != b"cookie":
                continue
            for part in value.decode("latin-1").split(";"):
                key, _, text = part.strip().partition("=")
                pairs.setdefault(key, []).append(text)

        def one(bare: str) -> str | None:
            found = pairs.get(self._name(bare), [])
            return found[0] if len(found) == 1 and 0 < len(found[0]) <= _MAX_VALUE else None

        return Jar(session=one(SESSION), flow=one(FLOW), hint=one(HINT))

    def set_session(self, response: Response, value: str, *, max_age: int | None) -> None:
        """The session credential; without ``max_age`` (seconds) it goes with the browser."""
        self._set(response, SESSION, value, site="strict", max_age=max_age)

    def set_flow(self, response: Response, value: str, *, max_age: int) -> None:
        """The secret that names this browser for its attempts."""
        self._set(response, FLOW, value, site="lax", max_age=max_age)

    def set_hint(self, response: Response, value: str) -> None:
        """How this browser signed in last."""
        self._set(response, HINT, value, site="strict", max_age=HINT_AGE)

    def clear_session(self, response: Response) -> None:
        """Sign-out: the only answer that takes the session cookie away."""
        self._set(response, SESSION, "", site="strict", max_age=0)

    def clear_hint(self, response: Response) -> None:
        """Forget who signed in here."""
        self._set(response, HINT, "", site="strict", max_age=0)

    def _set(
        self, response: Response, bare: str, value: str, *, site: str, max_age: int | None
    ) -> None:
        parts = [f"{self._name(bare)}={value}", "Path=/", "HttpOnly", f"SameSite={site.title()}"]
        if self.secure:
            parts.append("Secure")
        if max_age is not None:
            parts.append(f"Max-Age={max_age}")
        response.headers.append("set-cookie", "; ".join(parts))
