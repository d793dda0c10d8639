"""Fetches a key set over HTTP, within limits of time and size."""

import asyncio
import ssl
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx2

from authsvc.verify.jose import MAX_KEY_SET

CONNECT, TOTAL = 2.0, 5.0  # seconds

# Unpacked on the fly a small answer could grow without bound: ask for it as it is.
# Nothing is kept open: the next fetch is minutes away, and on another event loop.
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "Connection": "close"}
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


class DownloadFailed(Exception):
    """There is no key set to be had there right now; says why."""


def require_safe_url(url: str) -> str:
    """The URL if keys may come from there; raises ValueError.

    https anywhere, http only from this machine: whoever can change the answer decides whose
    tokens are good.
    """
    parts = urlsplit(url)
    clean = url.isascii() and url.isprintable() and " " not in url and "\\" not in url
    if not clean or not parts.hostname or parts.username is not None or parts.fragment:
        raise ValueError(f"{url!r} is not a plain https URL")
    local = parts.scheme == "http" and parts.hostname in _LOCAL
    if parts.scheme != "https" and not local:
        raise ValueError(f"{url!r}: keys are fetched over https, except from localhost")
    return url


@dataclass(slots=True)
class Download:
    """The bytes behind a URL, whenever called, from a thread without an event loop.

    Redirects are not followed, the environment's proxies not used. ``transport`` takes the
    place of the network.
    """

    url: str
    transport: httpx2.AsyncBaseTransport | None = None
    _tls: ssl.SSLContext | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        require_safe_url(self.url)

    def __call__(self) -> bytes:
        """The answer's body; raises DownloadFailed."""
        try:
            return asyncio.run(self._within_time())
        except TimeoutError:
            raise DownloadFailed(f"no answer within {TOTAL:.0f} s") from None
        except httpx2.HTTPError as error:
            raise DownloadFailed(f"{type(error).__name__}: {error}") from error

    async def _within_time(self) -> bytes:
        async with asyncio.timeout(TOTAL):
            if self.transport is not None:
                return await self._read(self._client(self.transport))  # not ours to close
            if self._tls is None:
                self._tls = httpx2.create_ssl_context(trust_env=False)
            async with httpx2.AsyncHTTPTransport(verify=self._tls, trust_env=False) as network:
                return await self._read(self._client(network))

    def _client(self, transport: httpx2.AsyncBaseTransport) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            transport=transport,
            headers=_HEADERS,
            timeout=httpx2.Timeout(TOTAL, connect=CONNECT),
            follow_redirects=False,
            trust_env=False,
        )

    async def _read(self, client: httpx2.AsyncClient) -> bytes:
        body = bytearray()
        async with client.stream("GET", self.url) as answer:
            if answer.status_code != 200:
                raise DownloadFailed(f"the answer is HTTP {answer.status_code}")
            if answer.headers.get("Content-Encoding", "identity") != "identity":
                raise DownloadFailed("the answer is packed, which nobody asked for")
            async for chunk in answer.aiter_bytes():
                body += chunk
                if len(body) > MAX_KEY_SET:
                    raise DownloadFailed("the answer is longer than 64 KiB")
        return bytes(body)
