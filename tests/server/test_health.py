"""Faults of speech recognition: each is seen on the monitor and in the metrics. On a real embedded Valkey."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import redis

from server import metrics
from server.bus import Bus
from server.health import TOLD_SECONDS, Health
from server.valkey import EmbeddedValkey
from server.work_streams import RedisWorkQueue, RedisWorkSource, WorkerInfo
from tests.transcription.fakes import Clock, work_item
from transcription.outbox import Outbox
from transcription.settings import TranscriptionSettings
from transcription.stream import RoomSpeechStats

SETTINGS = TranscriptionSettings()


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    one = EmbeddedValkey(tmp_path / "valkey")
    one.start()
    yield one
    one.stop()


class Scene:
    """A node's health, its live bus and queue, and figures of its rooms that the test sets."""

    def __init__(self, bus: Bus, queue: RedisWorkQueue) -> None:
        self.rooms: list[RoomSpeechStats] = []
        self.clock = Clock(1000.0)
        self.health = Health(bus, queue, lambda: self.rooms, self.clock)

    async def troubles(self) -> tuple[str, ...]:
        await self.health.look()
        told = self.health.recognition()
        assert told is not None
        return told.troubles


@pytest.fixture
async def scene(valkey: EmbeddedValkey) -> AsyncIterator[Scene]:
    async with Bus(valkey.url) as bus, RedisWorkQueue(valkey.url, "n1") as queue:
        yield Scene(bus, queue)


def shown(name: str) -> float:
    """The value of one line of /metrics."""
    lines = metrics.exposition().decode().splitlines()
    return next(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name + " "))


async def present(valkey: EmbeddedValkey, name: str, device: str = "cpu") -> RedisWorkSource:
    source = RedisWorkSource(valkey.url, SETTINGS, name)
    await source.announce(WorkerInfo(name, "base", device))
    return source


async def test_recognisers_are_shown_with_their_weights_and_device(scene: Scene, valkey: EmbeddedValkey) -> None:
    async with await present(valkey, "w1"), await present(valkey, "w2", "cuda"):
        assert await scene.troubles() == ()
        told = scene.health.recognition()
        assert told is not None and told.recognisers == 2 and told.running == ("base, cpu", "base, cuda")
        assert shown('parley_recognisers{device="cuda"}') == 1
        assert scene.health.problems() == {}


async def test_a_recogniser_that_was_killed_is_told_of_for_a_minute(scene: Scene, valkey: EmbeddedValkey) -> None:
    ended = shown("parley_recognisers_ended_total")
    async with await present(valkey, "w1"), await present(valkey, "doomed"):
        assert await scene.troubles() == ()
        client = redis.Redis.from_url(valkey.url)
        client.delete("parley:worker:doomed")  # what a killed one leaves runs out like this
        client.close()
        assert await scene.troubles() == ("ended",)
        assert shown("parley_recognisers_ended_total") == ended + 1
        scene.clock.now += TOLD_SECONDS
        assert await scene.troubles() == ()


async def test_without_a_recogniser_the_monitor_says_so(scene: Scene) -> None:
    assert await scene.troubles() == ("none",)
    assert scene.health.problems() == {"transcription": "no recogniser is running"}
    assert shown('parley_recognisers{device="cpu"}') == 0


async def test_a_redis_that_is_away_is_told_of_until_it_is_back(scene: Scene, valkey: EmbeddedValkey) -> None:
    async with await present(valkey, "w1") as source:
        assert await scene.troubles() == ()
        client = redis.Redis.from_url(valkey.url)
        os.kill(int(client.info("server")["process_id"]), signal.SIGKILL)  # type: ignore[index]
        client.close()
        assert await scene.troubles() == ("bus",)
        assert "bus" in scene.health.problems()
        assert valkey.ensure_running()
        await source.announce(WorkerInfo("w1", "base", "cpu"))
        assert await scene.troubles() == ()


async def test_weights_that_are_damaged_stop_the_recogniser_in_one_line(
    scene: Scene, valkey: EmbeddedValkey, tmp_path: Path
) -> None:
    weights = tmp_path / "weights"
    weights.mkdir()
    for name in ("config.json", "model.bin", "tokenizer.json", "vocabulary.txt"):
        (weights / name).write_bytes(b"{}" if name.endswith("json") else b"not what it should be")
    environment = {**os.environ, "PARLEY_REDIS_URL": valkey.url, "PARLEY_SPEECH_MODEL": str(weights)}
    done = subprocess.run(
        [sys.executable, "-m", "server", "worker"], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr and str(weights) in done.stderr
    assert await scene.troubles() == ("none",)


async def test_a_full_disk_is_told_of_while_speech_waits_in_memory(scene: Scene, valkey: EmbeddedValkey, tmp_path: Path) -> None:
    blocked = tmp_path / "spill"
    blocked.write_text("no folder can be made here")
    settings = TranscriptionSettings(spill_dir=blocked, finals_in_memory=1)
    box = Outbox("room", settings)
    for index in range(3):
        box.add(work_item(f"f{index}", "final", 0.1), 0)
    scene.rooms = [RoomSpeechStats(box.finals, box.spilled, 0.0, 1.0, 0, box.disk_full)]
    async with await present(valkey, "w1"):
        assert await scene.troubles() == ("disk",)
        assert shown("parley_speech_disk_full") == 1 and shown("parley_finals_waiting") == 3
        blocked.unlink()
        box.add(work_item("f3", "final", 0.1), 0)
        scene.rooms = [RoomSpeechStats(box.finals, box.spilled, 0.0, 1.0, 0, box.disk_full)]
        assert await scene.troubles() == ()
        assert shown("parley_finals_on_disk") == 3 and shown("parley_speech_disk_full") == 0


async def test_overload_is_told_of_by_the_room_that_is_most_behind(scene: Scene, valkey: EmbeddedValkey) -> None:
    scene.rooms = [RoomSpeechStats(70, 6, 31.0, 4.0, 0), RoomSpeechStats(2, 0, 0.0, 1.0, 0)]
    async with await present(valkey, "w1"):
        assert await scene.troubles() == ("behind",)
        told = scene.health.recognition()
        assert told is not None and (told.waiting, told.on_disk, told.behind) == (72, 6, 31.0)
        assert shown("parley_transcription_behind_seconds") == 31 and shown("parley_finals_on_disk") == 6


async def test_last_words_that_were_never_read_are_counted_and_told_of(scene: Scene, valkey: EmbeddedValkey) -> None:
    before = shown("parley_finals_lost_total")
    async with await present(valkey, "w1"):
        scene.health.lost(0)
        assert await scene.troubles() == ()
        scene.health.lost(2)
        assert await scene.troubles() == ("lost",)
        assert shown("parley_finals_lost_total") == before + 2
