"""Whatever fits or breaks the description: no answer is a 500, every refusal is a problem."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from tests.live import free_port, running

EXAMPLES = 25
DOCUMENT = json.loads((Path(__file__).parents[2] / "openapi" / "authsvc.json").read_text())
OPERATIONS = [(method, path) for path, methods in DOCUMENT["paths"].items() for method in methods]
NAMES = ("sign_in", "verify", "refresh", "read", "public", "both")
WIDE = json.dumps(dict.fromkeys(NAMES, 100_000))


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    address = f"http://localhost:{port}"
    directory = tmp_path_factory.mktemp("fuzz")
    words = ("dev", "--port", str(port), "--data", str(directory / "data"))
    environ = {"AUTHSVC_LIMITS": WIDE, "AUTHSVC_VERIFY__FLOOR": "0"}
    with running(*words, environ=environ, url=address, directory=directory) as server:
        yield server.url


@pytest.fixture(scope="module")
def api(url: str) -> Any:
    loaded = schemathesis.openapi.from_dict(DOCUMENT)
    loaded.config.update(base_url=url)
    return loaded


@pytest.fixture(scope="module")
def bearer(url: str) -> str:
    asked = {"as": "ann", "audience": ["authsvc"], "expires_in": 3600}
    return str(httpx2.post(f"{url}/dev/token", json=asked).json()["access_token"])


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_no_server_error(
    method: str, path: str, mode: GenerationMode, api: Any, url: str, bearer: str
) -> None:
    operation = api[path][method]
    headers = {"Origin": url, "Sec-Fetch-Site": "same-origin", "X-Authsvc-Client": "fuzz/1"}
    if path.startswith("/v1/account"):
        headers["Authorization"] = f"Bearer {bearer}"
    declared = operation.definition.raw["x-authsvc-codes"]

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.filter_too_much,
            HealthCheck.data_too_large,
        ],
    )
    def probe(case: Any) -> None:
        answer = case.call(headers=headers, allow_redirects=False)
        assert answer.status_code < 500, answer.text
        if answer.status_code >= 400:
            assert answer.headers["content-type"][0].startswith("application/problem+json")
            assert answer.json()["status"] == answer.status_code
            assert answer.json()["code"] in declared

    try:
        probe()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE, "nothing to break where nothing is taken"
