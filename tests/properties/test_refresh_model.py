"""Sessions against a plain description of security.md B4: lost answers, tabs, thieves, crashes."""

import json
import time
from base64 import urlsafe_b64decode
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from authsvc.accounts import repo as accounts
from authsvc.sessions.service import session_uuid
from tests.actors import CHROME, FIREFOX, Browser
from tests.databases import Backend
from tests.properties.house import HOME, House, settings_for, steps
from tests.scale import pick, report

GRACE = timedelta(seconds=10)
IDLE, ABSOLUTE = timedelta(hours=1), timedelta(hours=4)
COOKIE = "__Host-authsvc_rt"
EXAMPLES = pick(ci=4, soak=100)
AUDIENCES = st.sampled_from(["orders-api", "authsvc"])
FATES = st.sampled_from(["arrives", "is late", "is lost"])
FORWARDS = st.sampled_from([1, 4, 9, 10, 11, 60, 3599, 3600])
BACKWARDS = st.sampled_from([-1, -2])
ENDINGS = st.sampled_from(["this", "this", "others", "all", "operator", "epoch"])
WHICH = st.integers(0, 11)
# Where credentials are shown from: browser and address.
AT_HOME, THIEF, SAME_BROWSER_AWAY = (FIREFOX, HOME), (CHROME, HOME), (FIREFOX, "198.51.100.7")


@dataclass
class Session:
    """B4 in plain words. Places are (browser, address); every address is its own network."""

    id: str
    epoch: int
    rotated_at: datetime
    idle_end: datetime
    end: datetime
    place: tuple[str, str]
    careless: bool  # sleeps through lost answers
    jar: int = 0  # the counter of the browser's cookie
    counter: int = 0
    grace_from: int = 0
    shown: bool = False
    late_retry_spent: bool = False
    over: str | None = None
    stolen: bool = False
    given: dict[int, str] = field(default_factory=dict[int, str])
    on_the_way: list[tuple[datetime, int]] = field(default_factory=list[tuple[datetime, int]])

    def lives(self, *, now: datetime, epoch: int) -> str | None:
        """None while it lives, else why it is over."""
        if self.over is not None:
            return self.over
        if self.epoch != epoch:
            return "session_revoked"
        if self.end <= now:
            return "session_expired"
        return "session_idle" if self.idle_end <= now else None

    def shows(self, counter: int, place: tuple[str, str], *, now: datetime) -> str | None:
        """A living session is shown a credential; None = the current one is handed out."""
        resting = now < self.rotated_at + GRACE
        if counter == self.counter:
            if resting:
                self.shown = True
            else:
                self._turn(place, now=now)
            return None
        if resting and counter >= self.grace_from:
            return None
        lost = counter == self.counter - 1 and not self.shown and place == self.place
        if lost and not self.late_retry_spent:
            self.late_retry_spent = True
            return None
        self.over = "session_revoked"
        return self.over

    def _turn(self, place: tuple[str, str], *, now: datetime) -> None:
        self.grace_from, self.counter = self.counter, self.counter + 1
        self.rotated_at, self.idle_end = now, now + IDLE
        self.shown, self.late_retry_spent, self.place = False, False, place


def machine_for(backend: Backend) -> type[RuleBasedStateMachine]:
    """The machine over this back end; every run has a person of its own."""

    class Refreshing(RuleBasedStateMachine):
        runs = 0
        requests = 0
        crashes = 0

        @initialize()
        def open(self) -> None:
            type(self).runs += 1
            hours = {"idle": int(IDLE.total_seconds()), "absolute": int(ABSOLUTE.total_seconds())}
            self.house = House(
                backend,
                settings_for(backend, sessions=hours, mail_caps={"pause": 1, "hour": 999}),
            )
            self.address = f"ann{self.runs}@example.com"
            self.epoch = 1
            self.sessions: list[Session] = []
            self.browsers: dict[tuple[str, str], Browser] = {}
            self.mailed_at = self.now - timedelta(seconds=1)
            self.sign_in(careless=False)

        @property
        def now(self) -> datetime:
            return self.house.clock.at

        def living(self) -> int:
            ends = (one.lives(now=self.now, epoch=self.epoch) for one in self.sessions)
            return sum(end is None for end in ends)

        def one(self, which: int) -> Session:
            return self.sessions[which % len(self.sessions)]

        def browser(self, place: tuple[str, str]) -> Browser:
            if place not in self.browsers:
                agent, address = place
                self.browsers[place] = self.house.browser(user_agent=agent, address=address)
            return self.browsers[place]

        async def call(
            self, path: str, body: Any, session: Session, counter: int, place: tuple[str, str]
        ) -> Any:
            browser = self.browser(place)
            browser.http.cookies.clear()
            type(self).requests += 1
            answer = await browser.post(path, body, Cookie=f"{COOKIE}={session.given[counter]}")
            browser.http.cookies.clear()
            return answer

        @precondition(lambda self: len(self.sessions) < 8 and self.living() < 3)
        @rule(careless=st.booleans())
        def sign_in(self, careless: bool) -> None:
            if self.now <= self.mailed_at:  # one message a second
                self.time_passes((self.mailed_at - self.now).total_seconds() + 1)
            self.mailed_at = self.now
            browser = self.house.browser()
            asked = {"email": self.address, "stay_signed_in": True}
            answer = self.house.run(browser.post("/v1/sign-in/email", asked))
            assert answer.status_code == 202, answer.text
            code = next(mail.code for mail in self.house.deliver() if mail.to == self.address)
            answer = self.house.run(browser.post("/v1/sign-in/email/code", {"code": code}))
            assert answer.status_code == 200, answer.text
            session = Session(
                id=answer.json()["session"]["id"],
                epoch=self.epoch,
                rotated_at=self.now,
                idle_end=self.now + IDLE,
                end=self.now + ABSOLUTE,
                place=AT_HOME,
                careless=careless,
            )
            assert browser.credential is not None
            session.given[0] = browser.credential
            self.sessions.append(session)

        def judged(self, session: Session, counter: int, place: tuple[str, str]) -> str | None:
            """What the description says of showing this credential now."""
            over = session.lives(now=self.now, epoch=self.epoch)
            return over or session.shows(counter, place, now=self.now)

        def check(self, answer: Any, session: Session, said: str | None, audience: str) -> None:
            """The service does as described; every credential of a counter is the same."""
            assert answer.status_code == 200, answer.text
            envelope = answer.json()
            if said is not None:
                assert (envelope["next"], envelope.get("reason")) == ("sign_in", said), session
                assert "set-cookie" not in answer.headers  # a losing request deletes no cookie
                return
            assert envelope["next"] == "done", (envelope, session)
            assert envelope["session"]["id"] == session.id
            claims = claims_of(envelope["access_token"])
            assert (claims["aud"], claims["sid"]) == ([audience], session.id)
            credential = answer.cookies[COOKIE]
            assert session.given.setdefault(session.counter, credential) == credential

        def resume(self, session: Session, counter: int, place: tuple[str, str], who: str) -> bool:
            """One request; whether somebody is signed in."""
            said = self.judged(session, counter, place)
            body = {"audience": who}
            path = "/v1/session/resume"
            answer = self.house.run(self.call(path, body, session, counter, place))
            self.check(answer, session, said, who)
            return said is None

        @rule(which=WHICH, audience=AUDIENCES, fate=FATES)
        def tab_asks(self, which: int, audience: str, fate: str) -> None:
            session = self.one(which)
            alive = session.lives(now=self.now, epoch=self.epoch) is None
            here = self.resume(session, session.jar, AT_HOME, audience)
            if not session.stolen and not session.careless:
                assert here == alive  # nobody honest is signed out by answers that are lost
            if here and fate == "arrives":
                session.jar = session.counter
            elif here and fate == "is late":
                session.on_the_way.append((self.now, session.counter))

        @rule(which=WHICH, tabs=st.integers(2, 5))
        def tabs_ask_at_once(self, which: int, tabs: int) -> None:
            session = self.one(which)
            shown, asked = session.jar, {"audience": "orders-api"}
            said = [self.judged(session, shown, AT_HOME) for _ in range(tabs)]
            path = "/v1/session/resume"
            answers = self.house.together(
                *[lambda: self.call(path, asked, session, shown, AT_HOME) for _ in range(tabs)]
            )
            if len(set(said)) == 1:
                for answer in answers:
                    self.check(answer, session, said[0], "orders-api")
            else:  # the one late retry, and who came after it
                assert said[0] is None
                reasons = sorted(answer.json().get("reason", "") for answer in answers)
                assert reasons[0] == ""
                assert set(reasons[1:]) <= {"", "session_revoked"}
            if said[-1] is None:
                session.jar = session.counter

        @precondition(lambda self: any(session.on_the_way for session in self.sessions))
        @rule(which=WHICH, turn=WHICH)
        def late_answer_arrives(self, which: int, turn: int) -> None:
            waiting = [session for session in self.sessions if session.on_the_way]
            session = waiting[which % len(waiting)]
            _, session.jar = session.on_the_way.pop(turn % len(session.on_the_way))

        @rule(which=WHICH, old=WHICH, place=st.sampled_from([THIEF, SAME_BROWSER_AWAY]))
        def thief_shows_a_copy(self, which: int, old: int, place: tuple[str, str]) -> None:
            session = self.one(which)
            session.stolen = True
            counters = sorted(session.given)
            self.resume(session, counters[old % len(counters)], place, "orders-api")

        @rule(seconds=FORWARDS | BACKWARDS)
        def time_passes(self, seconds: float) -> None:
            then = self.now + timedelta(seconds=seconds)
            for session in self.sessions:
                if not session.careless and then >= session.rotated_at + GRACE:
                    self.settle(session)
            self.house.later(seconds)
            for session in self.sessions:
                session.on_the_way = [
                    late for late in session.on_the_way if self.now < late[0] + GRACE
                ]

        def settle(self, session: Session) -> None:
            """A client whose answer was lost asks again within ten seconds."""
            if session.jar != session.counter and self.now < session.rotated_at + GRACE:
                alive = session.lives(now=self.now, epoch=self.epoch) is None
                here = self.resume(session, session.jar, AT_HOME, "orders-api")
                assert here == alive or session.stolen
                session.jar = session.counter if here else session.jar

        @rule(which=WHICH, how=ENDINGS)
        def somebody_ends_something(self, which: int, how: str) -> None:
            match how:
                case "operator":
                    self.operator_ends_everything()
                case "epoch":
                    self.epoch_is_raised()
                case scope:
                    self.signs_out(self.one(which), scope)

        def signs_out(self, session: Session, scope: str) -> None:
            work = self.call("/v1/logout", {"scope": scope}, session, session.jar, AT_HOME)
            assert self.house.run(work).status_code == 204
            if session.lives(now=self.now, epoch=self.epoch) is not None:
                return
            wide = scope if session.jar >= session.counter - 1 else "this"
            if wide != "others":
                session.over = "signed_out"
            if wide != "this":
                for other in self.sessions:
                    if other is not session:
                        other.over = other.over or "signed_out_elsewhere"

        def operator_ends_everything(self) -> None:
            self.house.run(self.house.services.people.revoke(self.address, by="cli"))
            for session in self.sessions:
                session.over = session.over or "session_revoked"

        def epoch_is_raised(self) -> None:
            async def bump() -> None:
                async with self.house.services.ground.uow() as tx:
                    account = await self.house.services.rooms.accounts.find(tx, self.address)
                    assert account is not None
                    await accounts.end_epoch(tx, account.id)

            self.house.run(bump())
            self.epoch += 1

        @rule()
        def service_crashes(self) -> None:
            type(self).crashes += 1
            self.house.crash()
            for session in self.sessions:
                session.on_the_way.clear()

        def teardown(self) -> None:
            try:
                for session in self.sessions:
                    self.compare_row(session)
                    if session.lives(now=self.now, epoch=self.epoch) is not None:
                        for counter in session.given:
                            assert not self.resume(session, counter, AT_HOME, "orders-api")
            finally:
                self.house.close()

        def compare_row(self, session: Session) -> None:
            """The database holds one current credential: the highest counter given."""
            sessions = self.house.services.rooms.sessions
            look = self.house.run(sessions.look(session_uuid(session.id)))
            assert look is not None
            assert look.live.counter == session.counter == max(session.given)
            assert look.revoked == (session.over is not None)

    return Refreshing


def claims_of(token: str) -> dict[str, Any]:
    body = token.split(".")[1]
    return json.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))


def test_sessions_do_as_described(backend: Backend) -> None:
    machine: Any = machine_for(backend)
    began = time.monotonic()
    run_state_machine_as_test(machine, settings=steps(examples=EXAMPLES, count=30))
    assert machine.runs >= EXAMPLES
    report(
        f"Refresh model, {backend.name}", examples=machine.runs, requests=machine.requests,
        crashes=machine.crashes, seconds=round(time.monotonic() - began, 1),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "place", "outcome"),
    [(9, THIEF, None), (10, THIEF, "session_revoked"), (10, AT_HOME, None)],
)
def test_the_description_itself(seconds: int, place: tuple[str, str], outcome: str | None) -> None:
    start = datetime(2026, 11, 24, tzinfo=UTC)
    session = Session("ses", 1, start, start + IDLE, start + ABSOLUTE, AT_HOME, careless=False)
    turned = start + GRACE
    assert session.shows(0, AT_HOME, now=turned) is None
    assert session.shows(0, place, now=turned + timedelta(seconds=seconds)) == outcome


def test_the_machine_sees_lost_answers_and_thieves(backend: Backend) -> None:
    machine: Any = machine_for(backend)()
    machine.open()
    machine.sign_in(careless=True)
    honest, careless = machine.sessions
    machine.time_passes(11)
    machine.tab_asks(which=0, audience="orders-api", fate="is lost")
    machine.tab_asks(which=1, audience="authsvc", fate="is lost")
    machine.time_passes(11)  # the honest browser has asked again by then
    machine.tab_asks(which=0, audience="authsvc", fate="arrives")
    machine.tab_asks(which=1, audience="authsvc", fate="is lost")  # the one late retry
    assert (honest.counter, careless.counter, careless.late_retry_spent) == (2, 1, True)
    machine.tab_asks(which=1, audience="authsvc", fate="arrives")
    machine.time_passes(11)
    machine.tab_asks(which=0, audience="authsvc", fate="arrives")
    machine.time_passes(11)
    machine.service_crashes()
    machine.thief_shows_a_copy(which=0, old=0, place=THIEF)
    assert (honest.over, careless.over) == ("session_revoked", "session_revoked")
    machine.teardown()
