"""The only place that sets cookies. Spec: api.md §2.4, RFC 6265bis §4.1.3."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from starlette.responses import Response

from authsvc.platform.http.headers import Header

SESSION, FLOW, HINT = "authsvc_rt", "authsvc_flow", "authsvc_hint"
_HOST_NAMES = {name: f"__Host-{name}" for name in (SESSION, FLOW, HINT)}
HINT_AGE = 180 * 86400
# Lax: somebody who arrives by a link is still the browser that asked for it.
_SITES = {SESSION: "Strict", FLOW: "Lax", HINT: "Strict"}
_VALUE = re.compile(r"[A-Za-z0-9._~-]{0,1024}")


@dataclass(frozen=True, slots=True)
class Jar:
    """Our cookies of one request; a cookie sent twice counts as absent."""

    session: str | None = None
    flow: str | None = None
    hint: str | None = None


_EMPTY = Jar()


@dataclass(frozen=True, slots=True)
class Cookies:
    """Reads and sets our cookies. ``secure`` is off only for http on localhost."""

    secure: bool

    def read(self, headers: Iterable[Header]) -> Jar:
        """Our cookies in the request's headers; anything odd counts as absent."""
        lines = [value for name, value in headers if name == b"cookie"]
        if not lines:
            return _EMPTY
        found: dict[str, str | None] = {}
        for part in b";".join(lines).decode("latin-1").split(";"):
            name, _, value = part.strip(" \t").partition("=")
            usable = value and name not in found and _VALUE.fullmatch(value)
            found[name] = value if usable else None
        return Jar(
            session=found.get(self._name(SESSION)),
            flow=found.get(self._name(FLOW)),
            hint=found.get(self._name(HINT)),
        )

    def set_session(self, response: Response, value: str, *, max_age: int | None) -> None:
        """The session credential; without ``max_age`` (seconds) it goes with the browser."""
        _add(response, self.session_header(value, max_age=max_age))

    def set_flow(self, response: Response, value: str, *, max_age: int) -> None:
        """The secret that names this browser for its attempts."""
        _add(response, self._header(FLOW, value, max_age=max_age))

    def set_hint(self, response: Response, value: str) -> None:
        """How this browser signed in last."""
        _add(response, self._header(HINT, value, max_age=HINT_AGE))

    def clear_session(self, response: Response) -> None:
        """Sign-out: the only answer that takes the session cookie away."""
        _add(response, self._header(SESSION, "", max_age=0))

    def clear_hint(self, response: Response) -> None:
        """Forget who signed in here."""
        _add(response, self._header(HINT, "", max_age=0))

    def session_header(self, value: str, *, max_age: int | None) -> Header:
        """The session cookie as a header of a raw ASGI answer."""
        return self._header(SESSION, value, max_age=max_age)

    def _name(self, bare: str) -> str:
        return _HOST_NAMES[bare] if self.secure else bare

    def _header(self, bare: str, value: str, *, max_age: int | None) -> Header:
        if not _VALUE.fullmatch(value):
            raise ValueError("not a cookie value of ours")
        line = f"{self._name(bare)}={value}; Path=/; HttpOnly; SameSite={_SITES[bare]}"
        if self.secure:
            line += "; Secure"
        if max_age is not None:
            line += f"; Max-Age={max_age}"
        return (b"set-cookie", line.encode("ascii"))


def _add(response: Response, header: Header) -> None:
    name, value = header
    response.headers.append(name.decode("ascii"), value.decode("ascii"))
