"""Serves the sample page: static files, and config.js with the addresses of its two services.

Start: python serve.py --port 5173 --auth http://localhost:8000 --orders http://localhost:8001
"""

import argparse
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


class Page(SimpleHTTPRequestHandler):
    """Static files with a strict policy."""

    extensions_map = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}  # noqa: RUF012

    def __init__(self, *args: Any, auth: str, orders: str, **kwargs: Any) -> None:
        self.auth, self.orders = auth, orders
        super().__init__(*args, **kwargs)

    def do_GET(self) -> None:
        if self.path != "/config.js":
            return super().do_GET()
        body = f'export const AUTH = "{self.auth}";\nexport const ORDERS = "{self.orders}";\n'
        self.send_response(200)
        self.send_header("Content-Type", "text/javascript")
        self.end_headers()
        self.wfile.write(body.encode())
        return None

    def end_headers(self) -> None:
        policy = (
            f"default-src 'none'; script-src 'self' {self.auth}; style-src 'self'; img-src data:; "
            f"connect-src {self.auth} {self.orders}; base-uri 'none'; frame-ancestors 'none'"
        )
        self.send_header("Content-Security-Policy", policy)
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        """Quiet: the demo prints what matters."""


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=5173)
    parser.add_argument("--auth", default="http://localhost:8000")
    parser.add_argument("--orders", default="http://localhost:8001")
    asked = parser.parse_args()
    page = partial(Page, directory=str(HERE), auth=asked.auth, orders=asked.orders)
    ThreadingHTTPServer(("127.0.0.1", asked.port), page).serve_forever()


if __name__ == "__main__":
    main()
