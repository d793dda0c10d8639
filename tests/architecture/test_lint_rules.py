"""The house rules find what they should, and nothing else."""

import pytest

from tools.lint.check import check_source
from tools.lint.rules import RULES

ROOM = "signin/service.py"

BAD = [
    ("http-client", ROOM, "import httpx2"),
    ("http-client", ROOM, "from httpx2 import AsyncClient"),
    ("http-client", ROOM, "import urllib.request"),
    ("http-client", ROOM, "from urllib import request"),
    ("http-client", ROOM, "from urllib.request import urlopen"),
    ("http-client", "platform/http/cors.py", "import requests as r"),
    ("set-cookie", ROOM, "response.set_cookie('a', 'b')"),
    ("set-cookie", ROOM, "response.delete_cookie('a')"),
    ("set-cookie", ROOM, "response.headers['Set-Cookie'] = 'a=b'"),
    ("set-cookie", "platform/http/problems.py", "headers.append((b'set-cookie', value))"),
    ("commit", ROOM, "await tx.session.commit()"),
    ("commit", "accounts/repo.py", "session.commit()"),
    ("secret-compared", ROOM, "row.code_hash == digest"),
    ("secret-compared", ROOM, "given != self.row.link_mac"),
    ("secret-compared", ROOM, "code_hmac == other"),
    ("secret-compared", "signin/routes.py", "if token == 'x': pass"),
    ("secret-compared", ROOM, "a < b == csrf_token"),
    ("request-url", "signin/routes.py", "request.base_url"),
    ("request-url", "signin/routes.py", "self.request.base_url"),
    ("request-url", "signin/routes.py", "request.url_for('confirm')"),
    ("request-url", "ui/routes.py", "url_for('confirm')"),
    ("formatted-sql", "accounts/repo.py", "text(f'SELECT * FROM {table}')"),
    ("formatted-sql", "accounts/repo.py", "sa.text('x = %s' % value)"),
    ("formatted-sql", "accounts/repo.py", "text('x = {}'.format(value))"),
    ("formatted-sql", "accounts/repo.py", "text('x = ' + value)"),
    ("formatted-sql", "accounts/repo.py", "text(prefix + f'x = {value}')"),
    ("formatted-sql", "accounts/repo.py", "connection.exec_driver_sql(f'PRAGMA {name}')"),
    ("formatted-sql", "tokens/service.py", "sql = f'UPDATE sessions SET {column} = 1'"),
    ("formatted-sql", "tokens/service.py", "sql = 'SELECT ' + columns"),
    ("machine-clock", ROOM, "datetime.now(UTC)"),
    ("machine-clock", ROOM, "datetime.datetime.utcnow()"),
    ("machine-clock", ROOM, "time.time()"),
    ("machine-clock", ROOM, "from time import time"),
    ("machine-clock", ROOM, "date.today()"),
    ("machine-clock", ROOM, "field(default_factory=datetime.now)"),
    ("local-import", ROOM, "def f():\n    import json"),
    ("local-import", ROOM, "async def f():\n    if x:\n        from json import loads"),
    ("local-import", ROOM, "class C:\n    def f(self):\n        import json"),
    ("type-checking", ROOM, "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import json"),
    ("type-checking", ROOM, "import typing\nif typing.TYPE_CHECKING:\n    import json"),
    ("print", ROOM, "print('hello')"),
    ("print", "verify/claims.py", "print('hello')"),
    ("nameless", "signin/utils.py", ""),
    ("nameless", "platform/common.py", "x = 1"),
    ("nameless", "helpers/secrets.py", "x = 1"),
]

GOOD = [
    ("platform/outbound.py", "import httpx2"),
    ("verify/jwks.py", "import httpx2"),
    (ROOM, "from urllib.parse import urlsplit"),
    (ROOM, "from authsvc.platform.http import requests_seen"),
    ("platform/http/cookies.py", "response.set_cookie('a', 'b')\nname = b'set-cookie'"),
    (ROOM, "'''Sets no Set-Cookie header.'''"),
    (ROOM, "cookies.set_session(response, value, max_age=None)"),
    ("platform/db/uow.py", "await session.commit()"),
    (ROOM, "async with uow() as tx: await accounts.add(tx)"),
    ("onetime/repo.py", "select(OneTime).where(OneTime.hash == digest, OneTime.code_hash == x)"),
    (ROOM, "hmac.compare_digest(row.code_hash, digest)"),
    (ROOM, "row.code_hash is None"),
    (ROOM, "tokens == 3"),
    (ROOM, "token_type == 'Bearer'"),
    (ROOM, "kind == Kind.TOKEN"),
    ("signin/routes.py", "settings.base_url\nrequest.url.path"),
    ("signin/routes.py", "app.url_path_for('confirm')"),
    ("accounts/repo.py", "text('SELECT 1 FROM users WHERE id = :id')"),
    ("accounts/repo.py", "text('SELECT 1 ' 'FROM users')"),
    (ROOM, "catalogue.text(f'error.{code}.title', locale)"),
    (ROOM, "f'Update {name} please'"),
    ("kernel/clock.py", "datetime.now(UTC)"),
    ("verify/verifier.py", "time.time()"),
    (ROOM, "tx.now\nclock.now()\nself.clock.now()\ntime.monotonic()"),
    (ROOM, "import json\nclass C:\n    import re"),
    (ROOM, "CHECKING_TYPE = 1"),
    ("cli/main.py", "print('hello')"),
    ("dev/banner.py", "print('hello')"),
    ("verify/check.py", "print('hello')"),
    (ROOM, "printer('hello')\nlog.print('x')"),
    ("signin/flow.py", "x = 1"),
]


@pytest.mark.parametrize(("rule", "path", "source"), BAD)
def test_found(rule: str, path: str, source: str) -> None:
    assert rule in {finding.rule for finding in check_source(source, path=path)}


@pytest.mark.parametrize(("path", "source"), GOOD)
def test_left_alone(path: str, source: str) -> None:
    assert check_source(source, path=path) == []


def test_a_finding_says_where_and_what_to_do() -> None:
    (finding,) = check_source("x = 1\n\nprint(x)\n", path=ROOM)
    assert str(finding) == f"{ROOM}:3: print: log through structlog; only commands print"


def test_every_rule_has_bad_lines() -> None:
    assert {rule.name for rule in RULES} == {rule for rule, _, _ in BAD}
