"""The command that says why a token is refused."""

import io
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from authsvc.verify.check import Finding, examine, main, report
from authsvc.verify.claims import Expected
from authsvc.verify.download import DownloadFailed
from tests.verify.forge import AUDIENCE, ISSUER, NOW, claims, eddsa, es256, key_set
from tests.verify.jwks_server import serving

KEY = es256()
EXPECTED = Expected(issuer=ISSUER, audience=AUDIENCE, leeway=30)


def found(token: str, *, body: bytes | None = None) -> dict[str, Finding]:
    def fetch() -> bytes:
        return key_set(KEY) if body is None else body

    return {each.name: each for each in examine(token, expected=EXPECTED, fetch=fetch, now=NOW)}


def test_a_good_token_passes_every_check() -> None:
    findings = found(KEY.sign(claims()))
    assert list(findings) == [
        "shape", "header", "keys", "signature", "issuer", "audience", "expiry", "verdict",
    ]  # fmt: skip
    assert all(each.ok for each in findings.values())
    assert "usr_4K9D, aal2, member" in findings["verdict"].seen


@pytest.mark.parametrize(
    ("token", "wrong"),
    [
        (KEY.sign(claims(iss=ISSUER + "/")), {"issuer", "verdict"}),
        (KEY.sign(claims(aud=["billing"])), {"audience", "verdict"}),
        (KEY.sign(claims(aud="billing", iss="x")), {"audience", "issuer", "verdict"}),
        (KEY.sign(claims(iat=1, exp=2)), {"expiry", "verdict"}),
        (KEY.sign(claims(exp=None)), {"expiry", "verdict"}),
        (KEY.sign(claims(exp=10**40)), {"expiry", "verdict"}),
        (KEY.sign(claims(sid=None)), {"verdict"}),
        (KEY.sign(claims(), header=KEY.header(typ="JWT")), {"header", "verdict"}),
        (KEY.sign(claims(), header=KEY.header(kid="other")), {"signature", "verdict"}),
        (es256().sign(claims()), {"signature", "verdict"}),
        (eddsa("key-1").sign(claims()), {"signature", "verdict"}),
        (KEY.sign(b"[]"), {"claims", "verdict"}),
        ("", {"shape"}),
        ("a.b", {"shape"}),
        ("eyJh.eyJh", {"shape"}),
    ],
)
def test_what_is_wrong_is_named_with_its_fix(token: str, wrong: set[str]) -> None:
    findings = found(token)
    assert {name for name, each in findings.items() if not each.ok} == wrong
    assert all(each.fix for each in findings.values() if not each.ok)


def test_without_keys_the_rest_is_still_looked_at() -> None:
    def fetch() -> bytes:
        raise DownloadFailed("nobody there")

    findings = examine(KEY.sign(claims(aud=["x"])), expected=EXPECTED, fetch=fetch, now=NOW)
    assert {each.name for each in findings if not each.ok} == {"keys", "audience"}
    assert not found(KEY.sign(claims()), body=b"<html>")["keys"].ok
    assert not found(KEY.sign(claims()), body=b'{"keys":[]}')["keys"].ok


def printed(*, encoding: str, colour: bool) -> str:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding=encoding)
    findings = [Finding("shape", True, "fine"), Finding("keys", False, "none", "Start it.")]
    report(findings, out, colour=colour)
    out.flush()
    return raw.getvalue().decode(encoding)


def test_the_report() -> None:
    text = printed(encoding="utf-8", colour=False)
    assert text == "✓ shape  fine\n✗ keys   none\n         → Start it.\n"
    assert "\x1b[31m✗\x1b[0m" in printed(encoding="utf-8", colour=True)
    assert printed(encoding="ascii", colour=False).startswith("ok   shape")


def live_claims(issuer: str, **changed: object) -> dict[str, object]:
    at = int(time.time())
    times = {"iat": at, "exp": at + 300, "auth_time": at, "mfa_time": at}
    return claims(**({"iss": issuer} | times | changed))


@pytest.mark.parametrize(("audience", "code"), [(AUDIENCE, 0), ("billing", 1)])
def test_from_a_shell(audience: str, code: int, tmp_path: Path) -> None:
    with serving(key_set(KEY)) as issuer:
        token = KEY.sign(live_claims(issuer))
        run = subprocess.run(
            [sys.executable, "-m", "authsvc.verify", "check", "-",
             "--issuer", issuer, "--audience", audience],
            input=f"Bearer {token}\n", capture_output=True, text=True, encoding="utf-8",
            timeout=60, check=False, cwd=tmp_path, env=os.environ | {"PYTHONUTF8": "1"},
        )  # fmt: skip
    assert run.returncode == code, run.stdout + run.stderr
    assert ("✗ audience" in run.stdout) == bool(code)
    assert "\x1b" not in run.stdout  # no terminal, no colour
    assert token.split(".")[2] not in run.stdout + run.stderr


@pytest.mark.parametrize(
    "arguments",
    [[], ["check"], ["check", "-"], ["check", "eyJ.a.b", "--issuer", "x", "--audience", "y"]],
)
def test_wrong_arguments(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments, source=io.StringIO(), out=io.StringIO())
    assert left.value.code == 2
    assert "usage" in capsys.readouterr().err


@pytest.mark.parametrize("issuer", ["http://auth.example.com", "auth.example.com", ""])
def test_an_unsafe_issuer_is_said_and_not_called(
    issuer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["check", "-", "--issuer", issuer, "--audience", "x"]
    assert main(arguments, source=io.StringIO("a.b.c"), out=io.StringIO()) == 1
    assert "https" in capsys.readouterr().err
