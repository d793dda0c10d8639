"""A Redis that is dead, frozen, flushed, full, slow or somebody else. Spec: security.md C49, C58.

Whatever happens: no answer is somebody else's, nothing is allowed because nobody answered, and
all is well again a second after the server's return.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from authsvc.kernel.errors import Code, Refusal
from authsvc.platform.ephemeral.port import Rate, Record
from authsvc.platform.ephemeral.redis import RedisStore
from tests.live import free_port
from tests.platform.ephemeral.redis_process import RedisProcess, Wire, eventually

Call = Callable[[RedisStore], Awaitable[object]]
ANY_CALL: dict[str, Call] = {
    "put": lambda store: store.put_if_absent("k", b"v", ttl=60),
    "get": lambda store: store.get("k"),
    "take": lambda store: store.take("k"),
    "set": lambda store: store.compare_and_set("k", b"v", version=0, ttl=60),
    "delete": lambda store: store.delete("k"),
    "charge": lambda store: store.charge([Rate("r", 10, 60)]),
    "ping": lambda store: store.ping(),
}


@pytest.fixture
async def store(own_redis: RedisProcess) -> AsyncIterator[RedisStore]:
    """As shipped: 0.25 s and a breaker of 1 s."""
    found = RedisStore(own_redis.url)
    yield found
    await found.aclose()


@pytest.fixture
async def patient(own_redis: RedisProcess) -> AsyncIterator[RedisStore]:
    """Without a breaker, for tests that look at single calls."""
    found = RedisStore(own_redis.url, timeout=5.0, breaker=0.0)
    yield found
    await found.aclose()


async def refused(call: Awaitable[object]) -> str:
    """The private reason of a call that must be refused."""
    with pytest.raises(Refusal) as caught:
        await call
    assert caught.value.code is Code.STORE_UNAVAILABLE
    assert caught.value.retry_after == 1
    return caught.value.log


async def fill_pool(store: RedisStore, connections: int) -> None:
    """Leave so many idle connections behind."""
    await asyncio.gather(*(store.get("nothing") for _ in range(connections)))


class TestDead:
    @pytest.mark.parametrize("call", ANY_CALL.values(), ids=ANY_CALL)
    async def test_every_call_is_refused(self, call: Call) -> None:
        store = RedisStore(f"redis://127.0.0.1:{free_port()}/0")
        begun = time.monotonic()
        assert await refused(call(store)) == "store: ConnectionError"
        assert time.monotonic() - begun < 0.6
        begun = time.monotonic()
        for _ in range(100):
            assert await refused(call(store)) == "store: breaker open"
        assert time.monotonic() - begun < 0.1, "the breaker answers at once"
        await store.aclose()

    async def test_no_socket(self) -> None:
        store = RedisStore("unix:///nowhere/redis.sock")
        assert "breaker" not in await refused(store.get("k"))
        await store.aclose()

    async def test_no_tls_there(self, own_redis: RedisProcess) -> None:
        store = RedisStore(own_redis.url.replace("redis://", "rediss://"))
        begun = time.monotonic()
        assert "breaker" not in await refused(store.get("k"))
        assert time.monotonic() - begun < 0.6
        await store.aclose()

    async def test_killed_and_started_again(
        self, own_redis: RedisProcess, store: RedisStore
    ) -> None:
        await fill_pool(store, 20)
        own_redis.kill()
        await refused(store.get("k"))
        own_redis.restart()
        await eventually(store.ping, Refusal, within=1.1)
        for call in ANY_CALL.values():
            await call(store)
        await fill_pool(store, 20)

    async def test_a_short_restart_goes_unnoticed(
        self, own_redis: RedisProcess, patient: RedisStore
    ) -> None:
        """What the server closed meanwhile is not handed out again."""
        await fill_pool(patient, 20)
        own_redis.kill()
        own_redis.restart()
        await asyncio.sleep(0.01)  # now the loop has heard of it
        await fill_pool(patient, 20)


class TestFrozen:
    @pytest.mark.parametrize("warm", [True, False], ids=["warm", "cold"])
    @pytest.mark.parametrize("call", ANY_CALL.values(), ids=ANY_CALL)
    async def test_every_call_ends_in_time(
        self, own_redis: RedisProcess, store: RedisStore, call: Call, warm: bool
    ) -> None:
        if warm:
            await store.ping()
        own_redis.freeze()
        begun = time.monotonic()
        assert "breaker" not in await refused(call(store))
        assert time.monotonic() - begun < 0.6

    async def test_many_at_once_and_back(self, own_redis: RedisProcess, store: RedisStore) -> None:
        await store.put_if_absent("k", b"v", ttl=60)
        own_redis.freeze()
        begun = time.monotonic()
        for reason in await asyncio.gather(*(refused(store.get("k")) for _ in range(1000))):
            assert reason.startswith("store: ")
        # A third of a second; six when calls wait for each other in turn. The room between is
        # for a busy machine.
        assert time.monotonic() - begun < 4.0
        own_redis.thaw()
        found = await eventually(lambda: store.get("k"), Refusal, within=1.1)
        assert found == Record(b"v", 1)
        answers = await asyncio.gather(*(store.get("k") for _ in range(100)))
        assert answers == [Record(b"v", 1)] * 100

    async def test_one_call_tries_while_the_others_are_refused(
        self, own_redis: RedisProcess
    ) -> None:
        store = RedisStore(own_redis.url, timeout=0.25, breaker=0.5)
        await store.ping()
        own_redis.freeze()
        await refused(store.ping())
        open_again: list[str] = []
        while open_again.count("store: breaker open") == len(open_again):
            open_again = await asyncio.gather(*(refused(store.ping()) for _ in range(50)))
        assert open_again.count("store: breaker open") == 49
        await store.aclose()

    async def test_an_address_that_moved(self, own_redis: RedisProcess) -> None:
        """Idle connections to the machine of before are not tried one after the other."""
        wire = Wire(own_redis.port)
        await wire.open()
        store = RedisStore(f"redis://127.0.0.1:{wire.port}/0", timeout=0.25, breaker=0.0)
        await fill_pool(store, 20)
        assert wire.connections == 20
        wire.tear()
        await refused(store.get("k"))
        await fill_pool(store, 20)
        assert wire.connections >= 40
        await store.aclose()
        await wire.close()


class TestForgetful:
    async def test_flushed(self, own_redis: RedisProcess, patient: RedisStore) -> None:
        for call in ANY_CALL.values():
            await call(patient)
        await patient.put_if_absent("kept", b"v", ttl=60)
        own_redis.ask("flushall")
        own_redis.ask("script", "flush")
        assert await patient.get("kept") is None
        assert not await patient.compare_and_set("kept", b"w", version=1, ttl=60)
        for call in ANY_CALL.values():
            await call(patient)

    async def test_scripts_lost_under_load(
        self, own_redis: RedisProcess, patient: RedisStore
    ) -> None:
        rate = Rate("r", 10, 86400)
        own_redis.ask("script", "flush")
        verdicts = await asyncio.gather(*(patient.charge([rate]) for _ in range(100)))
        assert sum(verdict.allowed for verdict in verdicts) == 10


class TestFull:
    async def test_writes_are_refused_and_nothing_is_evicted(
        self, own_redis: RedisProcess, patient: RedisStore
    ) -> None:
        for number in range(50):
            await patient.put_if_absent(str(number), b"v", ttl=60)
        await patient.charge([Rate("used", 1, 86400)])
        own_redis.ask("config", "set", "maxmemory-policy", "noeviction")
        own_redis.ask("config", "set", "maxmemory", "1")
        await refused(patient.put_if_absent("k", b"v" * 1000, ttl=60))
        await refused(patient.compare_and_set("1", b"w", version=1, ttl=60))
        await refused(patient.charge([Rate("r", 10, 60)]))
        assert await patient.get("1") == Record(b"v", 1)
        assert await patient.take("2") == b"v", "what is there can still be spent"
        await patient.delete("3")
        own_redis.ask("config", "set", "maxmemory", "0")
        assert await patient.compare_and_set("1", b"w", version=1, ttl=60)
        assert await patient.get("49") == Record(b"v", 1)
        assert not (await patient.charge([Rate("used", 1, 86400)])).allowed

    async def test_more_calls_than_connections(
        self, own_redis: RedisProcess, patient: RedisStore
    ) -> None:
        await patient.put_if_absent("k", b"v", ttl=60)
        answers = await asyncio.gather(*(patient.get("k") for _ in range(500)))
        assert answers == [Record(b"v", 1)] * 500
        about: Any = own_redis.ask("info", "clients")
        assert about["connected_clients"] <= 51


class TestSomebodyElse:
    async def test_a_replica_takes_no_writes(
        self, own_redis: RedisProcess, patient: RedisStore
    ) -> None:
        own_redis.ask("replicaof", "127.0.0.1", str(free_port()))
        await refused(patient.put_if_absent("k", b"v", ttl=60))
        await refused(patient.charge([Rate("r", 10, 60)]))

    async def test_a_password_that_is_missing(
        self, own_redis: RedisProcess, patient: RedisStore
    ) -> None:
        own_redis.ask("config", "set", "requirepass", "secret")
        other = RedisStore(own_redis.url)
        await refused(other.get("k"))
        await other.aclose()
        await patient._drop_idle()
        for call in ANY_CALL.values():
            await refused(call(patient))

    async def test_another_service_on_the_port(self) -> None:
        async def rude(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(rude, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        store = RedisStore(f"redis://127.0.0.1:{port}/0", breaker=0.0)
        for call in ANY_CALL.values():
            await refused(call(store))
        await store.aclose()
        server.close()
        await server.wait_closed()


class TestAnswers:
    """No call reads an answer that belongs to another one."""

    async def test_after_cancels(self, patient: RedisStore) -> None:
        for number in range(20):
            await patient.put_if_absent(str(number), b"%d" % number, ttl=60)
        for number in range(200):
            call = asyncio.create_task(patient.get("1"))
            for _ in range(number % 12):
                await asyncio.sleep(0)
            call.cancel()
            assert await patient.get("7") == Record(b"7", 1)

    async def test_after_cancels_while_frozen(
        self, own_redis: RedisProcess, patient: RedisStore
    ) -> None:
        for number in range(30):
            await patient.put_if_absent(str(number), b"%d" % number, ttl=60)
        await fill_pool(patient, 30)
        for _ in range(5):
            own_redis.freeze()
            calls = [asyncio.create_task(patient.get(str(number))) for number in range(30)]
            await asyncio.sleep(0.02)
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            assert all(call.cancelled() for call in calls)
            own_redis.thaw()
            answers = await asyncio.gather(*(patient.get(str(n)) for n in reversed(range(30))))
            assert answers == [Record(b"%d" % n, 1) for n in reversed(range(30))]

    async def test_after_time_outs(self, own_redis: RedisProcess) -> None:
        store = RedisStore(own_redis.url, timeout=0.1, breaker=0.0)
        for number in range(30):
            await eventually(
                lambda number=number: store.put_if_absent(str(number), b"%d" % number, ttl=60),
                Refusal,
                within=5,
            )
        own_redis.freeze()
        await asyncio.gather(*(refused(store.get(str(number))) for number in range(30)))
        own_redis.thaw()
        for number in reversed(range(30)):
            found = await eventually(
                lambda number=number: store.get(str(number)), Refusal, within=5
            )
            assert found == Record(b"%d" % number, 1)
        await store.aclose()

    async def test_a_cancelled_take_is_taken_or_not(
        self, own_redis: RedisProcess, patient: RedisStore
    ) -> None:
        """Whether or not a cancelled take happened, there is never a second taker."""
        for number in range(100):
            await patient.put_if_absent(str(number), b"v", ttl=60)
            call = asyncio.create_task(patient.take(str(number)))
            for _ in range(number % 12):
                await asyncio.sleep(0)
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            later = [await patient.take(str(number)) for _ in range(2)]
            first = None if call.cancelled() else call.result()
            assert [first, *later].count(b"v") <= 1

    async def test_cancels_leave_no_connection_behind(
        self, own_redis: RedisProcess, patient: RedisStore
    ) -> None:
        own_redis.freeze()
        for _ in range(4):
            calls = [asyncio.create_task(patient.get("k")) for _ in range(100)]
            await asyncio.sleep(0.02)
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        own_redis.thaw()
        answers = await asyncio.gather(*(patient.get("k") for _ in range(200)))
        assert answers == [None] * 200
