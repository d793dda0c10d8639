"""Sign-in by e-mail, through the shipped application. Spec: api.md §12 b–c, security.md B2."""

from typing import Any

import pytest

from authsvc.accounts.service import Status
from tests.actors import CHROME, SPA, Person
from tests.journeys.conftest import Stage


async def test_the_answer_promises_nothing_about_the_account(stage: Stage, ann: Person) -> None:
    answer = await ann.browser.post("/v1/sign-in/email", {"email": ann.address})
    assert answer.status_code == 202
    body = answer.json()
    assert body["next"] == "check_email"
    assert body["delivery"]["to"] == "a…@example.com"
    assert body["code"] == {"digits": 6, "attempts_left": 5}
    assert body["resend_after"] == 30
    assert body["flow"]["id"].startswith("flw_")
    assert "token" not in body["flow"]
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-authsvc_flow=")
    assert "HttpOnly" in cookie
    assert "Secure" in cookie
    assert "Path=/" in cookie
    assert "SameSite=lax" in cookie.replace("Lax", "lax")
    assert "Domain" not in cookie


async def test_by_link_in_the_same_browser(stage: Stage, ann: Person) -> None:
    mail = await ann.asks_for_mail(return_to=f"{SPA}/orders", client_id="web")
    seen = await ann.browser.post("/v1/sign-in/link/inspect", {"token": mail.token})
    assert seen.json()["same_browser"] is True
    assert seen.json()["account_hint"] == "a…@example.com"
    assert seen.json()["requested"]["browser"] == "Firefox on Linux"
    answer = await ann.browser.post("/v1/sign-in/link/confirm", {"token": mail.token})
    body = answer.json()
    assert body["next"] == "done"
    assert body["return_to"] == f"{SPA}/orders"
    assert body["session"]["acr"] == "aal1"
    assert body["session"]["amr"] == ["email"]
    assert body["session"]["mfa"] is False
    envelope = await ann.browser.resume(profile=True)
    assert envelope["user"]["email"] == "ann@example.com"
    assert envelope["user"]["email_verified"] is True


async def test_by_code_with_a_blank(stage: Stage, ann: Person) -> None:
    mail = await ann.asks_for_mail()
    typed = f" {mail.code[:3]}-{mail.code[3:]} "
    answer = await ann.browser.post("/v1/sign-in/email/code", {"code": typed})
    assert answer.json()["next"] == "done"


async def test_each_secret_works_once(stage: Stage, ann: Person) -> None:
    mail = await ann.asks_for_mail()
    first = await ann.browser.post("/v1/sign-in/link/confirm", {"token": mail.token})
    assert first.status_code == 200
    again = await ann.browser.post("/v1/sign-in/link/confirm", {"token": mail.token})
    assert (again.status_code, again.json()["code"]) == (409, "link_already_used")
    seen = await ann.browser.post("/v1/sign-in/link/inspect", {"token": mail.token})
    assert seen.json()["code"] == "link_already_used"
    code = await ann.browser.post("/v1/sign-in/email/code", {"code": mail.code})
    assert (code.status_code, code.json()["code"]) == (409, "flow_step_mismatch")


async def test_newest_only(stage: Stage, ann: Person) -> None:
    first = await ann.asks_for_mail()
    stage.clock.advance(31)
    resent = await ann.browser.post("/v1/sign-in/email/resend")
    assert resent.status_code == 202
    await stage.deliver()
    second = ann.inbox.last(ann.address)
    assert second.token != first.token
    old = await ann.browser.post("/v1/sign-in/link/confirm", {"token": first.token})
    assert old.json()["code"] == "link_expired"
    wrong = await ann.browser.post("/v1/sign-in/email/code", {"code": first.code})
    assert wrong.json()["code"] == "code_incorrect"
    new = await ann.browser.post("/v1/sign-in/email/code", {"code": second.code})
    assert new.json()["next"] == "done"


async def test_expired_after_ten_minutes(stage: Stage, ann: Person) -> None:
    mail = await ann.asks_for_mail()
    stage.clock.advance(601)
    link = await ann.browser.post("/v1/sign-in/link/confirm", {"token": mail.token})
    assert (link.status_code, link.json()["code"]) == (410, "link_expired")
    code = await ann.browser.post("/v1/sign-in/email/code", {"code": mail.code})
    assert (code.status_code, code.json()["code"]) == (410, "challenge_expired")


async def test_attempt_expired_after_fifteen_minutes(stage: Stage, ann: Person) -> None:
    mail = await ann.asks_for_mail()
    stage.clock.advance(901)
    answer = await ann.browser.post("/v1/sign-in/email/code", {"code": mail.code})
    assert (answer.status_code, answer.json()["code"]) == (410, "flow_expired")


class TestAnotherBrowser:
    async def test_gets_a_hint_and_burns_nothing(self, stage: Stage, ann: Person) -> None:
        mail = await ann.asks_for_mail()
        phone = await stage.browser(user_agent=CHROME)
        seen = await phone.post("/v1/sign-in/link/inspect", {"token": mail.token})
        assert seen.json()["same_browser"] is False
        for body in ({}, {"here": True}, {"code": mail.code}):
            answer = await phone.post("/v1/sign-in/link/confirm", {"token": mail.token, **body})
            assert (answer.status_code, answer.json()["code"]) == (409, "other_browser")
        assert (await phone.resume())["next"] == "sign_in"
        home = await ann.browser.post("/v1/sign-in/link/confirm", {"token": mail.token})
        assert home.json()["next"] == "done"

    async def test_signs_in_here_with_the_code(self, stage: Stage, ann: Person) -> None:
        mail = await ann.asks_for_mail()
        phone = await stage.browser(user_agent=CHROME)
        answer = await phone.post(
            "/v1/sign-in/link/confirm", {"token": mail.token, "here": True, "code": mail.code}
        )
        assert answer.json()["next"] == "done"
        assert (await phone.resume())["next"] == "done"
        assert (await ann.browser.resume())["next"] != "done"

    async def test_an_app_that_asked_gets_nothing_of_it(self, stage: Stage, ann: Person) -> None:
        attacker = await stage.browser(origin=None)
        body = {"email": ann.address, "client_id": "cli"}
        token = (await attacker.post("/v1/sign-in/email", body)).json()["flow"]["token"]
        await stage.deliver()
        mail = ann.inbox.last_link(ann.address)
        await ann.browser.post("/v1/sign-in/email", {"email": "ann@other.example"})
        here = {"token": mail.token, "here": True, "code": mail.code}
        answer = await ann.browser.post("/v1/sign-in/link/confirm", here)
        assert answer.json()["next"] == "done"
        assert (await ann.browser.resume())["next"] == "done"
        exchange = {"grant": "flow", "client_id": "cli", "flow_token": token}
        stolen = await attacker.post("/v1/token", exchange)
        assert (stolen.status_code, stolen.json()["code"]) == (410, "flow_expired")

    async def test_the_code_alone_is_worth_nothing_elsewhere(
        self, stage: Stage, ann: Person
    ) -> None:
        mail = await ann.asks_for_mail()
        thief = await stage.browser()
        answer = await thief.post("/v1/sign-in/email/code", {"code": mail.code})
        assert answer.json()["code"] == "flow_expired"

    async def test_wrong_codes_are_counted_and_burn_nothing(
        self, stage: Stage, ann: Person
    ) -> None:
        mail = await ann.asks_for_mail()
        phone = await stage.browser(user_agent=CHROME)
        wrong = f"{(int(mail.code) + 1) % 1_000_000:06d}"
        left = []
        for _ in range(5):
            answer = await phone.post(
                "/v1/sign-in/link/confirm", {"token": mail.token, "here": True, "code": wrong}
            )
            assert answer.json()["code"] == "code_incorrect"
            left.append(answer.json()["attempts_left"])
        assert left == [4, 3, 2, 1, 0]
        right = await phone.post(
            "/v1/sign-in/link/confirm", {"token": mail.token, "here": True, "code": mail.code}
        )
        assert right.json()["code"] == "challenge_expired"
        home = await ann.browser.post("/v1/sign-in/link/confirm", {"token": mail.token})
        assert home.json()["next"] == "done"


async def test_a_scanner_that_does_everything_gets_nothing(stage: Stage, ann: Person) -> None:
    mail = await ann.asks_for_mail()
    path = mail.link.removeprefix("https://auth.example.com")
    scanner = await stage.browser(user_agent="LinkScanner/1.0")
    for method in ("HEAD", "GET", "GET", "GET"):
        page = await scanner.http.request(method, path)
        assert page.status_code == 200
        assert "set-cookie" not in page.headers
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["referrer-policy"] == "no-referrer"
    await scanner.post("/v1/sign-in/link/inspect", {"token": mail.token})
    pressed = await scanner.post("/v1/sign-in/link/confirm", {"token": mail.token})
    assert pressed.json()["code"] == "other_browser"
    pressed = await scanner.post("/v1/sign-in/link/confirm", {"token": mail.token, "here": True})
    assert pressed.json()["code"] == "other_browser"
    assert (await scanner.resume())["next"] == "sign_in"
    answer = await ann.browser.post("/v1/sign-in/link/confirm", {"token": mail.token})
    assert answer.json()["next"] == "done"


async def test_forged_hosts_change_no_link(stage: Stage, ann: Person) -> None:
    forged = {
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "http",
        "Forwarded": "host=evil.example;proto=http",
        "X-Original-Host": "evil.example",
    }
    answer = await ann.browser.post("/v1/sign-in/email", {"email": ann.address}, **forged)
    assert answer.status_code == 202
    await stage.deliver()
    assert ann.inbox.last(ann.address).link.startswith("https://auth.example.com/ui/link?t=")
    hosted = await ann.browser.post(
        "/v1/sign-in/email", {"email": "bob@example.com"}, Host="evil.example"
    )
    assert (hosted.status_code, hosted.json()["code"]) == (400, "bad_request")
    assert not ann.inbox.to("bob@example.com")


async def test_five_wrong_codes_end_the_message(stage: Stage, ann: Person) -> None:
    mail = await ann.asks_for_mail()
    wrong = f"{(int(mail.code) + 1) % 1_000_000:06d}"
    for left in (4, 3, 2, 1, 0):
        answer = await ann.browser.post("/v1/sign-in/email/code", {"code": wrong})
        assert (answer.status_code, answer.json()["attempts_left"]) == (422, left)
        assert answer.json()["errors"][0]["pointer"] == "#/code"
    answer = await ann.browser.post("/v1/sign-in/email/code", {"code": mail.code})
    assert (answer.status_code, answer.json()["code"]) == (410, "challenge_expired")
    link = await ann.browser.post("/v1/sign-in/link/confirm", {"token": mail.token})
    assert link.json()["next"] == "done"


async def test_ten_wrong_codes_over_messages_close_the_first_step(
    stage: Stage, ann: Person
) -> None:
    for _ in range(2):
        mail = await ann.asks_for_mail()
        wrong = f"{(int(mail.code) + 1) % 1_000_000:06d}"
        for _ in range(5):
            await ann.browser.post("/v1/sign-in/email/code", {"code": wrong})
        stage.clock.advance(31)
    mail = await ann.asks_for_mail()
    answer = await ann.browser.post("/v1/sign-in/email/code", {"code": mail.code})
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_attempts")
    assert 0 < int(answer.headers["retry-after"]) <= 900
    link = await ann.browser.post("/v1/sign-in/link/confirm", {"token": mail.token})
    assert link.json()["next"] == "done"


async def test_recipient_caps(stage: Stage, ann: Person) -> None:
    granted = 0
    for place in range(9):
        browser = await stage.browser(address=f"203.0.{place}.9")
        answer = await browser.post("/v1/sign-in/email", {"email": ann.address})
        if answer.status_code == 202:
            granted += 1
        else:
            assert (answer.status_code, answer.json()["code"]) == (429, "resend_too_soon")
            assert int(answer.headers["retry-after"]) >= 1
        await stage.deliver()
        stage.clock.advance(95)
    assert granted == 5
    assert len(ann.inbox.to(ann.address)) == 5


@pytest.mark.parametrize(
    ("mode", "code"), [("invite", "invitation_required"), ("closed", None)], ids=str
)
class TestSignUpModes:
    @pytest.fixture
    def changes(self, mode: str) -> dict[str, Any]:
        return {"sign_up": {"mode": mode}}

    async def test_strangers_learn_it_only_after_the_proof(
        self, stage: Stage, ann: Person, code: str | None
    ) -> None:
        answer = await ann.browser.post("/v1/sign-in/email", {"email": ann.address})
        assert answer.status_code == 202
        await stage.deliver()
        if code is None:
            assert not ann.inbox.mails
            return
        mail = ann.inbox.last(ann.address)
        answer = await ann.browser.post("/v1/sign-in/link/confirm", {"token": mail.token})
        assert (answer.status_code, answer.json()["code"]) == (403, code)
        again = await ann.browser.post("/v1/sign-in/link/confirm", {"token": mail.token})
        assert again.json()["code"] == "link_already_used"
        assert (await ann.browser.resume())["next"] != "done"

    async def test_an_invitation_opens_an_account(
        self, stage: Stage, ann: Person, code: str | None
    ) -> None:
        await stage.services.people.invite("Ann@Example.com", locale="en", by="cli")
        await stage.deliver()
        mail = ann.inbox.last(ann.address)
        seen = await ann.browser.post("/v1/sign-in/link/inspect", {"token": mail.token})
        assert seen.json()["purpose"] == "invite"
        bare = await ann.browser.post("/v1/sign-in/link/confirm", {"token": mail.token})
        assert bare.json()["code"] == "other_browser"
        full = {"token": mail.token, "here": True, "code": mail.code}
        answer = await ann.browser.post("/v1/sign-in/link/confirm", full)
        assert answer.json()["next"] == "done"
        again = await ann.browser.post("/v1/sign-in/link/confirm", full)
        assert again.json()["code"] == "link_already_used"
        stage.clock.advance(31)
        elsewhere = ann.elsewhere(await stage.browser(user_agent=CHROME))
        assert (await elsewhere.signs_in_by_code())["next"] == "done"


async def test_an_invitation_opens_no_account_that_exists(stage: Stage, ann: Person) -> None:
    await stage.services.people.invite(ann.address, locale="en", by="cli")
    await stage.deliver()
    invited = ann.inbox.last_link(ann.address)
    await ann.signs_in_by_code()
    finder = await stage.browser(user_agent=CHROME)
    body = {"token": invited.token, "here": True, "code": invited.code}
    answer = await finder.post("/v1/sign-in/link/confirm", body)
    assert (answer.status_code, answer.json()["code"]) == (409, "link_already_used")
    assert (await finder.resume())["next"] != "done"


async def test_disabled_people_get_no_mail_and_the_same_answer(stage: Stage, ann: Person) -> None:
    await ann.signs_in_by_code()
    await stage.services.people.set_status(ann.address, Status.DISABLED, by="cli")
    stage.clock.advance(31)
    before = len(ann.inbox.mails)
    stranger = await stage.browser()
    known = await stranger.post("/v1/sign-in/email", {"email": ann.address})
    unknown = await stranger.post("/v1/sign-in/email", {"email": "nobody@example.com"})
    assert known.status_code == unknown.status_code == 202
    assert set(known.json()) == set(unknown.json())
    await stage.deliver()
    assert [mail.to for mail in ann.inbox.mails[before:]] == [("nobody@example.com",)]
    assert (await ann.browser.resume())["next"] == "sign_in"


async def test_several_tabs_have_attempts_of_their_own(stage: Stage, ann: Person) -> None:
    mine = (await ann.browser.post("/v1/sign-in/email", {"email": ann.address})).json()
    work = (await ann.browser.post("/v1/sign-in/email", {"email": "ann@work.example"})).json()
    await stage.deliver()
    first, second = ann.inbox.last(ann.address), ann.inbox.last("ann@work.example")
    named = await ann.browser.get(f"/v1/flow?flow={mine['flow']['id']}")
    assert named.json()["delivery"]["to"] == "a…@example.com"
    newest = await ann.browser.get("/v1/flow")
    assert newest.json()["flow"]["id"] == work["flow"]["id"]
    body = {"flow": mine["flow"]["id"], "code": first.code}
    assert (await ann.browser.post("/v1/sign-in/email/code", body)).json()["next"] == "done"
    answer = await ann.browser.post("/v1/sign-in/link/confirm", {"token": second.token})
    assert answer.json()["next"] == "done"


async def test_a_refused_second_start_hides_nothing(stage: Stage, ann: Person) -> None:
    mail = await ann.asks_for_mail()
    again = await ann.browser.post("/v1/sign-in/email", {"email": ann.address})
    assert again.json()["code"] == "resend_too_soon"
    answer = await ann.browser.post("/v1/sign-in/email/code", {"code": mail.code})
    assert answer.json()["next"] == "done"


async def test_strangers_cannot_keep_a_person_out(stage: Stage, ann: Person) -> None:
    mail = await ann.asks_for_mail()
    await ann.browser.post("/v1/sign-in/email/code", {"code": mail.code})
    await ann.browser.post("/v1/logout")
    stage.clock.advance(31)
    for place in range(20):
        stranger = await stage.browser(address=f"198.51.{place}.7")
        await stranger.post("/v1/sign-in/email", {"email": ann.address})
    assert (await ann.signs_in_by_code())["next"] == "done"


async def test_giving_up_an_attempt(stage: Stage, ann: Person) -> None:
    mail = await ann.asks_for_mail()
    assert (await ann.browser.delete("/v1/flow")).status_code == 204
    answer = await ann.browser.post("/v1/sign-in/link/confirm", {"token": mail.token})
    assert answer.json()["code"] == "link_expired"


async def test_a_pending_attempt_is_told_at_boot(stage: Stage, ann: Person) -> None:
    await ann.asks_for_mail()
    assert (await ann.browser.resume())["next"] == "check_email"


async def test_mail_speaks_the_persons_language(stage: Stage, ann: Person) -> None:
    mail = await ann.asks_for_mail(ui_locales="de-AT fr")
    english = await stage.person("bob@example.com")
    other = await english.asks_for_mail()
    assert mail.subject != other.subject
