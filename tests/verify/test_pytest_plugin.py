"""The plugin that other services use in their tests, in a pytest run of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from authsvc.verify import TokenExpired, TokenInvalid, Verifier
from authsvc.verify.local_keys import STAND_IN
from authsvc.verify.testing import TestTokens
from tests.verify.forge import AUDIENCE, ISSUER, NOW, claims, es256, verifier

SERVICE = """
from fastapi import Depends, FastAPI
from authsvc.verify.fastapi import Principal, Verifier

auth = Verifier(issuer="https://auth.example.com", audience="orders-api")
app = FastAPI(lifespan=auth.lifespan)
auth.install(app)

@app.delete("/orders/{id}")
async def cancel(
    id: str,
    me: Principal = Depends(auth.require_auth(mfa=True, max_age=600, roles=["support", "admin"])),
) -> dict[str, str]:
    return {"by": me.sub}
"""
TESTS = """
import pytest
from fastapi.testclient import TestClient
from service import app

@pytest.fixture
def client(authsvc_tokens):
    with TestClient(app) as client:
        yield client

def test_cancel_needs_step_up(client, authsvc_tokens):
    t = authsvc_tokens(sub="usr_1", roles=["support"], acr="aal1")
    answer = client.delete("/orders/1", headers=t.headers)
    assert answer.json()["code"] == "insufficient_user_authentication"

def test_cancel(client, authsvc_tokens):
    t = authsvc_tokens(sub="usr_1", roles=["support"], mfa=True, auth_age=599)
    assert client.delete("/orders/1", headers=t.headers).json() == {"by": "usr_1"}

def test_too_old(client, authsvc_tokens):
    t = authsvc_tokens(roles=["support"], acr="phr", auth_age=700)
    assert client.delete("/orders/1", headers=t.headers).status_code == 401

def test_roles_come_first(client, authsvc_tokens):
    assert client.delete("/orders/1", headers=authsvc_tokens().headers).status_code == 403

def test_expired(client, authsvc_tokens):
    t = authsvc_tokens(expires_in=-60)
    assert client.delete("/orders/1", headers=t.headers).json()["code"] == "token_expired"

def test_for_another_api(client, authsvc_tokens):
    t = authsvc_tokens(audience="billing-api")
    assert client.delete("/orders/1", headers=t.headers).json()["code"] == "token_invalid"

def test_nobody(client):
    assert client.delete("/orders/1").json()["code"] == "token_missing"
"""


def test_a_service_tests_itself_without_network(tmp_path: Path) -> None:
    (tmp_path / "service.py").write_text(SERVICE)
    (tmp_path / "test_service.py").write_text(TESTS)
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(tmp_path)}
    environment["PYTHONPATH"] += os.pathsep + os.pathsep.join(sys.path)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider",
         "-p", "authsvc.verify.pytest_plugin", "--rootdir", str(tmp_path), str(tmp_path)],
        capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path, env=environment,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    assert "7 passed" in run.stdout


async def test_trust_begins_and_ends_with_the_block() -> None:
    key = es256()
    guard = verifier(key)
    real = key.sign(claims())
    tokens = TestTokens(now=lambda: NOW)
    assert await guard.verify(real)
    with tokens.trusted():
        made = tokens(sub="usr_1", issuer=ISSUER)
        assert (await guard.verify(made.token)).sub == "usr_1"
        assert guard.verify_sync(made.token).sub == "usr_1"
        with pytest.raises(TokenInvalid):
            await guard.verify(real)
    with pytest.raises(TokenInvalid):
        await guard.verify(made.token)
    assert await guard.verify(real)
    assert STAND_IN.source is None


async def test_everything_else_is_still_checked() -> None:
    guard = verifier(es256())
    tokens = TestTokens(now=lambda: NOW)
    with tokens.trusted():
        with pytest.raises(TokenExpired):
            await guard.verify(tokens(expires_in=-31, issuer=ISSUER, audience=AUDIENCE).token)
        for bent in ({"acr": "aal9"}, {"exp": "soon"}, {"aud": []}):
            with pytest.raises(TokenInvalid):
                await guard.verify(tokens(issuer=ISSUER, audience=AUDIENCE, claims=bent).token)
        head, body, _ = tokens(issuer=ISSUER, audience=AUDIENCE).token.split(".")
        with pytest.raises(TokenInvalid):
            await guard.verify(f"{head}.{body}.{'A' * 86}")


def test_a_token_finds_the_verifiers_it_is_for() -> None:
    issuer = "https://plugin.example.com"
    orders = Verifier(issuer=issuer, audience="orders")
    billing = Verifier(issuer=issuer, audience="billing")
    tokens = TestTokens(now=lambda: NOW)
    with tokens.trusted():
        made = tokens(issuer=issuer)
        for guard in (orders, billing):
            guard.now = lambda: NOW
            assert guard.verify_sync(made.token).audience == ("billing", "orders")


def test_in_doubt_it_asks() -> None:
    tokens = TestTokens()
    with pytest.raises(LookupError):
        tokens(issuer="https://nobody.example.com")
    keep = [Verifier(issuer=f"https://{name}.example.com", audience="x") for name in "ab"]
    with pytest.raises(LookupError, match="several issuers"):
        tokens()
    assert tokens(issuer="https://a.example.com").claims["aud"] == ["x"]
    with pytest.raises(ValueError, match="contradict"):
        tokens(issuer="https://a.example.com", acr="aal1", mfa=True)
    assert len(keep) == 2
