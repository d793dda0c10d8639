"""The Node recipe against the real service. Spec: api.md §15."""

import asyncio
from collections.abc import Iterator

import httpx2
import pytest

from tests.live import free_port, running
from tests.verify.node_recipe import verdicts


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    directory = tmp_path_factory.mktemp("node")
    words = ("dev", "--port", str(port), "--data", str(directory / "data"))
    address = f"http://localhost:{port}"
    with running(*words, environ={}, url=address, directory=directory) as server:
        yield server.url


async def test_tokens_of_the_service(url: str) -> None:
    def token(**asked: object) -> str:
        body = {"as": "bob", "audience": ["orders-api"], **asked}
        return str(httpx2.post(f"{url}/dev/token", json=body).json()["access_token"])

    tokens = [
        token(),
        token(acr="aal2"),
        token(acr="aal2", auth_age=700),
        token(expires_in=-60),
        token(audience=["other-api"]),
        token()[:-3] + "AAA",
    ]
    plain = await asyncio.to_thread(
        verdicts, tokens, issuer=url, audience="orders-api", roles=["support"]
    )
    assert [("me" in verdict) for verdict in plain] == [True, True, True, False, False, False]
    assert plain[0]["me"]["roles"] == ["support"]
    strict = await asyncio.to_thread(
        verdicts, tokens[:3], issuer=url, audience="orders-api", acr="aal2", max_age=600
    )
    assert [("me" in verdict) for verdict in strict] == [False, True, False]
    nobody = await asyncio.to_thread(
        verdicts, tokens[:1], issuer=url, audience="orders-api", roles=["admin"]
    )
    assert "me" not in nobody[0]
