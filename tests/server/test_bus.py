"""The live bus and the work streams on a real embedded Valkey."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from deliberation.errors import Unavailable
from server.bus import Bus, NodeInfo
from server.valkey import EmbeddedValkey
from server.work_streams import RedisWorkQueue, RedisWorkSource, WorkerInfo
from tests.transcription.fakes import result_for, work_item
from transcription.settings import TranscriptionSettings
from transcription.work import KINDS, WorkResult

SETTINGS = TranscriptionSettings(reclaim_after_seconds=1.5, heartbeat_seconds=0.1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    valkey = EmbeddedValkey(tmp_path_factory.mktemp("valkey"))
    valkey.start()
    yield valkey
    valkey.stop()


@pytest.fixture
def url(server: EmbeddedValkey) -> str:
    server.ensure_running()
    client = redis.Redis.from_url(server.url)
    client.flushall()
    client.close()
    return server.url


@pytest.fixture
async def bus(url: str) -> AsyncIterator[Bus]:
    async with Bus(url) as one:
        yield one


@pytest.fixture
async def queue(url: str) -> AsyncIterator[RedisWorkQueue]:
    async with RedisWorkQueue(url, "n1") as one:
        yield one


@pytest.fixture
async def source(url: str) -> AsyncIterator[RedisWorkSource]:
    async with RedisWorkSource(url, SETTINGS, "w1") as one:
        yield one


async def until(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


async def heard(bus: Bus, topic: str, message: dict[str, Any], got: list[Any]) -> None:
    """Publish until it is heard: a subscription takes a moment."""
    async with asyncio.timeout(60):
        while not got:
            await bus.publish(topic, message)
            await asyncio.sleep(0.05)


# live events, nodes and placement


async def test_messages_reach_those_who_listen_to_the_topic(bus: Bus) -> None:
    exact: list[Any] = []
    family: list[Any] = []
    other: list[Any] = []
    bus.subscribe("room:a", lambda topic, message: exact.append((topic, message)))
    bus.subscribe("room:*", lambda topic, message: family.append((topic, message)))
    bus.subscribe("room:b", lambda topic, message: other.append((topic, message)))
    await heard(bus, "room:a", {"n": 1}, exact)
    await until(lambda: bool(family))
    assert exact[0] == family[0] == ("room:a", {"n": 1})
    assert other == []


async def test_a_topic_is_taken_literally(bus: Bus) -> None:
    got: list[Any] = []
    bus.subscribe("room:[x]?", lambda topic, _: got.append(topic))
    await bus.publish("room:xy", {})
    await heard(bus, "room:[x]?", {}, got)
    assert set(got) == {"room:[x]?"}


async def test_who_unsubscribes_hears_no_more_and_a_failing_handler_harms_nobody(bus: Bus) -> None:
    got: list[Any] = []
    left: list[Any] = []

    def fails(topic: str, message: dict[str, Any]) -> None:
        raise RuntimeError

    bus.subscribe("t", fails)
    unsubscribe = bus.subscribe("t", lambda *_: left.append(1))
    bus.subscribe("t", lambda *_: got.append(1))
    await heard(bus, "t", {}, got)
    unsubscribe()
    count = len(left)
    got.clear()
    await heard(bus, "t", {}, got)
    assert len(left) == count


async def test_nodes_are_known_until_their_time_is_up_or_they_withdraw(bus: Bus) -> None:
    first, second = NodeInfo("n1", "http://a", 2, 8, 0.5), NodeInfo("n2", "http://b", 0, 0, 0.0)
    await bus.announce(first, 60)
    await bus.announce(second, 0.05)
    assert first in await bus.nodes()
    await asyncio.sleep(0.1)
    assert await bus.nodes() == [first]
    await bus.withdraw("n1")
    assert await bus.nodes() == []


async def test_a_room_is_on_one_node_and_free_when_that_node_is_gone(bus: Bus) -> None:
    await bus.announce(NodeInfo("n1", "http://a", 0, 0, 0), 60)
    await bus.announce(NodeInfo("n2", "http://b", 0, 0, 0), 60)
    assert await bus.located("r") is None
    assert set(await asyncio.gather(*[bus.place("r", node, 60) for node in ("n1", "n2", "n1")])) in ({"n1"}, {"n2"})
    owner = await bus.located("r")
    other = "n2" if owner == "n1" else "n1"
    assert owner is not None
    await bus.release("r", other)
    assert await bus.place("r", other, 60) == owner
    await bus.withdraw(owner)
    assert await bus.place("r", other, 60) == other
    await bus.release("r", other)
    assert await bus.located("r") is None


async def test_a_bus_that_is_away_is_said_to_be(tmp_path: Path) -> None:
    async with Bus(f"unix://{tmp_path}/nobody") as bus:
        with pytest.raises(Unavailable) as caught:
            await bus.publish("t", {})
    assert caught.value.code == "bus_away" and caught.value.retryable


# work


async def test_an_item_goes_to_one_worker_and_its_result_comes_back_once(
    url: str, queue: RedisWorkQueue, source: RedisWorkSource
) -> None:
    got: list[WorkResult] = []
    queue.subscribe("room", got.append)
    item = work_item("a", "final", 0.5, hotwords="Zürich")
    await queue.submit(item)
    (claim,) = await source.take(KINDS, 1, 0.1)
    assert claim.item == item and claim.deliveries == 1 and 0 <= claim.waited_seconds < 60
    assert await source.take(KINDS, 1, 0.0) == []
    assert await queue.holds("a")
    result = result_for(item, "schön")
    await source.finish(claim, result)
    await until(lambda: bool(got))
    assert got == [result]
    assert not await queue.holds("a")
    assert (await queue.backlog()).final == 0


async def test_finals_are_taken_before_partials_and_those_before_refining(
    queue: RedisWorkQueue, source: RedisWorkSource
) -> None:
    for kind in reversed(KINDS):
        await queue.submit(work_item(kind, kind, 0.1))
    taken: list[str] = []
    async with asyncio.timeout(60):
        while len(taken) < 3:
            for claim in await source.take(KINDS, 1, 0.1):
                taken.append(claim.item.kind)
                await source.finish(claim, result_for(claim.item, ""))
    assert taken == ["final", "partial", "refine"]


async def test_what_is_cancelled_before_anybody_took_it_is_gone(queue: RedisWorkQueue, source: RedisWorkSource) -> None:
    await queue.submit(work_item("a", "final", 0.1))
    await queue.cancel("a")
    assert await source.take(KINDS, 1, 0.05) == []
    assert not await queue.holds("a")


async def test_a_silent_workers_items_go_to_another_and_a_busy_ones_do_not(
    url: str, queue: RedisWorkQueue, source: RedisWorkSource
) -> None:
    got: list[WorkResult] = []
    queue.subscribe("room", got.append)
    await queue.submit(work_item("a", "final", 0.1))
    await queue.submit(work_item("b", "final", 0.1))
    async with RedisWorkSource(url, SETTINGS, "w2") as other:
        lost, kept = await source.take(KINDS, 2, 0.1)
        taken = []
        async with asyncio.timeout(60):
            while not taken:
                await source.extend([kept])
                taken = await other.take(("final",), 5, 0.05)
        assert [claim.item.item_id for claim in taken] == [lost.item.item_id]
        assert taken[0].deliveries == 2
        await other.finish(taken[0], result_for(lost.item, "second"))
    await source.finish(lost, result_for(lost.item, "first, late"))
    await source.finish(kept, result_for(kept.item, "kept"))
    await until(lambda: len(got) >= 2)
    assert got[0].text == "second"


async def test_an_entry_that_cannot_be_read_is_dropped(
    url: str, queue: RedisWorkQueue, source: RedisWorkSource
) -> None:
    client = redis.Redis.from_url(url)
    client.xadd("parley:work:final", {"item": b"nonsense", "node": b"n1"})
    client.close()
    await queue.submit(work_item("good", "final", 0.1))
    found: list[str] = []
    async with asyncio.timeout(60):
        while not found:
            found += [claim.item.item_id for claim in await source.take(KINDS, 1, 0.1)]
    assert found == ["good"]
    assert (await queue.backlog()).final == 1


async def test_results_for_a_room_that_is_gone_are_dropped_and_not_kept(
    url: str, queue: RedisWorkQueue, source: RedisWorkSource
) -> None:
    await queue.submit(work_item("a", "final", 0.1))
    (claim,) = await source.take(KINDS, 1, 0.1)
    await source.finish(claim, result_for(claim.item, "nobody listens"))
    client = redis.Redis.from_url(url)
    await until(lambda: client.xlen("parley:results:n1") == 0)
    client.close()


async def test_workers_are_known_while_they_live(queue: RedisWorkQueue, url: str) -> None:
    info = WorkerInfo("w9", "base", "cpu", read=3, audio_seconds=12.5)
    async with RedisWorkSource(url, SETTINGS, "w9") as source:
        await source.announce(info)
        assert await queue.workers() == [info]
    assert await queue.workers() == []


async def test_a_restart_of_redis_is_survived_and_lost_items_are_noticed(
    server: EmbeddedValkey, queue: RedisWorkQueue, source: RedisWorkSource, bus: Bus
) -> None:
    got: list[WorkResult] = []
    events: list[Any] = []
    queue.subscribe("room", got.append)
    bus.subscribe("t", lambda *_: events.append(1))
    await heard(bus, "t", {}, events)
    await queue.submit(work_item("a", "final", 0.1))
    assert await source.take((), 1, 0.0) == []
    client = redis.Redis.from_url(server.url)
    os.kill(int(client.info("server")["process_id"]), signal.SIGKILL)  # type: ignore[index]
    client.close()
    with pytest.raises(Unavailable):
        await queue.submit(work_item("b", "final", 0.1))
    assert await asyncio.to_thread(server.ensure_running)
    assert not await queue.holds("a")
    await queue.submit(work_item("a", "final", 0.1))
    claims = []
    async with asyncio.timeout(60):
        while not claims:
            claims = await source.take(KINDS, 1, 0.1)
    await source.finish(claims[0], result_for(claims[0].item, "after all"))
    await until(lambda: bool(got))
    assert got[0].text == "after all"
    events.clear()
    await heard(bus, "t", {}, events)


WORKER = """
import asyncio, sys, time
from server.work_streams import RedisWorkSource
from tests.transcription.fakes import TableEngine
from transcription.settings import TranscriptionSettings
from transcription.worker import work_until

class Slow(TableEngine):
    def read(self, readings):
        print("reading", flush=True)
        time.sleep(float(sys.argv[3]))
        return super().read(readings)

async def main():
    settings = TranscriptionSettings(reclaim_after_seconds=0.3, heartbeat_seconds=0.1)
    async with RedisWorkSource(sys.argv[1], settings, sys.argv[2]) as source:
        await work_until(asyncio.Event(), source, Slow(), settings, worker=sys.argv[2])

asyncio.run(main())
"""


def start_worker(url: str, name: str, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WORKER, url, name, str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


async def test_a_worker_killed_in_mid_decode_loses_nothing_and_doubles_nothing(url: str, queue: RedisWorkQueue) -> None:
    got: list[WorkResult] = []
    queue.subscribe("room", got.append)
    doomed = start_worker(url, "doomed", 60)
    assert doomed.stdout is not None
    second: subprocess.Popen[str] | None = None
    try:
        for index in range(5):
            await queue.submit(work_item(f"i{index}", "final", 1.0))
        assert await asyncio.to_thread(doomed.stdout.readline) == "reading\n"
        doomed.kill()
        second = start_worker(url, "second", 0.0)
        await until(lambda: len(got) >= 5)
    finally:
        for process in (doomed, second):
            if process is not None:
                process.kill()
                process.wait()
    assert sorted(result.item_id for result in got) == [f"i{index}" for index in range(5)]
    assert all(result.text == "word0" and result.worker == "second" for result in got)
    assert (await queue.backlog()).final == 0
