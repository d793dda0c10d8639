"""Boot, refresh, reuse, ends, sign-out, lists. Spec: api.md §2, §5, §6; security.md B4."""

from typing import Any

import jwt
import pytest

from authsvc.verify import Verifier
from tests.actors import AUTH, CHROME, SPA, Browser, Person
from tests.journeys.conftest import Stage


async def spa(stage: Stage, person: Person) -> Browser:
    """The app's page in the same browser profile: same jar, other origin."""
    return Browser(person.browser.http, origin=SPA, user_agent=person.browser.user_agent)


async def test_nobody_is_signed_in(stage: Stage) -> None:
    browser = await stage.browser(origin=SPA)
    envelope = await browser.resume()
    assert envelope["next"] == "sign_in"
    assert envelope["reason"] == "none"
    assert envelope["methods"] == [{"type": "email"}]
    assert envelope["continue_url"] == f"{AUTH}/ui/sign-in?client_id=web"


async def test_claims(stage: Stage, ann: Person) -> None:
    await ann.signs_in_by_code()
    page = await spa(stage, ann)
    envelope = await page.resume()
    token = envelope["access_token"]
    header = jwt.get_unverified_header(token)
    assert header["typ"] == "at+jwt"
    assert header["alg"] == "ES256"
    jwks = (await page.get("/.well-known/jwks.json")).json()
    key = next(key for key in jwks["keys"] if key["kid"] == header["kid"])
    claims = jwt.decode(
        token, jwt.PyJWK(key).key, algorithms=["ES256"], audience="orders-api", issuer=AUTH
    )
    assert claims["exp"] - claims["iat"] == 300
    assert claims["client_id"] == "web"
    assert claims["aud"] == ["orders-api"]
    assert claims["sub"].startswith("usr_")
    assert claims["sid"] == envelope["session"]["id"]
    assert (claims["acr"], claims["amr"], claims["mfa"]) == ("aal1", ["email"], False)
    assert "mfa_time" not in claims
    assert envelope["expires_in"] == 300
    assert "user" not in envelope


async def test_profile_only_when_asked(stage: Stage, ann: Person) -> None:
    await ann.signs_in_by_code()
    page = await spa(stage, ann)
    assert (await page.resume(profile=True))["user"]["email"] == ann.address


@pytest.mark.parametrize("audience", ["other-api", "", "orders-api "])
async def test_an_audience_of_somebody_else(stage: Stage, ann: Person, audience: str) -> None:
    await ann.signs_in_by_code()
    before = ann.browser.credential
    page = await spa(stage, ann)
    stage.clock.advance(11)
    answer = await page.post("/v1/session/resume", {"audience": audience})
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert ann.browser.credential == before


async def test_rotation_and_grace(stage: Stage, ann: Person) -> None:
    await ann.signs_in_by_code()
    first = ann.browser.credential
    await ann.browser.resume()
    assert ann.browser.credential == first, "younger than ten seconds: handed back as it is"
    stage.clock.advance(11)
    await ann.browser.resume()
    second = ann.browser.credential
    assert second != first
    ann.browser.present(first or "")
    assert (await ann.browser.resume())["next"] == "done"
    assert ann.browser.credential == second, "a lost answer is repeated"


async def test_reuse_ends_the_session_with_event_and_mail(stage: Stage, ann: Person) -> None:
    await ann.signs_in_by_code()
    stolen = ann.browser.credential or ""
    stage.clock.advance(11)
    await ann.browser.resume()
    stage.clock.advance(11)
    thief = await stage.browser(user_agent=CHROME, address="198.51.100.7")
    thief.present(stolen)
    envelope = await thief.resume()
    assert (envelope["next"], envelope["reason"]) == ("sign_in", "session_revoked")
    mine = await ann.browser.resume()
    assert (mine["next"], mine["reason"]) == ("sign_in", "session_revoked")
    before = len(ann.inbox.to(ann.address))
    await stage.deliver()
    assert len(ann.inbox.to(ann.address)) == before + 1
    await thief.resume()
    await stage.deliver()
    assert len(ann.inbox.to(ann.address)) == before + 1, "one fact, one mail"


async def test_one_late_retry_from_the_same_place(stage: Stage, ann: Person) -> None:
    await ann.signs_in_by_code()
    parent = ann.browser.credential or ""
    stage.clock.advance(11)
    await ann.browser.resume()
    child = ann.browser.credential
    stage.clock.advance(60)
    ann.browser.present(parent)
    assert (await ann.browser.resume())["next"] == "done"
    assert ann.browser.credential == child
    ann.browser.present(parent)
    assert (await ann.browser.resume())["reason"] == "session_revoked"


async def test_no_late_retry_once_the_successor_was_shown(stage: Stage, ann: Person) -> None:
    await ann.signs_in_by_code()
    parent = ann.browser.credential or ""
    stage.clock.advance(11)
    await ann.browser.resume()
    await ann.browser.resume()
    stage.clock.advance(60)
    ann.browser.present(parent)
    assert (await ann.browser.resume())["reason"] == "session_revoked"


@pytest.mark.parametrize(
    "junk", ["x", "rt1.a.b.c.d", "rt1." + "A" * 22 + ".1.00000000." + "A" * 43]
)
async def test_junk_is_no_session_and_no_alarm(stage: Stage, junk: str) -> None:
    browser = await stage.browser()
    browser.present(junk)
    envelope = await browser.resume()
    assert (envelope["next"], envelope["reason"]) == ("sign_in", "none")


async def test_idle_end(stage: Stage, ann: Person) -> None:
    await ann.signs_in_by_code(stay_signed_in=True)
    stage.clock.advance(14 * 86400 + 1)
    assert (await ann.browser.resume())["reason"] == "session_idle"


async def test_absolute_end_is_never_moved(stage: Stage, ann: Person) -> None:
    envelope = await ann.signs_in_by_code(stay_signed_in=True)
    end = envelope["session"]["expires_at"]
    for _ in range(3):
        stage.clock.advance(9 * 86400)
        assert (await ann.browser.resume())["session"]["expires_at"] == end
    stage.clock.advance(3 * 86400 + 1)
    assert (await ann.browser.resume())["reason"] == "session_expired"


async def test_not_staying_signed_in(stage: Stage, ann: Person) -> None:
    mail = await ann.asks_for_mail(stay_signed_in=False)
    answer = await ann.browser.post("/v1/sign-in/email/code", {"code": mail.code})
    cookie = next(line for line in answer.headers.get_list("set-cookie") if "_rt=" in line)
    assert "Max-Age" not in cookie
    assert "SameSite=strict" in cookie.replace("Strict", "strict")
    stage.clock.advance(86401)
    assert (await ann.browser.resume())["reason"] in ("session_expired", "session_idle")


async def test_administrators_are_always_strict(stage: Stage, ann: Person) -> None:
    await ann.signs_in_by_code(stay_signed_in=True)
    await stage.services.people.change_role(ann.address, "admin", give=True, by="cli")
    stage.clock.advance(11)
    envelope = await ann.browser.resume()
    assert envelope["session"]["profile"] == "strict"
    stage.clock.advance(3601)
    assert (await ann.browser.resume())["reason"] == "session_idle"
    envelope = await ann.signs_in_by_code(stay_signed_in=True)
    assert envelope["session"]["profile"] == "strict"


async def test_roles_are_read_again_at_each_refresh(stage: Stage, ann: Person) -> None:
    await ann.signs_in_by_code()
    await stage.services.people.change_role(ann.address, "support", give=True, by="cli")
    stage.clock.advance(11)
    token = (await ann.browser.resume())["access_token"]
    assert jwt.decode(token, options={"verify_signature": False})["roles"] == ["support"]
    await stage.services.people.change_role(ann.address, "support", give=False, by="cli")
    token = (await ann.browser.resume())["access_token"]
    assert jwt.decode(token, options={"verify_signature": False})["roles"] == []


async def test_sign_out(stage: Stage, ann: Person) -> None:
    await ann.signs_in_by_code()
    kept = ann.browser.credential or ""
    answer = await ann.browser.post("/v1/logout")
    assert answer.status_code == 204
    assert ann.browser.credential is None
    ann.browser.present(kept)
    assert (await ann.browser.resume())["reason"] == "signed_out"
    assert (await ann.browser.post("/v1/logout")).status_code == 204


async def test_sign_out_everywhere(stage: Stage, ann: Person) -> None:
    await ann.signs_in_by_code()
    phone = ann.elsewhere(await stage.browser(user_agent=CHROME))
    stage.clock.advance(31)
    await phone.signs_in_by_code()
    before = len(ann.inbox.mails)
    assert (await phone.browser.post("/v1/logout", {"scope": "all"})).status_code == 204
    assert (await ann.browser.resume())["reason"] == "signed_out_elsewhere"
    assert (await phone.browser.resume())["next"] == "sign_in"
    await stage.deliver()
    subjects = [mail.subject for mail in ann.inbox.mails[before:]]
    assert len(subjects) >= 1


async def test_list_and_end_one(stage: Stage, ann: Person) -> None:
    await ann.signs_in_by_code()
    phone = ann.elsewhere(await stage.browser(user_agent=CHROME, address="2001:db8:1:2::3"))
    stage.clock.advance(31)
    await phone.signs_in_by_code()
    bearer = await ann.browser.bearer()
    listed = (await ann.browser.get("/v1/account/sessions", **bearer)).json()
    assert [item["current"] for item in listed["items"]] == [True, False]
    assert [item["browser"] for item in listed["items"]] == ["Firefox", "Chrome"]
    assert listed["items"][0]["ip"] == "203.0.113.x"
    assert listed["items"][1]["ip"].startswith("2001:db8:1:")
    other = listed["items"][1]["id"]
    gone = await ann.browser.delete(f"/v1/account/sessions/{other}", **bearer)
    assert gone.status_code == 204
    assert (await phone.browser.resume())["reason"] == "signed_out_elsewhere"
    again = await ann.browser.delete(f"/v1/account/sessions/{other}", **bearer)
    assert again.status_code == 204


async def test_somebody_elses_session_is_not_found(stage: Stage, ann: Person) -> None:
    await ann.signs_in_by_code()
    bob = await stage.person("bob@example.com", user_agent=CHROME)
    envelope = await bob.signs_in_by_code()
    bearer = await ann.browser.bearer()
    for foreign in (envelope["session"]["id"], "ses_nonsense", "ses_01ARZ3NDEKTSV4RRFFQ69G5FAV"):
        answer = await ann.browser.delete(f"/v1/account/sessions/{foreign}", **bearer)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert (await bob.browser.resume())["next"] == "done"


async def test_revoke_others(stage: Stage, ann: Person) -> None:
    await ann.signs_in_by_code()
    for _ in range(2):
        stage.clock.advance(31)
        await ann.elsewhere(await stage.browser(user_agent=CHROME)).signs_in_by_code()
    bearer = await ann.browser.bearer()
    answer = await ann.browser.post("/v1/account/sessions/revoke", {"scope": "others"}, **bearer)
    assert answer.json() == {"revoked": 2}
    assert (await ann.browser.resume())["next"] == "done"


async def test_a_repeated_revoke_has_one_answer(stage: Stage, ann: Person) -> None:
    await ann.signs_in_by_code()
    stage.clock.advance(31)
    await ann.elsewhere(await stage.browser(user_agent=CHROME)).signs_in_by_code()
    bearer = {**await ann.browser.bearer(), "Idempotency-Key": "k-1"}
    for _ in range(3):
        answer = await ann.browser.post("/v1/account/sessions/revoke", {}, **bearer)
        assert answer.json() == {"revoked": 1}
    other = await ann.browser.post("/v1/account/sessions/revoke", {"scope": "all"}, **bearer)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")
    await ann.browser.post("/v1/logout")
    fresh = bearer | {"Idempotency-Key": "k-2"}
    for _ in range(2):
        refused = await ann.browser.post("/v1/account/sessions/revoke", {}, **fresh)
        assert refused.json()["code"] == "session_revoked", "a failure is not kept"


async def test_profile(stage: Stage, ann: Person) -> None:
    await ann.signs_in_by_code()
    bearer = await ann.browser.bearer()

    async def patch(body: Any) -> Any:
        return await ann.browser.http.patch(
            "/v1/account", json=body, headers=ann.browser.headers(bearer)
        )

    answer = await patch({"name": "  Ann   Moreau ", "locale": "de"})
    assert (answer.json()["name"], answer.json()["locale"]) == ("Ann Moreau", "de")
    assert (await patch({"name": None})).json()["name"] is None
    assert (await patch({})).json()["locale"] == "de"
    for bad in (
        {"locale": "xx"}, {"name": "a\nb"}, {"name": "x" * 65}, {"name": "see https://evil.example"},
        {"roles": ["admin"]}, {"email_verified": True}, {"status": "active"}, {"name": 1},
    ):  # fmt: skip
        refused = await patch(bad)
        assert (refused.status_code, refused.json()["code"]) == (422, "validation_failed"), bad


async def test_an_ended_session_opens_no_account(stage: Stage, ann: Person) -> None:
    await ann.signs_in_by_code()
    bearer = await ann.browser.bearer()
    await ann.browser.post("/v1/logout")
    answer = await ann.browser.get("/v1/account", **bearer)
    assert (answer.status_code, answer.json()["code"]) == (401, "session_revoked")
    assert answer.headers["www-authenticate"].startswith('Bearer error="invalid_token"')


async def test_an_ended_session_signs_nobody_out(stage: Stage) -> None:
    app, flow_token = await TestNativeApps().signs_in(stage)
    exchange = {"grant": "flow", "client_id": "cli", "flow_token": flow_token}
    exchange["audience"] = "authsvc"
    tokens = (await app.post("/v1/token", exchange)).json()
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    await app.post("/v1/logout", **bearer)
    stage.clock.advance(31)
    ann = await stage.person("ann@example.com")
    await ann.signs_in_by_code()
    await app.post("/v1/logout", {"scope": "all"}, **bearer)
    assert (await ann.browser.resume())["next"] == "done"


async def test_tokens_for_an_api_do_not_open_the_account(stage: Stage, ann: Person) -> None:
    await ann.signs_in_by_code()
    token = (await (await spa(stage, ann)).resume())["access_token"]
    answer = await ann.browser.get("/v1/account", Authorization=f"Bearer {token}")
    assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")
    assert (await ann.browser.get("/v1/account")).json()["code"] == "token_missing"


class TestNativeApps:
    async def signs_in(self, stage: Stage) -> tuple[Browser, str]:
        app = await stage.browser(origin=None, user_agent="acme-cli/1.0")
        started = await app.post(
            "/v1/sign-in/email", {"email": "ann@example.com", "client_id": "cli"}
        )
        assert started.status_code == 202, started.text
        assert "set-cookie" not in started.headers
        flow_token = started.json()["flow"]["token"]
        assert flow_token.startswith("ft_")
        await stage.deliver()
        code = stage.inbox.last_link("ann@example.com").code
        proved = await app.post("/v1/sign-in/email/code", {"code": code, "flow_token": flow_token})
        assert proved.json()["next"] == "done"
        assert "access_token" not in proved.json()
        assert "set-cookie" not in proved.headers
        return app, flow_token

    async def test_exchange_and_refresh(self, stage: Stage) -> None:
        app, flow_token = await self.signs_in(stage)
        exchange = {"grant": "flow", "client_id": "cli", "flow_token": flow_token}
        first = await app.post("/v1/token", exchange)
        assert set(first.json()) == {"access_token", "token_type", "expires_in", "refresh_token"}
        again = await app.post("/v1/token", exchange)
        assert (again.status_code, again.json()["code"]) == (410, "flow_expired")
        stage.clock.advance(11)
        refresh = {
            "grant": "refresh_token", "client_id": "cli",
            "refresh_token": first.json()["refresh_token"],
        }  # fmt: skip
        second = await app.post("/v1/token", refresh)
        assert second.json()["refresh_token"] != first.json()["refresh_token"]
        repeated = await app.post("/v1/token", refresh)
        assert repeated.json()["refresh_token"] == second.json()["refresh_token"]

    async def test_another_client_neither_refreshes_nor_ends_it(self, stage: Stage) -> None:
        app, flow_token = await self.signs_in(stage)
        exchange = {"grant": "flow", "client_id": "cli", "flow_token": flow_token}
        credential = (await app.post("/v1/token", exchange)).json()["refresh_token"]
        body = {"grant": "refresh_token", "client_id": "web", "refresh_token": credential}
        refused = await app.post("/v1/token", body)
        assert refused.json()["code"] == "validation_failed"
        mine = await app.post("/v1/token", body | {"client_id": "cli"})
        assert mine.status_code == 200
        assert "access_token" in mine.json()

    async def test_a_native_credential_is_no_cookie(self, stage: Stage) -> None:
        app, flow_token = await self.signs_in(stage)
        exchange = {"grant": "flow", "client_id": "cli", "flow_token": flow_token}
        credential = (await app.post("/v1/token", exchange)).json()["refresh_token"]
        browser = await stage.browser()
        browser.present(credential)
        envelope = await browser.resume(audience="authsvc")
        assert (envelope["next"], envelope["reason"]) == ("sign_in", "none")
        body = {"grant": "refresh_token", "client_id": "cli", "refresh_token": credential}
        assert "access_token" in (await app.post("/v1/token", body)).json()

    async def test_browsers_are_refused(self, stage: Stage) -> None:
        for origin in (AUTH, SPA, "https://evil.example", "null"):
            browser = await stage.browser(origin=origin)
            body = {"grant": "refresh_token", "client_id": "cli", "refresh_token": "x"}
            answer = await browser.post("/v1/token", body)
            assert answer.status_code == 403

    async def test_sign_out_by_bearer(self, stage: Stage) -> None:
        app, flow_token = await self.signs_in(stage)
        exchange = {
            "grant": "flow", "client_id": "cli", "flow_token": flow_token, "audience": "authsvc",
        }  # fmt: skip
        tokens = (await app.post("/v1/token", exchange)).json()
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        assert (await app.post("/v1/logout")).json()["code"] == "token_missing"
        assert (await app.post("/v1/logout", **bearer)).status_code == 204
        body = {
            "grant": "refresh_token", "client_id": "cli", "refresh_token": tokens["refresh_token"],
        }  # fmt: skip
        assert (await app.post("/v1/token", body)).json()["next"] == "sign_in"

    async def test_cookies_are_ignored(self, stage: Stage, ann: Person) -> None:
        await ann.signs_in_by_code()
        native = Browser(ann.browser.http, origin=None)
        assert (await native.post("/v1/session/resume")).status_code == 403
        assert (await native.post("/v1/logout")).status_code == 403
        assert (await ann.browser.resume())["next"] == "done"


async def test_the_verifier_accepts_offline(stage: Stage, ann: Person) -> None:
    await ann.signs_in_by_code()
    token = (await (await spa(stage, ann)).resume())["access_token"]
    transport = ann.browser.http._transport
    verifier = Verifier(
        issuer=AUTH,
        audience="orders-api",
        transport=transport,
        now=lambda: stage.clock.now().timestamp(),
    )
    principal = await verifier.verify(token)
    assert principal.acr == "aal1"
    await verifier.aclose()
