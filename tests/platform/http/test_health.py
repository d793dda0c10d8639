"""Health checks: alive, started, ready."""

from typing import Any

import httpx2
import pytest

from authsvc.platform.http.health import Readiness, management_app


async def ask(path: str, *, started: bool = True, **checks: bool) -> Any:
    async def readiness() -> Readiness:
        return Readiness(checks, warnings=("clock: 3 s off",))

    async def metrics(accept: str) -> tuple[bytes, str]:
        return b"text", "text/plain; version=0.0.4; charset=utf-8"

    app = management_app(started=lambda: started, readiness=readiness, metrics=metrics)
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://10.1.2.3") as client:
        answer = await client.get(path)
        assert answer.headers["cache-control"] == "no-store"
        assert (await client.head(path)).status_code == answer.status_code
        return answer


async def test_alive_looks_at_nothing_else() -> None:
    answer = await ask("/livez", started=False, database=False)
    assert (answer.status_code, answer.text) == (200, "ok")


@pytest.mark.parametrize(("started", "status"), [(True, 200), (False, 503)])
async def test_started(started: bool, status: int) -> None:
    assert (await ask("/startupz", started=started)).status_code == status


async def test_ready_names_each_check() -> None:
    answer = await ask("/readyz", database=True, store=True)
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ok",
        "checks": {"database": "ok", "store": "ok"},
        "warnings": ["clock: 3 s off"],
    }


async def test_one_failed_check_is_not_ready() -> None:
    answer = await ask("/readyz", database=True, store=False)
    assert answer.status_code == 503
    assert answer.json()["status"] == "unavailable"
    assert answer.json()["checks"] == {"database": "ok", "store": "failed"}


async def test_the_public_port_says_that_it_lives(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/livez")
    assert (answer.status_code, answer.text) == (200, "ok")
