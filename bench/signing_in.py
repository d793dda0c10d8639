"""W5: sign-in by e-mail, its start and the proof by code. No mail leaves: the worker is apart."""

import uuid
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from authsvc.crypto.sealing import Sealer
from authsvc.kernel.ids import MESSAGE, from_uuid
from authsvc.notify.messages import Message
from authsvc.notify.service import place as sealed_at
from bench.compare import Plan, Side, against, in_turn, summary
from bench.floor import CODE, COOKIE, FLOW
from bench.load import dealt, gathered
from bench.loader import Job, Outcome
from bench.refreshing import NAMES, SESSION
from bench.requests import HOLE, post
from bench.seeds import RING
from bench.sql import Sql
from bench.stage import Ground, Serving, authsvc, bare

OUR_FLOW = "__Host-authsvc_flow"
_PATIENCE = 120.0


@dataclass(slots=True)
class Crowd:
    """People who ask for a message and then type its code, each once."""

    serving: Serving
    flow_cookie: str
    session_cookie: str
    paths: tuple[str, str]
    sql: Sql | None  # where authsvc's sealed messages wait; None for the floor's fixed code
    count: int
    addresses: list[str] = field(default_factory=list[str])
    flows: list[str] = field(default_factory=list[str])

    def ask(self) -> Job:
        """Somebody new asks for a message."""
        self.addresses = [f"{uuid.uuid4().hex}@example.com" for _ in range(self.count)]
        body = f'{{"email":"{HOLE}"}}'
        parts = post(self.paths[0], body, length=len(body) - 1 + len(self.addresses[0]))
        items = dealt((address,) for address in self.addresses)
        return Job(
            self.serving.port, _PATIENCE, parts, items, 202, '"next":"check_email"',
            cookie=self.flow_cookie,
        )  # fmt: skip

    def asked(self, outcome: Outcome) -> None:
        """Keep the cookie that names each attempt."""
        self.flows = gathered(outcome.cookies)

    def prove(self) -> Job:
        """Everybody who asked types the code."""
        codes = self._codes()
        body = f'{{"code":"{HOLE}"}}'
        cookie = f"{self.flow_cookie}={HOLE}"
        parts = post(self.paths[1], body, length=len(body) - 1 + 6, cookie=cookie)
        words = zip(self.flows, (codes[one] for one in self.addresses), strict=True)
        return Job(
            self.serving.port, _PATIENCE, parts, dealt(words), 200, '"next":"done"',
            cookie=self.session_cookie,
        )  # fmt: skip

    def _codes(self) -> dict[str, str]:
        if self.sql is None:
            return dict.fromkeys(self.addresses, CODE)
        sealer = Sealer(RING)
        codes: dict[str, str] = {}
        for id, payload in self.sql.rows("SELECT id, payload FROM outbox"):
            value = id if isinstance(id, uuid.UUID) else uuid.UUID(bytes=bytes(id))
            name = sealed_at(from_uuid(MESSAGE, value))
            message = Message.unpack(sealer.open(payload, place=name))
            if message.code is not None:
                codes[message.address] = message.code.reveal()
        return codes


def sign_in(place: Ground, plan: Plan) -> list[dict[str, Any]]:
    """W5 on this database: the start and the proof, the floor against authsvc."""
    plan.progress(f"W5 sign-in by e-mail, {NAMES[place.kind]}")
    ours, theirs = place.migrated(), place.bare()
    count = plan.sign_ins
    with ExitStack() as closing:
        floor = closing.enter_context(bare(place, "bench.floor:app", BENCH_DATABASE=theirs.url))
        service = closing.enter_context(authsvc(place, ours, more={"worker_apart": "true"}))
        crowds = (
            Crowd(floor, FLOW, COOKIE, ("/start", "/code"), None, count),
            Crowd(
                service, OUR_FLOW, SESSION,
                ("/v1/sign-in/email", "/v1/sign-in/email/code"), ours, count,
            ),
        )  # fmt: skip
        sides: list[Side] = []
        for name, crowd in zip(("floor", "authsvc"), crowds, strict=True):
            process = crowd.serving.process
            sides.append(Side(f"{name}, start", process, crowd.ask, crowd.asked))
            sides.append(Side(f"{name}, code", process, crowd.prove))
        runs = in_turn(
            sides, plan=plan, repetitions=plan.repetitions, database=place.process,
            cores=place.cores,
        )  # fmt: skip
    return [
        {
            "workload": "W5",
            "case": f"sign-in by e-mail, {step}, {NAMES[place.kind]}",
            "floor": summary(runs[f"floor, {step}"]),
            "authsvc": summary(runs[f"authsvc, {step}"]),
            "ratio": against(runs[f"floor, {step}"], runs[f"authsvc, {step}"]),
        }
        for step in ("start", "code")
    ]
