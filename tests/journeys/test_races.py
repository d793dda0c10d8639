"""The same thing at the same instant: one effect each. Spec: security.md B2, B4, B5."""

import asyncio

from tests.actors import Person
from tests.journeys.conftest import Stage

MANY = 16


async def test_one_link_pressed_by_many(stage: Stage, ann: Person) -> None:
    mail = await ann.asks_for_mail()
    answers = await asyncio.gather(
        *(ann.browser.post("/v1/sign-in/link/confirm", {"token": mail.token}) for _ in range(MANY))
    )
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [200] + [409] * (MANY - 1)


async def test_link_and_code_at_once_open_one_session(stage: Stage, ann: Person) -> None:
    mail = await ann.asks_for_mail()
    answers = await asyncio.gather(
        ann.browser.post("/v1/sign-in/link/confirm", {"token": mail.token}),
        ann.browser.post("/v1/sign-in/email/code", {"code": mail.code}),
    )
    assert sorted(answer.status_code == 200 for answer in answers) == [False, True]
    bearer = await ann.browser.bearer()
    listed = await ann.browser.get("/v1/account/sessions", **bearer)
    assert len(listed.json()["items"]) == 1


async def test_parallel_refreshes_agree(stage: Stage, ann: Person) -> None:
    await ann.signs_in_by_code()
    stage.clock.advance(11)
    old = ann.browser.credential or ""
    tabs = [await stage.browser() for _ in range(MANY)]
    for tab in tabs:
        tab.present(old)
    envelopes = await asyncio.gather(*(tab.resume() for tab in tabs))
    assert {envelope["next"] for envelope in envelopes} == {"done"}
    assert len({tab.credential for tab in tabs}) == 1
    assert tabs[0].credential != old


async def test_parallel_guesses_never_pass_the_cap(stage: Stage, ann: Person) -> None:
    mail = await ann.asks_for_mail()
    wrong = f"{(int(mail.code) + 1) % 1_000_000:06d}"
    answers = await asyncio.gather(
        *(ann.browser.post("/v1/sign-in/email/code", {"code": wrong}) for _ in range(MANY))
    )
    judged = [answer for answer in answers if answer.json()["code"] == "code_incorrect"]
    assert len(judged) == 5
    assert sorted(answer.json()["attempts_left"] for answer in judged) == [0, 1, 2, 3, 4]


async def test_a_burst_of_sign_ups_makes_one_person(stage: Stage, ann: Person) -> None:
    others = [await stage.person("ann@example.com") for _ in range(3)]
    proofs = []
    for person in others:
        mail = await person.asks_for_mail()
        proofs.append((person, mail))
        stage.clock.advance(31)
    newest = proofs[-1]
    answers = await asyncio.gather(
        *(
            person.browser.post("/v1/sign-in/link/confirm", {"token": mail.token})
            for person, mail in (newest, newest, newest)
        )
    )
    assert [answer.status_code for answer in answers].count(200) == 1
    found = await stage.services.people.search("ann@example.com")
    assert len(found) == 1


async def test_parallel_native_exchanges_give_one_set_of_tokens(stage: Stage) -> None:
    app = await stage.browser(origin=None)
    started = await app.post("/v1/sign-in/email", {"email": "ann@example.com", "client_id": "cli"})
    token = started.json()["flow"]["token"]
    await stage.deliver()
    code = stage.inbox.last_link("ann@example.com").code
    await app.post("/v1/sign-in/email/code", {"code": code, "flow_token": token})
    exchange = {"grant": "flow", "client_id": "cli", "flow_token": token}
    answers = await asyncio.gather(*(app.post("/v1/token", exchange) for _ in range(MANY)))
    assert [answer.status_code for answer in answers].count(200) == 1
