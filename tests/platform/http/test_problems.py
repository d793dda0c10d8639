"""Refusals on the wire: whole, typed, translated, and silent about what was sent."""

import json
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from authsvc.kernel.errors import KINDS, Code, Kind, Refusal
from authsvc.platform.http.problems import STATUS, Problems, challenge, from_verifier
from authsvc.verify.claims import Acr, Principal
from authsvc.verify.errors import (
    InsufficientUserAuthentication,
    KeysUnavailable,
    TokenMissing,
)
from tests.platform.http.small_app import AUTH, CATALOGUE, document


@pytest.mark.parametrize("code", list(Code))
async def test_every_code_goes_out_whole(http: httpx2.AsyncClient, code: Code) -> None:
    answer = await http.get("/v1/odd/refusal", params={"code": code.value})
    body = answer.json()
    assert answer.status_code == body["status"] == STATUS[KINDS[code]]
    assert (body["code"], body["type"]) == (code.value, f"{AUTH}/errors/{code.value}")
    assert answer.headers["content-language"] == "en"
    assert body["attempts_left"] == 4
    assert body["params"] == {"n": 2}
    assert body["errors"] == [{"pointer": "#/code", "code": code.value, "detail": body["title"]}]
    assert "private words" not in answer.text
    waits = KINDS[code] in (Kind.LIMITED, Kind.UNAVAILABLE)
    assert (answer.headers.get("retry-after") == str(body.get("retry_after"))) is waits


@pytest.mark.parametrize("code", list(Code))
@pytest.mark.parametrize("locale", CATALOGUE.locales)
def test_every_code_has_words(code: Code, locale: str) -> None:
    words = [CATALOGUE.messages(locale)[f"error.{code}.{part}"] for part in ("title", "detail")]
    assert all(words)


@pytest.mark.parametrize(
    ("accept", "language"), [("de", "de"), ("fr, de;q=0.5", "de"), ("fr", "en"), ("\xff", "en")]
)
async def test_in_the_callers_language(
    http: httpx2.AsyncClient, accept: str, language: str
) -> None:
    answer = await http.get("/nothing", headers=[(b"accept-language", accept.encode("latin-1"))])
    assert answer.headers["content-language"] == language
    assert answer.json()["title"] == CATALOGUE.text("error.not_found.title", language)


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        ({"text": "a", "colour": "red"}, [("#/colour", "unknown")]),
        ({}, [("#/text", "missing")]),
        ({"text": 5}, [("#/text", "type")]),
        ({"text": "x" * 21}, [("#/text", "too_long")]),
        ({"text": "a", "count": "2"}, [("#/count", "type")]),
        ({"text": "a", "inner": {"a/b~c": "x"}}, [("#/inner/a~1b~0c", "type")]),
        ({"text": "a", "body": 1}, [("#/body", "unknown")]),
        ({"count": True}, [("#/text", "missing"), ("#/count", "type")]),
        ([], [("#/", "type")]),
    ],
)
async def test_each_bad_member_is_pointed_at(
    http: httpx2.AsyncClient, body: Any, faults: list[tuple[str, str]]
) -> None:
    answer = await http.post("/v1/notes", json=body)
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["code"] == "validation_failed"
    found = [(entry["pointer"], entry["code"]) for entry in problem["errors"]]
    assert found == faults
    assert all(entry["detail"] for entry in problem["errors"])


async def test_a_query_is_pointed_at_as_well(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/v1/notes", params={"limit": "many"})
    assert answer.status_code == 422
    assert [entry["pointer"] for entry in answer.json()["errors"]] == ["#/limit"]


async def test_no_answer_and_no_line_echoes_what_was_sent(
    http: httpx2.AsyncClient, logged: Any
) -> None:
    canary = "canary-7Q"
    answers = [
        await http.post("/v1/notes", json={"text": canary * 4, "count": canary}),
        await http.post("/v1/notes", json={"text": [canary]}),
        await http.post(
            "/v1/notes", content=f'{{"{canary}', headers={"Content-Type": "application/json"}
        ),
        await http.post("/v1/notes", content=canary, headers={"Content-Type": canary}),
        await http.get(f"/v1/{canary}", params={"q": canary}),
        await http.get(f"/v1/{canary}", params={"token": canary}),
        await http.get(f"/v1/things/{canary}", params={"q": canary}),
        await http.get("/v1/notes", params={"limit": canary}),
        await http.request(canary, "/v1/notes", headers={"User-Agent": canary}),
        await http.get("/livez", headers={"Host": canary, "Cookie": canary}),
        await http.get("/livez", headers={"Authorization": canary, "Accept-Language": canary}),
    ]
    assert {answer.status_code for answer in answers} == {200, 400, 404, 405, 415, 422}
    sent_back = [str(answer.headers) + answer.text for answer in answers]
    assert [text for text in sent_back if canary in text] == []
    lines = logged()
    assert len(lines) == len(answers)
    assert canary not in json.dumps(lines)


async def test_a_flood_of_unknown_members_is_cut(http: httpx2.AsyncClient) -> None:
    flood = {f"{'m' * 300}{i}": 1 for i in range(30)}
    answer = await http.post("/v1/notes", json={"text": "a", **flood})
    errors = answer.json()["errors"]
    assert len(errors) == 20
    assert max(len(entry["pointer"]) for entry in errors) == 200


@pytest.mark.parametrize(
    ("refusal", "header"),
    [
        (Refusal(Code.TOKEN_MISSING), "Bearer"),
        (Refusal(Code.TOKEN_INVALID), 'Bearer error="invalid_token"'),
        (Refusal(Code.TOKEN_EXPIRED), 'Bearer error="invalid_token"'),
        (Refusal(Code.SESSION_REVOKED), 'Bearer error="invalid_token"'),
        (
            Refusal(
                Code.INSUFFICIENT_USER_AUTHENTICATION,
                extras={"required": {"acr": "aal2", "max_age": 600}},
            ),
            'Bearer error="insufficient_user_authentication", acr_values="aal2", max_age="600"',
        ),
        (
            Refusal(Code.INSUFFICIENT_USER_AUTHENTICATION, extras={"required": {"max_age": 0}}),
            'Bearer error="insufficient_user_authentication", max_age="0"',
        ),
        (Refusal(Code.FORBIDDEN), None),
        (Refusal(Code.CSRF_REJECTED), None),
    ],
)
def test_the_challenge_of_a_401(refusal: Refusal, header: str | None) -> None:
    assert challenge(refusal) == header
    assert (header is None) is (refusal.kind is not Kind.UNAUTHENTICATED)


def principal() -> Principal:
    return Principal(
        sub="usr_1",
        sid="ses_1",
        client_id="web",
        audience=("authsvc",),
        roles=(),
        acr=Acr.AAL1,
        amr=("email",),
        auth_time=1,
        mfa=False,
        mfa_time=None,
        trusted_device=False,
        issued_at=1,
        expires_at=301,
        token_id="tok_1",
        claims={},
    )


def test_the_verifiers_refusals_are_ours() -> None:
    assert from_verifier(TokenMissing(log="x")).code is Code.TOKEN_MISSING
    assert from_verifier(KeysUnavailable(retry_after=9)).retry_after == 9
    weak = InsufficientUserAuthentication(
        principal=principal(), auth_age=5123, acr_values=Acr.AAL2, max_age=None
    )
    assert from_verifier(weak).extras == {
        "required": {"acr": "aal2"},
        "current": {"acr": "aal1", "mfa": False, "auth_age": 5123},
    }


def test_overload_spreads_the_return_and_a_limit_does_not() -> None:
    writer = Problems(CATALOGUE, AUTH, spread=lambda: 2)

    def wait(code: Code) -> int:
        body = writer.body(Refusal(code, retry_after=5), locale="en", request_id="r")
        return body["retry_after"]

    assert (wait(Code.BUSY), wait(Code.RATE_LIMITED)) == (7, 5)
    spread = Problems(CATALOGUE, AUTH).spread
    assert {spread() for _ in range(200)} == {0, 1, 2}


def test_the_document_names_the_codes_of_each_status(app: FastAPI) -> None:
    whole = document(app)
    assert set(whole["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]) == {
        code.value for code in Code
    }
    route = whole["paths"]["/v1/notes"]["post"]
    assert route["x-authsvc-level"] == "anon"
    assert {"csrf_rejected", "code_incorrect", "bad_request"} <= set(route["x-authsvc-codes"])
    declared = {
        name
        for status, response in route["responses"].items()
        if status != "200"
        for name in response["content"]["application/problem+json"]["schema"]["allOf"][1][
            "properties"
        ]["code"]["enum"]
    }
    assert declared == set(route["x-authsvc-codes"])
