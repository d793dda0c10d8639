"""Signing keys on both databases: made once, handed over, forgotten, never lost."""

import asyncio
import json
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import jwt
import pytest

from authsvc.crypto.jose import Algorithm
from authsvc.kernel.errors import Code, Refusal
from authsvc.keys.lifecycle import SETTLE, SPREAD, YOUNGEST, State
from authsvc.keys.ring import SigningRing
from authsvc.platform.db.engine import open_database
from authsvc.platform.db.uow import UnitOfWork
from authsvc.verify.jose import MAX_KEYS
from tests.databases import Backend
from tests.keys.conftest import DAY, ROOT, RULES, START, Replica, Replicas

OTHER_ROOT = b"another root secret of the tests, also long enough"
KEPT = RULES.keep_after + RULES.token_life + SETTLE


def published(ring: SigningRing) -> list[str]:
    """The kids of the published document."""
    return [key["kid"] for key in json.loads(ring.document().body)["keys"]]


def checks(ring: SigningRing, token: str) -> bool:
    """Whether another program accepts the token with the published keys."""
    kid = jwt.get_unverified_header(token)["kid"]
    keys = jwt.PyJWKSet.from_dict(json.loads(ring.document().body))
    algorithms = [alg.value for alg in Algorithm]
    return jwt.decode(token, keys[kid], algorithms=algorithms) == {"sub": "usr_1"}


class TestFirstStart:
    async def test_one_active_and_one_next_key(self, replica: Replica) -> None:
        assert await replica.keys.run_due()
        assert sorted((await replica.states()).values()) == ["active", "next"]
        assert replica.ring.signer().kid == await replica.kid("active")
        assert set(published(replica.ring)) == set(await replica.states())

    async def test_a_second_run_changes_nothing(self, replica: Replica) -> None:
        await replica.keys.run_due()
        before = await replica.states()
        assert not await replica.keys.run_due()
        assert await replica.states() == before

    async def test_every_change_is_an_event(self, replica: Replica) -> None:
        await replica.keys.run_due()
        events = [json.loads(data) for data in await replica.events()]
        active, waiting = await replica.kid("active"), await replica.kid("next")
        assert [(event["kid"], event["action"]) for event in events] == [
            (active, "created"),
            (active, "activated"),
            (waiting, "created"),
        ]

    async def test_private_halves_are_sealed_for_their_row(self, replica: Replica) -> None:
        await replica.keys.run_due()
        der = replica.ring.signer().private_bytes()
        active, waiting = await replica.kid("active"), await replica.kid("next")
        rows = {row.kid: row for row in await replica.rows()}
        sealed = rows[active].private_sealed
        assert sealed is not None
        assert der not in sealed
        sealer = replica.keys.sealer
        assert sealer.open(sealed, place=f"signing_keys:private:{active}") == der
        with pytest.raises(ValueError, match=waiting):
            sealer.open(sealed, place=f"signing_keys:private:{waiting}")
        assert all("d" not in json.loads(row.public_jwk) for row in rows.values())

    async def test_replicas_that_start_together_agree(self, replicas: Replicas) -> None:
        everyone = [replicas() for _ in range(6)]
        changed = await asyncio.gather(*(one.keys.run_due() for one in everyone))
        await asyncio.gather(*(one.ring.load() for one in everyone))
        assert sum(changed) == 1
        assert sorted((await everyone[0].states()).values()) == ["active", "next"]
        assert len({one.ring.signer().kid for one in everyone}) == 1
        assert len({one.ring.document().etag for one in everyone}) == 1
        assert len(await everyone[0].events()) == 3

    async def test_processes_that_start_together_agree(self, backend: Backend) -> None:
        script = Path(__file__).with_name("replica.py")
        command = (sys.executable, str(script), backend.database_url)
        started = [
            await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
            )
            for _ in range(3)
        ]
        for process in started:  # each says when it is ready, then all are let go
            assert process.stdout is not None
            assert await process.stdout.readline() == b"ready\n"
        answers = await asyncio.gather(*(process.communicate(b"go\n") for process in started))
        assert [process.returncode for process in started] == [0, 0, 0]
        assert len({answer[0] for answer in answers}) == 1
        assert len(json.loads(answers[0][0])["keys"]) == 2


class TestSchedule:
    async def test_the_next_key_takes_over_and_the_old_one_stays_published(
        self, replica: Replica
    ) -> None:
        await replica.keys.run_due()
        first, second = await replica.kid("active"), await replica.kid("next")
        token = replica.ring.signer().sign({"sub": "usr_1"})
        assert await replica.later(90 * DAY)
        states = await replica.states()
        assert (states[first], states[second]) == ("retired", "active")
        assert replica.ring.signer().kid == second
        assert len(published(replica.ring)) == 3
        assert checks(replica.ring, token)
        assert checks(replica.ring, replica.ring.signer().sign({"sub": "usr_1"}))

    async def test_a_retired_keys_private_half_is_gone(self, replica: Replica) -> None:
        await replica.keys.run_due()
        first = await replica.kid("active")
        await replica.later(90 * DAY)
        [row] = [row for row in await replica.rows() if row.kid == first]
        assert row.private_sealed is None

    async def test_a_retired_key_is_forgotten_in_the_end(self, replica: Replica) -> None:
        await replica.keys.run_due()
        first = await replica.kid("active")
        await replica.later(90 * DAY)
        assert not await replica.later(KEPT - timedelta(seconds=1))
        assert first in published(replica.ring)
        assert await replica.later(timedelta(seconds=1))
        assert first not in published(replica.ring)
        assert first not in await replica.states()

    async def test_replicas_hand_over_once(self, replicas: Replicas) -> None:
        await replicas().keys.run_due()
        everyone = [replicas(at=START + 90 * DAY) for _ in range(5)]
        changed = await asyncio.gather(*(one.keys.run_due() for one in everyone))
        assert sum(changed) == 1
        assert sorted((await everyone[0].states()).values()) == ["active", "next", "retired"]

    async def test_another_replica_signs_with_the_new_key_after_its_next_load(
        self, replicas: Replicas
    ) -> None:
        one, other = replicas(), replicas()
        await one.keys.run_due()
        await other.ring.load()
        before = other.ring.signer().kid
        await one.later(90 * DAY)
        assert other.ring.signer().kid == before
        await other.ring.load()
        assert other.ring.signer().kid == one.ring.signer().kid != before

    async def test_a_change_of_algorithm_comes_into_force_after_a_day(
        self, replicas: Replicas
    ) -> None:
        await replicas().keys.run_due()
        changed = replicas(rules=replace(RULES, alg=Algorithm.EDDSA))
        assert await changed.later(timedelta())
        assert changed.ring.signer().alg is Algorithm.ES256
        assert await changed.later(DAY)
        assert changed.ring.signer().alg is Algorithm.EDDSA
        assert checks(changed.ring, changed.ring.signer().sign({"sub": "usr_1"}))

    async def test_a_late_rotation_rings_the_alarm(self, replica: Replica) -> None:
        await replica.keys.run_due()
        assert not replica.ring.is_late
        replica.clock.advance((90 * DAY + timedelta(hours=37)).total_seconds())
        await replica.ring.load()
        assert replica.ring.is_late
        await replica.keys.run_due()
        assert not replica.ring.is_late


class TestByHand:
    async def test_rotating_lets_the_next_key_take_over(self, replica: Replica) -> None:
        await replica.keys.run_due()
        waiting = await replica.kid("next")
        replica.clock.advance(YOUNGEST.total_seconds())
        answer = await replica.keys.rotate()
        assert (answer.kid, answer.state) == (waiting, State.ACTIVE)
        assert replica.ring.signer().kid == waiting

    async def test_a_key_that_is_too_young_takes_over_by_itself(self, replica: Replica) -> None:
        await replica.keys.run_due()
        waiting = await replica.kid("next")
        answer = await replica.keys.rotate()
        assert (answer.kid, answer.state) == (waiting, State.NEXT)
        assert answer.activate_at == START + YOUNGEST
        assert replica.ring.signer().kid != waiting
        assert await replica.later(YOUNGEST)
        assert replica.ring.signer().kid == waiting

    async def test_an_emergency_signs_with_a_new_key_when_everybody_publishes_it(
        self, replica: Replica
    ) -> None:
        await replica.keys.run_due()
        before = await replica.states()
        token = replica.ring.signer().sign({"sub": "usr_1"})
        answer = await replica.keys.rotate(emergency=True)
        assert answer.kid not in before
        assert answer.kid in published(replica.ring)
        assert replica.ring.signer().kid in before
        replica.clock.advance(SPREAD.total_seconds())
        await replica.ring.load()
        assert replica.ring.signer().kid == answer.kid
        assert checks(replica.ring, token)
        assert await replica.later(RULES.token_life + SETTLE)
        assert not set(before) & set(published(replica.ring))

    async def test_after_an_emergency_a_fresh_process_signs_with_the_new_key(
        self, replicas: Replicas
    ) -> None:
        one, fresh = replicas(), replicas()
        await one.keys.run_due()
        answer = await one.keys.rotate(emergency=True)
        await fresh.ring.load()
        assert fresh.ring.signer().kid == answer.kid

    async def test_no_more_keys_are_published_than_a_verifier_takes(self, replica: Replica) -> None:
        await replica.keys.run_due()
        for _ in range(MAX_KEYS - 2):
            await replica.keys.rotate(emergency=True)
        before = published(replica.ring)
        assert len(before) == MAX_KEYS
        with pytest.raises(Refusal) as refused:
            await replica.keys.rotate(emergency=True)
        wait = (RULES.token_life + SETTLE).total_seconds()
        assert (refused.value.code, refused.value.retry_after) == (Code.BUSY, wait)
        await replica.ring.load()
        assert published(replica.ring) == before
        replica.clock.advance(wait)
        assert (await replica.keys.rotate(emergency=True)).kid not in before
        assert len(published(replica.ring)) <= MAX_KEYS

    async def test_an_emergency_lets_a_retained_key_go(self, replica: Replica) -> None:
        await replica.keys.run_due()
        leaked = await replica.kid("active")
        await replica.keys.retain(leaked, retained=True)
        await replica.keys.rotate(emergency=True)
        assert await replica.later(RULES.token_life + SETTLE)
        assert leaked not in published(replica.ring)

    async def test_rotating_an_empty_database_makes_the_first_keys(self, replica: Replica) -> None:
        answer = await replica.keys.rotate()
        assert answer.state is State.ACTIVE
        assert replica.ring.signer().kid == answer.kid

    async def test_two_operators_at_once_do_no_harm(self, replicas: Replicas) -> None:
        one, other = replicas(), replicas()
        await one.keys.run_due()
        await asyncio.gather(one.keys.rotate(emergency=True), other.keys.rotate(emergency=True))
        states = sorted((await one.states()).values())
        assert states == ["active", "next", "retired", "retired"]

    async def test_retained_keys_stay_until_they_are_released(self, replica: Replica) -> None:
        await replica.keys.run_due()
        first = await replica.kid("active")
        await replica.later(90 * DAY)
        await replica.keys.retain(first, retained=True)
        assert not await replica.later(5 * DAY)
        assert first in published(replica.ring)
        await replica.keys.retain(first, retained=False)
        assert await replica.later(timedelta())
        assert first not in published(replica.ring)

    async def test_retaining_an_unknown_key_is_refused(self, replica: Replica) -> None:
        with pytest.raises(Refusal) as refused:
            await replica.keys.retain("nobody", retained=True)
        assert refused.value.code is Code.NOT_FOUND

    async def test_the_list_says_when_the_next_key_takes_over(self, replica: Replica) -> None:
        await replica.keys.run_due()
        [times] = [key for key in await replica.keys.list() if key.state is State.NEXT]
        assert times.activate_at == START + 90 * DAY


class TestTrouble:
    async def test_a_cold_ring_refuses_to_sign_and_to_publish(self, replica: Replica) -> None:
        await replica.ring.load()  # the table is empty
        assert not replica.ring.is_ready
        for ask in (replica.ring.signer, replica.ring.document, replica.ring.public_keys):
            with pytest.raises(Refusal) as refused:
                ask()
            assert refused.value.code is Code.KEYS_UNAVAILABLE

    async def test_the_ring_goes_on_while_the_database_is_away(self, replica: Replica) -> None:
        await replica.keys.run_due()
        kid, document = replica.ring.signer().kid, replica.ring.document()
        away = open_database("postgresql://nobody@127.0.0.1:1/away")
        replica.ring.uow = UnitOfWork(away, replica.clock)
        with pytest.raises(Refusal) as refused:
            await replica.ring.load()
        assert refused.value.code is Code.STORE_UNAVAILABLE
        assert replica.ring.signer().kid == kid
        assert replica.ring.document() == document
        await away.dispose()

    async def test_another_root_key_cannot_sign_and_an_emergency_heals_it(
        self, replicas: Replicas
    ) -> None:
        await replicas().keys.run_due()
        stranger = replicas(OTHER_ROOT)
        await stranger.ring.load()
        assert not stranger.ring.is_ready
        assert len(published(stranger.ring)) == 2
        await stranger.keys.rotate(emergency=True)
        assert checks(stranger.ring, stranger.ring.signer().sign({"sub": "usr_1"}))

    async def test_the_job_seals_anew_under_the_current_root_key(self, replicas: Replicas) -> None:
        await replicas().keys.run_due()
        both = replicas(OTHER_ROOT, ROOT)
        assert not await both.keys.run_due()
        alone = replicas(OTHER_ROOT)
        await alone.ring.load()
        assert checks(alone.ring, alone.ring.signer().sign({"sub": "usr_1"}))

    async def test_a_sealed_half_of_another_row_does_not_sign(self, replica: Replica) -> None:
        await replica.keys.run_due()
        active, waiting = await replica.kid("active"), await replica.kid("next")
        rows = {row.kid: row for row in await replica.rows()}
        async with replica.uow() as tx:
            stolen = await tx.session.merge(rows[active])
            stolen.private_sealed = rows[waiting].private_sealed
        fresh = SigningRing(replica.uow, replica.keys.sealer, RULES)
        await fresh.load()
        assert not fresh.is_ready

    async def test_the_document_keeps_its_etag_while_the_keys_are_the_same(
        self, replica: Replica
    ) -> None:
        await replica.keys.run_due()
        before = replica.ring.document()
        await replica.ring.load()
        assert replica.ring.document() == before
        await replica.later(90 * DAY)
        assert replica.ring.document().etag != before.etag
