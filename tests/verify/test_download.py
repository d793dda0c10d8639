"""Where keys may come from, and how much of an answer is read. Spec: security.md C36, C52."""

import asyncio
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from authsvc.verify import download as module
from authsvc.verify.download import Download, DownloadFailed, require_safe_url

SAFE = [
    "https://auth.example.com",
    "https://auth.example.com:8443/a/b.json?x=1",
    "http://localhost",
    "http://localhost:8000/jwks",
    "http://127.0.0.1:8000",
    "http://[::1]:8000",
    "HTTPS://auth.example.com",
]
UNSAFE = [
    "", "auth.example.com", "//auth.example.com", "http://auth.example.com",
    "http://localhost.evil.example", "http://127.0.0.1.evil.example", "http://127.0.0.2",
    "http://10.0.0.1", "http://0.0.0.0", "http://2130706433", "ftp://localhost",
    "file:///etc/passwd", "https://", "https:///path", "https://me:pw@auth.example.com",
    "https://@auth.example.com", "https://auth.example.com#x", "https://auth.exa mple.com",
    "https://auth.example.com\n", "https://auth.example.com\t/x", "https:\\\\auth.example.com",
    "https://auth.exämple.com", "javascript:alert(1)", "http://localhost\\@evil.example",
]  # fmt: skip


@pytest.mark.parametrize("url", SAFE)
def test_https_or_this_machine(url: str) -> None:
    assert require_safe_url(url) == url


@pytest.mark.parametrize("url", UNSAFE)
def test_everything_else_is_refused_before_any_call(url: str) -> None:
    with pytest.raises(ValueError, match=r"plain URL|https"):
        Download(url)


class Quiet(BaseHTTPRequestHandler):
    """Answers like an issuer, and remembers what it was asked."""

    asked: list[dict[str, str]]

    def do_GET(self) -> None:
        type(self).asked.append({name.lower(): value for name, value in self.headers.items()})
        self.answer()

    def answer(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "11")
        self.end_headers()
        self.wfile.write(b'{"keys":[]}')

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 http.server calls it so
        pass


class Endless(Quiet):
    def answer(self) -> None:
        self.send_response(200)
        self.end_headers()
        while True:
            try:
                self.wfile.write(b" " * 4096)
            except OSError:
                return


class Redirecting(Quiet):
    def answer(self) -> None:
        self.send_response(302)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()


@contextmanager
def serving(handler: type[Quiet]) -> Iterator[str]:
    handler.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/jwks.json"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_real_answer_again_and_again() -> None:
    with serving(Quiet) as url:
        fetch = Download(url)
        assert [fetch() for _ in range(3)] == [b'{"keys":[]}'] * 3
    first = Quiet.asked[0]
    assert first["accept-encoding"] == "identity"
    assert "cookie" not in first
    assert "authorization" not in first


def test_an_endless_answer_is_cut() -> None:
    with serving(Endless) as url, pytest.raises(DownloadFailed, match="64 KiB"):
        Download(url)()


def test_redirects_are_not_followed() -> None:
    with serving(Redirecting) as url, pytest.raises(DownloadFailed, match="302"):
        Download(url)()
    assert len(Redirecting.asked) == 1


def test_nobody_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(DownloadFailed):
        Download(f"http://127.0.0.1:{port}/")()


def test_silence_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TOTAL", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        fetch = Download(f"http://127.0.0.1:{silent.getsockname()[1]}/")
        with pytest.raises(DownloadFailed):
            fetch()


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setitem(os.environ, name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delitem(os.environ, name, raising=False)
    with serving(Quiet) as url:
        assert Download(url)()


def test_the_server_must_prove_its_name() -> None:
    """Plain text behind an https URL is no answer; the context checks names."""
    with serving(Quiet) as url, pytest.raises(DownloadFailed):
        Download(url.replace("http://", "https://"))()
    fetch = Download("https://localhost:9/")
    with pytest.raises(DownloadFailed):
        fetch()
    assert fetch._tls is not None
    assert fetch._tls.verify_mode == ssl.CERT_REQUIRED
    assert fetch._tls.check_hostname


async def test_it_needs_a_thread_without_a_loop() -> None:
    with serving(Quiet) as url:
        assert await asyncio.to_thread(Download(url))
