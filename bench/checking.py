"""W1: a GET at a service behind authsvc, with a token it sees for the first time or again."""

import asyncio
import json
from collections import deque
from dataclasses import dataclass
from typing import Any

from authsvc.bootstrap.services import build
from authsvc.kernel.clock import SystemClock
from authsvc.kernel.ids import SESSION, USER, SessionId, UserId, new_id
from authsvc.sessions.facts import Live
from authsvc.sessions.settings import Profile
from authsvc.settings import load
from bench.compare import Plan, Side, against, in_turn, summary
from bench.floor import AUDIENCE
from bench.load import dealt
from bench.loader import Job, Outcome
from bench.requests import get
from bench.stage import Ground, Serving, authsvc, bare, settings
from tests.live import free_port

COLD = 8_192  # tokens, one after the other: twice what the verifier remembers
WARM = 256


def check(place: Ground, plan: Plan) -> list[dict[str, Any]]:
    """W1, cold and warm. The keys come from a running authsvc."""
    plan.progress("W1 check a token in a service")
    sql = place.migrated()
    port = free_port()
    issuer = f"http://localhost:{port}"
    own = {"public_url": issuer, "clients__web__origins": '["http://localhost:3000"]'}
    with authsvc(place, sql, port=port, more=own):
        environ = settings(sql, port=port, management=free_port(), more=own)
        tokens, jwk = asyncio.run(_minted(environ, COLD))
        with (
            bare(place, "bench.floor:app", BENCH_ISSUER=issuer, BENCH_JWK=jwk) as floor,
            bare(place, "bench.downstream:app", BENCH_ISSUER=issuer) as ours,
        ):
            sides = [
                _side("floor", floor, tokens, plan),
                _side("authsvc.verify, cold", ours, tokens, plan),
                _side("authsvc.verify, warm", ours, tokens[:WARM], plan),
            ]
            cores = place.cores
            runs = in_turn(
                sides, plan=plan, repetitions=plan.repetitions, cores=cores, database=None
            )
    return [
        {
            "workload": "W1",
            "case": f"check a token, {words}",
            "floor": summary(runs["floor"]),
            "authsvc": summary(runs[side]),
            "ratio": against(runs["floor"], runs[side]),
        }
        for side, words in (
            ("authsvc.verify, cold", "each for the first time"),
            ("authsvc.verify, warm", "seen before"),
        )
    ]


@dataclass(slots=True)
class Queue:
    """Tokens that are shown in turn, run after run: with enough of them each one is forgotten
    before it comes again.
    """

    port: int
    seconds: float
    tokens: deque[str]

    def job(self) -> Job:
        """The next run."""
        items = dealt((token,) for token in self.tokens)
        answer = '"sub":"usr_'
        return Job(self.port, self.seconds, get("/orders"), items, 200, answer, again=True)

    def move_on(self, outcome: Outcome) -> None:
        """Begin the next run where this one has ended."""
        self.tokens.rotate(-outcome.answered)


def _side(name: str, serving: Serving, tokens: list[str], plan: Plan) -> Side:
    queue = Queue(serving.port, plan.seconds, deque(tokens))
    return Side(name, serving.process, queue.job, queue.move_on)


async def _minted(environ: dict[str, str], count: int) -> tuple[list[str], str]:
    """So many access tokens of the running service, and the key that checks them."""
    services = build(load(environ))
    try:
        await services.signing.load()
        now = SystemClock().now()
        minter = services.rooms.minter
        tokens = [
            minter.mint(_live(now), audience=(AUDIENCE,), client_id="web").token
            for _ in range(count)
        ]
        signer = services.signing.signer()
        return tokens, json.dumps(signer.public_jwk())
    finally:
        await services.stop()


def _live(now: Any) -> Live:
    return Live(
        id=SessionId(new_id(SESSION)), user_id=UserId(new_id(USER)), counter=0, mac_key_id="",
        client_id="web", acr="aal1", amr=("otp",), auth_time=now, mfa_time=None,
        profile=Profile.STANDARD, stay=True, rotated_at=now, idle_expires_at=now,
        expires_at=now, roles=(),
    )  # fmt: skip
