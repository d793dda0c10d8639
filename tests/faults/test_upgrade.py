"""A rolling upgrade and the way back, under load: N and N−1 run side by side on one database.

Nobody fails to sign in, no token is rejected, nobody waits for a lock for long. Spec: security.md
C62, G6.
"""

import asyncio
import json
import time
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.request import urlopen

import asyncpg
import pytest

from tests.databases import Backend
from tests.faults.upgrade_stage import CLIENTS, Balancer, Crowd, LockWatch, guard
from tests.live import free_port, start
from tests.load import Process, connections, post_office, processes, stop
from tests.migrate.chains import NextVersion, hears, migrating, next_version
from tests.migrate.expansion import faults
from tests.races.rows import ask, number
from tests.scale import pick, report, within

PEOPLE = {
    "postgres-redis": pick(ci=5_000, soak=1_000_000),
    "sqlite-redis": pick(ci=2_000, soak=100_000),
}
PHASE = pick(ci=1.0, soak=30.0)  # seconds of load between two steps of the drill
SLOWEST = 1.5  # seconds of a request while the tables change


@pytest.fixture
def coming(tmp_path: Path) -> NextVersion:
    """The next version: it expands what is in use, and takes away what nothing needs."""
    version = next_version(tmp_path / "next")
    add = version.chain.add
    spare = add('op.add_column("users", sa.Column("spare", sa.Integer()))', release="99.0.0")
    add('op.add_column("users", sa.Column("nickname", sa.String(64)))')
    new = 'sa.Column("rank", sa.Integer(), server_default="0", nullable=False)'
    add(f'op.add_column("sessions", {new})')
    add('create_index("ix_sessions_created_at", "sessions", ["created_at"])')
    add('create_index("ix_users_created_at", "users", ["created_at"])')
    add('op.drop_column("users", "spare")', contract=spare)
    assert faults(version.chain.scripts) == []
    return version


async def populate(url: str, people: int) -> None:
    """So many people with a session each."""
    ident, numbers = "gen_random_uuid()", f"generate_series(1, {people}) AS n(i)"
    if url.startswith("sqlite"):
        counted = f"SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {people}"
        ident, numbers = "randomblob(16)", f"(WITH RECURSIVE n(i) AS ({counted}) SELECT i FROM n)"
    now, year = time.time_ns() // 1000, 365 * 86_400_000_000
    await ask(
        url,
        "INSERT INTO users (id, status, auth_epoch, roles, locale, created_at)"
        f" SELECT {ident}, 'active', 0, '', 'en', {now} - i FROM {numbers}",
    )
    await ask(
        url,
        "INSERT INTO sessions (id, user_id, flow_id, epoch, counter, grace_counter, rotated_at,"
        " mac_key_id, shown, late_retries, created_at, idle_expires_at, expires_at, profile, stay,"
        " client_id, method, acr, amr, auth_time, browser, os, kind, network, masked_address)"
        f" SELECT {ident}, id, {ident}, 0, 0, 0, created_at, '', false, 0, created_at,"
        f" created_at + {year}, created_at + {year}, 'web', true, 'web', 'email', 'aal1', 'otp',"
        " created_at, 'Firefox', 'Linux', 'computer', '', '' FROM users",
    )


async def upgrade(coming: NextVersion, url: str) -> float:
    """``migrate up`` of the next version, meeting a long reader on the way; its seconds."""
    began = time.monotonic()
    if url.startswith("sqlite"):
        async with migrating(coming, url):
            pass
        return time.monotonic() - began
    reader = await asyncpg.connect(url)
    await reader.execute("BEGIN")
    await reader.execute("SELECT 1 FROM users LIMIT 1")
    async with migrating(coming, url) as process:
        await hears(process, "waiting for a lock on users, attempt 3")
        await reader.execute("COMMIT")
    await reader.close()
    return time.monotonic() - began


async def joins(balancer: Balancer, process: Process) -> list[str]:
    """``authsvc serve`` in the way of the defaults, migrations first; what readiness warns of."""
    private = f"http://127.0.0.1:{process.environ['AUTHSVC_MANAGEMENT__PORT']}"

    def started() -> list[str]:
        process.server = start(
            "serve", environ=process.environ, url=private, directory=process.directory, up="/readyz"
        )
        with urlopen(f"{private}/readyz") as answer:
            warnings: list[str] = json.load(answer)["warnings"]
        return warnings

    warnings = await asyncio.to_thread(started)
    balancer.members.append(process)
    return warnings


def successor(process: Process, coming: NextVersion) -> Process:
    """The same place for the next version, on ports of its own, not started."""
    ports = {f"AUTHSVC_{name}__PORT": str(free_port()) for name in ("LISTEN", "MANAGEMENT")}
    environ = process.environ | coming.environ | ports
    url = f"http://127.0.0.1:{ports['AUTHSVC_LISTEN__PORT']}"
    return Process(url, environ, process.directory, process.server)


async def roll(balancer: Balancer, leaving: list[Process], coming: list[Process]) -> list[str]:
    """One process in the place of another, one by one; what those who came warn of."""
    warnings = list[str]()
    for before, after in zip(leaving, coming, strict=True):
        warnings += await joins(balancer, after)
        await balancer.stop(before)
    return warnings


async def test_the_next_version_and_back_refuse_nobody(
    two_process_backend: Backend, coming: NextVersion, tmp_path: Path
) -> None:
    backend, url = two_process_backend, two_process_backend.database_url
    people = PEOPLE[backend.name]
    await populate(url, people)
    watch = LockWatch()
    async with AsyncExitStack() as stack:
        office = await stack.enter_async_context(post_office())
        http = await stack.enter_async_context(connections())
        hired = processes(backend, tmp_path, count=2, mail__smtp_url=office.url, clients=CLIENTS)
        old = await stack.enter_async_context(hired)
        new = [successor(process, coming) for process in old]
        stack.push_async_callback(stop, new)
        balancer = Balancer(list(old))
        crowd = Crowd(balancer, office, http, guard(balancer))
        await stack.enter_async_context(crowd.busy())
        await asyncio.sleep(PHASE)
        balancer.slowest_since_asked()
        async with watch.looking(url):
            took = await upgrade(coming, url)
            meanwhile = balancer.slowest_since_asked()
        assert await roll(balancer, old, new) == []
        await asyncio.sleep(PHASE)
        warnings = await roll(balancer, new, old)
        assert len(warnings) == 2
        assert all("newer than this version" in warning for warning in warnings)
        await asyncio.sleep(PHASE)
    assert await number(url, "SELECT count(*) FROM sessions WHERE rank = 0") >= people
    report(
        f"Upgrade and back under load, {backend.name}", people=people, refreshes=crowd.refreshes,
        sign_ins=crowd.sign_ins, failed=0, tokens_rejected=0, migration_seconds=round(took, 1),
        longest_lock_ms=round(watch.longest * 1000),
        slowest_request_while_migrating_ms=round(meanwhile * 1000),
        slowest_request_ms=round(balancer.slowest * 1000),
    )  # fmt: skip
    assert meanwhile < within(SLOWEST)
    assert watch.longest < within(1.0)
