"""The people of the journeys: browsers and apps that speak real HTTP with the shipped app."""

from dataclasses import dataclass, field
from typing import Any, Self

import httpx2

from tests.mail import Inbox, Mail

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:148.0) Gecko/20100101 Firefox/148.0"
CHROME = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/156.0.0.0 Safari/537.36"
)
SAFARI_PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1"
)
AUTH = "https://auth.example.com"
SPA = "https://app.example.com"


@dataclass(slots=True)
class Browser:
    """A browser with a cookie jar of its own, on a page of some origin."""

    http: httpx2.AsyncClient
    origin: str | None = AUTH
    user_agent: str = FIREFOX
    token: str | None = None
    account_token: str | None = None

    def headers(self, extra: dict[str, str] | None = None) -> dict[str, str]:
        sent = {
            "User-Agent": self.user_agent,
            "X-Authsvc-Client": "test/1",
            "Content-Type": "application/json",
        }
        if self.origin is not None:
            sent["Origin"] = self.origin
            sent["Sec-Fetch-Site"] = "same-origin" if self.origin == AUTH else "same-site"
        return sent | (extra or {})

    async def post(self, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        return await self.http.post(path, json=body or {}, headers=self.headers(headers))

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        return await self.http.get(path, headers=self.headers(headers))

    async def delete(self, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        return await self.http.request("DELETE", path, json=body, headers=self.headers(headers))

    async def resume(self, **body: Any) -> dict[str, Any]:
        """Boot; keeps the access token."""
        answer = await self.post("/v1/session/resume", body)
        assert answer.status_code == 200, answer.text
        envelope: dict[str, Any] = answer.json()
        if envelope["next"] == "done":
            self.token = envelope["access_token"]
        return envelope

    async def bearer(self) -> dict[str, str]:
        """An Authorization header for one's own account."""
        if self.account_token is None:
            envelope = await self.resume(audience="authsvc")
            self.account_token = envelope["access_token"]
        return {"Authorization": f"Bearer {self.account_token}"}

    @property
    def credential(self) -> str | None:
        """The session cookie's value."""
        return self.http.cookies.get("__Host-authsvc_rt")

    def present(self, credential: str) -> None:
        """Put another session credential into the jar: a lost answer, a stolen cookie."""
        self.http.cookies.set("__Host-authsvc_rt", credential, domain="auth.example.com")


@dataclass(slots=True)
class Person:
    """Somebody with an address and a browser; reads real mail."""

    address: str
    browser: Browser
    inbox: Inbox
    deliver: Any  # runs the worker once, so that mail leaves
    seen: int = field(default=0)

    async def asks_for_mail(self, **extra: Any) -> Mail:
        """Type the address and wait for the message."""
        answer = await self.browser.post("/v1/sign-in/email", {"email": self.address, **extra})
        assert answer.status_code == 202, answer.text
        await self.deliver()
        return self.inbox.last_link(self.address)

    async def signs_in_by_code(self, **extra: Any) -> dict[str, Any]:
        """The whole way with the code."""
        mail = await self.asks_for_mail(**extra)
        answer = await self.browser.post("/v1/sign-in/email/code", {"code": mail.code})
        assert answer.status_code == 200, answer.text
        return self._signed_in(answer)

    async def signs_in_by_link(self, **extra: Any) -> dict[str, Any]:
        """The whole way with the link, pressed in the same browser."""
        mail = await self.asks_for_mail(**extra)
        answer = await self.browser.post("/v1/sign-in/link/confirm", {"token": mail.token})
        assert answer.status_code == 200, answer.text
        return self._signed_in(answer)

    def _signed_in(self, answer: httpx2.Response) -> dict[str, Any]:
        envelope: dict[str, Any] = answer.json()
        assert envelope["next"] == "done"
        self.browser.token = envelope.get("access_token")
        return envelope

    def elsewhere(self, browser: Browser) -> Self:
        """The same person at another browser."""
        return type(self)(self.address, browser, self.inbox, self.deliver)
