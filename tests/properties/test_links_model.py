"""Mailed links and codes against a plain description of security.md B2, B5, C23 and C24."""

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text

from authsvc.accounts.service import Status
from tests.actors import CHROME, FIREFOX, Browser
from tests.databases import Backend
from tests.properties.house import House, settings_for, steps
from tests.scale import pick, report

EXAMPLES = pick(ci=4, soak=100)
LIFE, FLOW_LIFE, WINDOW = timedelta(seconds=600), timedelta(seconds=900), 900
PER_MESSAGE, PER_ACCOUNT = 5, 10
WHICH = st.integers(0, 11)
FORWARDS = st.sampled_from([1, 30, 299, 600, 900])
BACKWARDS = st.sampled_from([-1, -2])
REFUSED = {
    "link_expired", "link_already_used", "other_browser", "code_incorrect", "challenge_expired",
    "too_many_attempts", "flow_expired", "flow_step_mismatch",
}  # fmt: skip


@dataclass
class Budget:
    """So many tries in a window that begins with the first."""

    maximum: int
    began: int = 0
    tries: int = 0

    def spend(self, now: datetime) -> bool:
        second = int(now.timestamp())
        if self.began <= second - WINDOW:
            self.began, self.tries = second, 0
        if self.tries == self.maximum:
            return False
        self.tries += 1
        return True


@dataclass
class Attempt:
    """A browser's attempt to sign in. ``opened`` = it has led to a session."""

    id: str
    browser: int
    ends: datetime
    key: str  # whose budget its wrong codes spend
    kept: bool = True  # the store still knows it
    opened: bool = False

    def stands(self, now: datetime) -> bool:
        return self.kept and now < self.ends


@dataclass
class Message:
    """A mail with a link and a code; at most one of an address is open."""

    attempt: Attempt
    token: str
    code: str
    ends: datetime
    epoch: int | None  # of the account, when there was one
    open: bool = True
    budget: Budget = field(default_factory=lambda: Budget(PER_MESSAGE))


def machine_for(backend: Backend) -> type[RuleBasedStateMachine]:
    """The machine over this back end; every run has an address of its own."""

    class Redeeming(RuleBasedStateMachine):
        runs = 0
        redeemed = 0
        refused = 0

        @initialize()
        def open(self) -> None:
            type(self).runs += 1
            caps = {"pause": 1, "hour": 999, "day": 999, "own_hour": 999, "own_day": 999}
            self.house = House(backend, settings_for(backend, mail_caps=caps))
            self.address = f"bea{self.runs}@example.com"
            self.epoch: int | None = None  # nobody yet
            self.messages: list[Message] = []
            self.budgets: dict[str, Budget] = {}
            self.opened = 0
            self.browsers: list[Browser] = [
                self.house.browser(),
                self.house.browser(user_agent=CHROME),
                self.house.browser(user_agent=FIREFOX, address="198.51.100.7"),
            ]
            self.mailed_at = self.now - timedelta(seconds=1)
            self.asks(0)

        @property
        def now(self) -> datetime:
            return self.house.clock.at

        def post(self, browser: int, path: str, **body: Any) -> Any:
            return self.house.run(self.browsers[browser].post(path, body))

        def one(self, which: int) -> Message:
            """The newest message half the time."""
            return self.messages[-1 if which % 2 else which // 2 % len(self.messages)]

        def mail(self, attempt: Attempt) -> None:
            """The older messages are void; this one is open."""
            for message in self.messages:
                message.open = False
            mine = [mail for mail in self.house.deliver() if mail.to == self.address]
            newest = next(mail for mail in mine if any("/ui/link?t=" in a for a in mail.links))
            assert newest.code is not None
            token = newest.links[0].partition("?t=")[2]
            assert token not in {message.token for message in self.messages}
            message = Message(attempt, token, newest.code, self.now + LIFE, self.epoch)
            self.messages.append(message)

        def pause(self) -> None:
            """One message a second."""
            if self.now <= self.mailed_at:
                self.house.later((self.mailed_at - self.now).total_seconds() + 1)
            self.mailed_at = self.now

        @rule(browser=st.integers(0, 2))
        def asks(self, browser: int) -> None:
            self.pause()
            answer = self.post(browser, "/v1/sign-in/email", email=self.address)
            assert answer.status_code == 202, answer.text
            key = "nobody" if self.epoch is None else "person"
            attempt = Attempt(answer.json()["flow"]["id"], browser, self.now + FLOW_LIFE, key)
            self.mail(attempt)

        @rule(which=WHICH)
        def asks_again(self, which: int) -> None:
            attempt = self.one(which).attempt
            self.pause()
            answer = self.post(attempt.browser, "/v1/sign-in/email/resend", flow=attempt.id)
            if attempt.stands(self.now) and not attempt.opened:
                assert answer.status_code == 202, answer.text
                self.mail(attempt)
            else:
                assert answer.json()["code"] in {"flow_expired", "flow_step_mismatch"}

        def spends(self, message: Message) -> bool:
            """A try of the message, then one of the account."""
            key = message.attempt.key
            account = self.budgets.setdefault(key, Budget(PER_ACCOUNT))
            return message.budget.spend(self.now) and account.spend(self.now)

        def is_good(self, message: Message) -> bool:
            current = message.epoch is None or message.epoch == self.epoch
            return message.open and self.now < message.ends and current

        def check(self, answer: Any, message: Message, *, good: bool) -> None:
            """A session exactly when the description says so, and one more in the database."""
            if not good:
                type(self).refused += 1
                assert answer.status_code in {403, 409, 410, 422, 429}, answer.text
                assert answer.json()["code"] in REFUSED
            else:
                type(self).redeemed += 1
                assert answer.status_code == 200, (answer.text, message)
                self.opened += 1
                message.open, message.attempt.opened = False, True
                self.epoch = self.epoch or 1
            assert self.sessions() == self.opened

        def sessions(self) -> int:
            async def count() -> int:
                query = text(
                    "SELECT count(*) FROM sessions s JOIN user_emails e ON e.user_id = s.user_id"
                    " WHERE e.address = :address"
                )
                async with self.house.services.ground.uow.reading() as tx:
                    found = await tx.session.execute(query, {"address": self.address})
                    return int(found.scalar_one())

            return self.house.run(count())

        @rule(which=WHICH, right=st.booleans())
        def types_the_code(self, which: int, right: bool) -> None:
            message = self.one(which)
            attempt = message.attempt
            newest = [each for each in self.messages if each.attempt is attempt][-1]
            code = message.code if right else wrong(newest.code)
            path = "/v1/sign-in/email/code"
            answer = self.post(attempt.browser, path, flow=attempt.id, code=code)
            good = False
            if attempt.stands(self.now) and not attempt.opened and self.spends(newest):
                good = code == newest.code and self.is_good(newest)
                if good:
                    self.budgets[attempt.key].tries -= 1
            self.check(answer, newest, good=good)

        @rule(which=WHICH)
        def presses_the_link(self, which: int) -> None:
            message = self.one(which)
            attempt = message.attempt
            answer = self.post(attempt.browser, "/v1/sign-in/link/confirm", token=message.token)
            good = self.is_good(message) and attempt.stands(self.now) and not attempt.opened
            self.check(answer, message, good=good)

        @rule(which=WHICH, typed=st.sampled_from(["right", "wrong", "nothing"]))
        def presses_the_link_elsewhere(self, which: int, typed: str) -> None:
            message = self.one(which)
            attempt = message.attempt
            body: dict[str, Any] = {"token": message.token, "here": True}
            if typed != "nothing":
                body["code"] = message.code if typed == "right" else wrong(message.code)
            elsewhere = (attempt.browser + 1) % len(self.browsers)
            answer = self.post(elsewhere, "/v1/sign-in/link/confirm", **body)
            good = False
            looked_at = self.is_good(message) and attempt.stands(self.now)
            if looked_at and typed != "nothing" and self.spends(message):
                good = typed == "right" and not attempt.opened
                if good:
                    self.budgets[attempt.key].tries -= 1
                    attempt.kept = False
            self.check(answer, message, good=good)

        @rule(which=WHICH, times=st.integers(2, 6))
        def presses_often_at_once(self, which: int, times: int) -> None:
            message = self.one(which)
            attempt, browser = message.attempt, self.browsers[message.attempt.browser]
            body = {"token": message.token}
            answers = self.house.together(
                *[lambda: browser.post("/v1/sign-in/link/confirm", body) for _ in range(times)]
            )
            good = self.is_good(message) and attempt.stands(self.now) and not attempt.opened
            assert sum(answer.status_code == 200 for answer in answers) == good
            first = next((each for each in answers if each.status_code == 200), answers[0])
            self.check(first, message, good=good)

        @precondition(lambda self: self.epoch is not None)
        @rule()
        def somebody_raises_the_epoch(self) -> None:
            people = self.house.services.people

            async def disable_and_enable() -> None:
                await people.set_status(self.address, Status.DISABLED, by="cli")
                await people.set_status(self.address, Status.ACTIVE, by="cli")

            self.house.run(disable_and_enable())
            self.epoch = (self.epoch or 0) + 1

        @rule(seconds=FORWARDS | BACKWARDS)
        def time_passes(self, seconds: int) -> None:
            self.house.later(seconds)

        @rule()
        def store_forgets(self) -> None:
            self.house.flush()
            for message in self.messages:
                message.attempt.kept = False

        @rule()
        def service_crashes(self) -> None:
            self.house.crash()
            if backend.redis_url is None:
                for message in self.messages:
                    message.attempt.kept = False

        def teardown(self) -> None:
            self.house.close()

    return Redeeming


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


def test_links_do_as_described(backend: Backend) -> None:
    machine: Any = machine_for(backend)
    began = time.monotonic()
    run_state_machine_as_test(machine, settings=steps(examples=EXAMPLES, count=30))
    assert machine.runs >= EXAMPLES
    report(
        f"Links model, {backend.name}", examples=machine.runs, redeemed=machine.redeemed,
        refused=machine.refused, seconds=round(time.monotonic() - began, 1),
    )  # fmt: skip


def test_the_machine_opens_sessions_and_sees_refusals(backend: Backend) -> None:
    machine: Any = machine_for(backend)()
    machine.open()
    machine.asks(1)
    machine.presses_the_link(which=0)  # void by now
    machine.types_the_code(which=1, right=False)
    machine.types_the_code(which=1, right=True)
    machine.somebody_raises_the_epoch()
    machine.asks(0)
    machine.presses_the_link_elsewhere(which=1, typed="nothing")
    machine.presses_the_link_elsewhere(which=1, typed="right")
    machine.asks(2)
    for _ in range(PER_MESSAGE):
        machine.types_the_code(which=1, right=False)
    machine.types_the_code(which=1, right=True)  # its tries are spent
    machine.asks(2)
    machine.store_forgets()
    machine.presses_the_link(which=1)
    machine.teardown()
    assert (machine.redeemed, machine.refused) == (2, 4 + PER_MESSAGE + 1)
