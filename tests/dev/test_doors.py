"""Dev mode's doors: the people, the mailbox, tokens, time, and who may come in."""

from datetime import datetime, timedelta
from typing import Any

import httpx2
import jwt
import pytest

from authsvc.cli.dev import dev_settings
from authsvc.dev.people import PEOPLE
from tests.dev.conftest import HOME, Dev


def claims(token: str) -> dict[str, Any]:
    """What a token says; whether it is genuine is another test's question."""
    return jwt.decode(token, options={"verify_signature": False})


async def token(dev: Dev, **asked: Any) -> dict[str, Any]:
    """What the token of ann says, with wishes."""
    made = await dev.post("/dev/token", {"as": "ann", **asked})
    return claims(made["access_token"])


async def test_the_people_are_there_and_stay_as_they_are(dev: Dev) -> None:
    found = (await dev.get("/dev/people.json"))["items"]
    assert [one["email"] for one in found] == [person.email for person in PEOPLE]
    assert {one["email"]: one["roles"] for one in found}["root@example.test"] == ["admin"]
    assert all(one["name"] and one["note"] for one in found)


async def test_mail_lands_in_the_mailbox_and_on_the_console(dev: Dev) -> None:
    mail = await dev.asks_for_mail("ann@example.test")
    assert mail["channel"] == "email"
    assert mail["code"] == "000000"
    (link,) = mail["links"]
    assert link["url"].startswith(f"{HOME}/ui/link?t=")
    assert link["url"] in dev.console[0]
    assert "000000" in dev.console[0]


async def test_the_fixed_code_is_for_demo_people_only(dev: Dev) -> None:
    codes = {(await dev.asks_for_mail(f"someone{n}@example.com"))["code"] for n in range(3)}
    assert codes != {"000000"}
    assert all(code and len(code) == 6 for code in codes)


async def test_the_mailbox_is_asked_by_recipient_and_by_what_came_before(dev: Dev) -> None:
    first = await dev.asks_for_mail("ann@example.test")
    second = await dev.asks_for_mail("bob@example.test")
    everything = (await dev.get("/dev/mailbox.json"))["items"]
    assert [mail["id"] for mail in everything] == [second["id"], first["id"]]
    assert (await dev.get("/dev/mailbox.json", to="bob@example.test"))["items"] == [second]
    assert (await dev.get("/dev/mailbox.json", after=first["id"]))["items"] == [second]
    assert (await dev.get("/dev/mailbox.json", channel="sms"))["items"] == []
    emptied = await dev.http.delete("/dev/mailbox.json", params={"to": "ann@example.test"})
    assert emptied.status_code == 204
    assert (await dev.get("/dev/mailbox.json"))["items"] == [second]


async def test_a_token_for_a_person_by_any_of_their_names(dev: Dev) -> None:
    made = await dev.post("/dev/token", {"as": "ann"})
    said = claims(made["access_token"])
    assert made["token_type"] == "Bearer"
    assert made["expires_in"] == said["exp"] - said["iat"] == 300
    assert said["aud"] == ["orders-api"]
    assert said["iss"] == HOME
    for name in (said["sub"], "ann@example.test", "Ann@Example.TEST"):
        again = await dev.post("/dev/token", {"as": name})
        assert claims(again["access_token"])["sub"] == said["sub"], name


async def test_a_token_is_as_strong_and_as_old_as_it_is_wished(dev: Dev) -> None:
    plain = await token(dev)
    assert (plain["acr"], plain["mfa"], plain["roles"]) == ("aal1", False, [])
    strong = await token(dev, acr="aal2", auth_age=700, roles=["support"], audience=["other-api"])
    assert (strong["acr"], strong["mfa"], strong["roles"]) == ("aal2", True, ["support"])
    assert strong["aud"] == ["other-api"]
    assert strong["iat"] - strong["mfa_time"] == 700
    expired = await token(dev, expires_in=-60)
    assert expired["exp"] - plain["iat"] < -50
    assert expired["iat"] < expired["exp"]


async def test_the_service_takes_its_own_dev_tokens(dev: Dev) -> None:
    made = await dev.post("/dev/token", {"as": "ann", "audience": ["authsvc"]})
    bearer = {"Authorization": f"Bearer {made['access_token']}"}
    account = await dev.http.get("/v1/account", headers=bearer)
    assert account.json()["email"] == "ann@example.test"
    assert (await dev.post("/dev/revoke", {"as": "ann"}))["revoked"] == 1
    refused = await dev.http.get("/v1/account", headers=bearer)
    assert refused.json()["code"] == "session_revoked"
    made = await dev.post("/dev/token", {"as": "ann", "audience": ["authsvc"], "expires_in": -60})
    bearer = {"Authorization": f"Bearer {made['access_token']}"}
    assert (await dev.http.get("/v1/account", headers=bearer)).json()["code"] == "token_expired"


ODD: list[tuple[dict[str, Any], int, str]] = [
    ({"as": "nobody"}, 404, "not_found"),
    ({"as": "not an address"}, 404, "not_found"),
    ({"as": "usr_0123456789ABCDEFGHJKMNPQRS"}, 404, "not_found"),
    ({}, 422, "validation_failed"),
    ({"as": "ann", "acr": "aal3"}, 422, "validation_failed"),
    ({"as": "ann", "expires_in": "60"}, 422, "validation_failed"),
    ({"as": "ann", "audience": "orders-api"}, 422, "validation_failed"),
    ({"as": "ann", "more": 1}, 422, "validation_failed"),
    ({"as": "ann", "auth_age": -1}, 422, "validation_failed"),
]


async def test_odd_wishes_get_typed_refusals(dev: Dev) -> None:
    for body, status, code in ODD:
        answer = await dev.http.post("/dev/token", json=body)
        assert (answer.status_code, answer.json()["code"]) == (status, code), body


async def test_a_sign_in_is_made_older(dev: Dev) -> None:
    done = await dev.signs_in("ann@example.test")
    before = claims(done["access_token"])["auth_time"]
    assert (await dev.post("/dev/age", {"as": "ann", "seconds": 3600}))["aged"] == 1
    page = {"Origin": HOME, "Sec-Fetch-Site": "same-origin", "X-Authsvc-Client": "test/1"}
    resumed = await dev.http.post("/v1/session/resume", json={"audience": "authsvc"}, headers=page)
    made = resumed.json()["access_token"]
    assert claims(made)["auth_time"] == before - 3600
    mine = await dev.http.post(
        "/dev/age", json={"seconds": 60}, headers={"Authorization": f"Bearer {made}"}
    )
    assert mine.json() == {"aged": 1}
    nobody = await dev.http.post("/dev/age", json={"seconds": 60})
    assert nobody.json()["errors"][0]["pointer"] == "#/as"


def instant(answer: dict[str, str]) -> datetime:
    return datetime.fromisoformat(answer["now"])


async def test_the_clock_moves_and_everything_with_it(dev: Dev) -> None:
    start = instant(await dev.get("/dev/clock"))
    moved = instant(await dev.post("/dev/clock", {"advance": 900}))
    assert timedelta(0) <= moved - start - timedelta(seconds=900) < timedelta(seconds=10)
    assert claims((await dev.post("/dev/token", {"as": "ann"}))["access_token"])["iat"] >= int(
        moved.timestamp()
    )
    back = instant(await dev.post("/dev/clock", {"reset": True}))
    assert back - start < timedelta(seconds=10)


async def test_a_link_is_over_when_the_clock_says_so(dev: Dev) -> None:
    mail = await dev.asks_for_mail("ann@example.test")
    await dev.post("/dev/clock", {"advance": 601})
    page = {"Origin": HOME, "Sec-Fetch-Site": "same-origin", "X-Authsvc-Client": "test/1"}
    link = {"token": mail["links"][0]["url"].partition("?t=")[2]}
    looked = await dev.http.post("/v1/sign-in/link/inspect", json=link, headers=page)
    assert looked.json()["code"] == "link_expired"


async def test_reset_leaves_the_seeded_people_and_the_keys(dev: Dev) -> None:
    keys = await dev.get("/.well-known/jwks.json")
    await dev.signs_in("dana@example.test")
    await dev.post("/dev/clock", {"advance": 86_400})
    made = await dev.post("/dev/token", {"as": "dana", "audience": ["authsvc"]})
    await dev.post("/dev/reset")
    assert (await dev.get("/dev/mailbox.json"))["items"] == []
    assert len((await dev.get("/dev/people.json"))["items"]) == len(PEOPLE)
    assert (await dev.http.post("/dev/token", json={"as": "dana"})).status_code == 404
    bearer = {"Authorization": f"Bearer {made['access_token']}"}
    assert (await dev.http.get("/v1/account", headers=bearer)).status_code == 401
    assert await dev.get("/.well-known/jwks.json") == keys
    assert (await dev.post("/dev/token", {"as": "ann"}))["expires_in"] == 300


async def test_a_reset_frees_whoever_was_limited(dev: Dev) -> None:
    if dev.services.ground.settings.redis_url is not None:
        await dev.post("/dev/clock", {"advance": 900})  # a shared store keeps its limits
    for _ in range(8):
        await dev.asks_for_mail("ann@example.test")
        await dev.post("/dev/reset")
        if dev.services.ground.settings.redis_url is not None:
            break


@pytest.mark.parametrize("path", ["/dev", "/dev/mailbox"])
async def test_the_pages_are_the_hosted_shell(dev: Dev, path: str) -> None:
    answer = await dev.http.get(path)
    assert answer.status_code == 200
    assert "<noscript>" in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


async def test_every_answer_says_that_this_is_dev_mode(dev: Dev) -> None:
    for path in ("/livez", "/v1/config", "/dev/people.json", "/nowhere"):
        assert (await dev.http.get(path)).headers["X-Authsvc-Dev"] == "1"
    assert (await dev.get("/v1/config"))["dev"] is True


async def test_localhost_is_let_in_and_no_other_host(dev: Dev) -> None:
    for host in ("localhost", "localhost:8000", "127.0.0.1:8000"):
        answer = await dev.http.get("/dev/people.json", headers={"Host": host})
        assert answer.status_code == 200, host
    for host in ("evil.example", "localhost.evil.example", "203.0.113.9:8000"):
        answer = await dev.http.get("/dev/people.json", headers={"Host": host})
        assert answer.status_code == 400, host
        assert "items" not in answer.text


async def test_pages_of_other_sites_do_nothing(dev: Dev) -> None:
    strangers = [
        {"Origin": "https://evil.example"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ]
    for headers in strangers:
        for method, path in (("POST", "/dev/reset"), ("DELETE", "/dev/mailbox.json")):
            answer = await dev.http.request(method, path, headers=headers)
            assert answer.status_code == 403, headers
            assert answer.json()["code"] == "csrf_rejected"


def test_the_addresses_of_people_are_made_up() -> None:
    assert all(person.email.endswith("@example.test") for person in PEOPLE)


def test_dev_mode_needs_nothing_from_the_environment(tmp_path: Any) -> None:
    settings = dev_settings({}, port=9999, data=tmp_path / "dev")
    assert settings.public_url == "http://localhost:9999"
    key = tmp_path / "dev" / "secret.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert dev_settings({}, port=9999, data=tmp_path / "dev").secret_key == settings.secret_key
    assert httpx2.URL(settings.database_url.get_secret_value()).scheme == "sqlite+aiosqlite"
