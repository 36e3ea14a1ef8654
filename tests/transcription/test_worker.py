from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from tests.transcription.fakes import Clock, MemoryWork, TableEngine, work_item
from transcription.engine import Heard, Reading
from transcription.recognise import recognise
from transcription.scheduler import effort, plan
from transcription.settings import TranscriptionSettings
from transcription.work import Claim, WorkItem, WorkResult
from transcription.worker import WorkerStats, work_until

SETTINGS = TranscriptionSettings(small_model="tiny.en", gpu_wait_seconds=0)


@dataclass
class Bench:
    """A worker on a queue in memory."""

    engine: TableEngine = field(default_factory=TableEngine)
    clock: Clock = field(default_factory=Clock)
    results: list[WorkResult] = field(default_factory=list)
    stats: WorkerStats = field(default_factory=WorkerStats)
    small: TableEngine = field(default_factory=lambda: TableEngine(name="small"))

    def __post_init__(self) -> None:
        self.work = MemoryWork(self.clock)
        self.work.subscribe("room", self.results.append)

    async def run(self, *items: WorkItem, expect: int, worker: str = "w1") -> None:
        for item in items:
            await self.work.submit(item)
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(
                work_until(
                    stop,
                    self.work,
                    self.engine,
                    SETTINGS,
                    small_engine=lambda: self.small,
                    worker=worker,
                    stats=self.stats,
                )
            )
            async with asyncio.timeout(10):
                while len(self.results) < expect:
                    await asyncio.sleep(0)
            stop.set()


def claim(kind: str = "final", waited: float = 0.0, deliveries: int = 1) -> Claim:
    return Claim("h", work_item("i", kind, 0.1), deliveries, waited)  # type: ignore[arg-type]


def test_a_partial_that_waited_too_long_is_not_read_but_a_final_always_is() -> None:
    todo = plan([claim("partial", 1.6), claim("partial", 1.0), claim("final", 100.0)], SETTINGS)
    assert [each.item.kind for each, _ in todo.read] == ["partial", "final"]
    assert len(todo.expired) == 1


def test_finals_lose_their_beam_first_and_then_their_model() -> None:
    assert effort("final", 0, SETTINGS).beam_size == SETTINGS.final_beam_size
    assert effort("final", 5, SETTINGS) == effort("partial", 0, SETTINGS)
    assert effort("final", 20, SETTINGS).small_model
    assert not effort("final", 20, TranscriptionSettings()).small_model


def test_an_item_that_seems_to_kill_workers_is_given_up() -> None:
    assert plan([claim(deliveries=SETTINGS.most_deliveries + 1)], SETTINGS).given_up
    assert not plan([claim(deliveries=SETTINGS.most_deliveries)], SETTINGS).given_up


async def test_items_are_read_in_order_of_priority_and_answered_once_each() -> None:
    bench = Bench()
    items = [work_item("r", "refine", 1.0), work_item("p", "partial", 1.0), work_item("f", "final", 2.0)]
    await bench.run(*items, expect=3)
    assert [(result.item_id, result.outcome) for result in bench.results] == [("f", "ok"), ("p", "ok"), ("r", "ok")]
    final, partial, refined = bench.results
    assert final.text == "word0 word1"
    assert len(final.words) == 2 and not partial.words
    assert [reading[0].beam_size for reading in bench.engine.reads] == [SETTINGS.final_beam_size, 1, 5]
    assert refined.worker == "w1" and refined.model == "fake"
    assert bench.stats.read == 3 and bench.stats.audio_seconds == pytest.approx(4)


async def test_an_engine_that_fails_is_reported_and_the_worker_goes_on() -> None:
    bench = Bench(TableEngine(fails=1))
    await bench.run(work_item("a", "final", 1.0), expect=1)
    await bench.run(work_item("b", "final", 1.0), expect=2)
    assert [result.outcome for result in bench.results] == ["failed", "ok"]
    assert bench.stats.failed == 1


async def test_items_of_a_kind_that_wait_are_read_together_and_never_with_others() -> None:
    bench = Bench()
    partials = [work_item(f"p{index}", "partial", 1.0) for index in range(3)]
    finals = [work_item(f"f{index}", "final", 1.0) for index in range(6)]
    await bench.run(*partials, *finals, expect=9)
    assert [len(readings) for readings in bench.engine.reads] == [4, 2, 3]
    assert [reading.draft for reading in bench.engine.reads[2]] == [True] * 3


@pytest.mark.parametrize("device", ["cpu", "cuda"])
async def test_a_batch_that_fails_is_read_one_by_one(device: str) -> None:
    bench = Bench(TableEngine(device=device, fails=1))
    await bench.run(*[work_item(name, "final", 1.0) for name in "abc"], expect=3)
    assert [result.outcome for result in bench.results] == ["ok"] * 3
    assert [len(readings) for readings in bench.engine.reads] == [3, 1, 1, 1]


async def test_a_queue_that_is_away_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transcription.worker._AWAY_SECONDS", 0.0)
    bench = Bench()
    bench.work.down = True
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(work_until(stop, bench.work, bench.engine, SETTINGS))
        for _ in range(5):
            await asyncio.sleep(0)
        bench.work.down = False
        await bench.work.submit(work_item("a", "final", 1.0))
        async with asyncio.timeout(10):
            while not bench.results:
                await asyncio.sleep(0)
        stop.set()
    assert bench.results[0].outcome == "ok"


async def test_what_a_dead_worker_had_claimed_is_read_by_the_next() -> None:
    bench = Bench()
    await bench.work.submit(work_item("a", "final", 1.0))
    taken = await bench.work.take(("final",), 1, 0)
    assert taken
    bench.clock.now += 3.5
    await bench.run(expect=1, worker="w2")
    assert [(result.item_id, result.worker) for result in bench.results] == [("a", "w2")]


async def test_the_smaller_model_is_loaded_only_when_finals_are_very_late() -> None:
    bench = Bench()
    await bench.work.submit(work_item("late", "final", 1.0))
    bench.clock.now += 20
    await bench.run(work_item("fresh", "final", 1.0), expect=2)
    assert {result.item_id: result.model for result in bench.results} == {"late": "small", "fresh": "fake"}


def test_a_doubtful_reading_is_read_again_with_the_full_window_and_then_believed_or_not() -> None:
    engine = TableEngine(table={10: "so it goes " * 12})
    (result,) = recognise(engine, [work_item("a", "final", 1.0, hotwords="Anna", context="before")], [2])
    assert result.outcome == "ok" and result.text == "" and result.words == ()
    assert len(engine.reads) == 2
    again = engine.reads[1][0]
    assert again.full_window and not again.hotwords and not again.context


def test_a_reading_that_passed_speech_over_is_read_again_and_the_longer_one_kept() -> None:
    whole = " ".join(f"word{index}" for index in range(12))

    class Skipping(TableEngine):
        def _hear(self, reading: Reading) -> Heard:
            self.table = {120: whole if reading.full_window else "A good"}
            return super()._hear(reading)

    engine = Skipping()
    (result,) = recognise(engine, [work_item("a", "refine", 12.0, hotwords="Anna")], [5])
    assert result.text == whole and len(engine.reads) == 2
    again = TableEngine(table={120: "A good"})
    (result,) = recognise(again, [work_item("a", "refine", 12.0)], [5])
    assert result.text == "A good" and len(again.reads) == 2


def test_a_partial_is_never_read_twice() -> None:
    engine = TableEngine(table={10: "so it goes " * 12})
    (result,) = recognise(engine, [work_item("a", "partial", 1.0)], [1])
    assert result.text == "" and len(engine.reads) == 1


def test_nothing_too_short_reaches_the_engine() -> None:
    engine = TableEngine()
    (result,) = recognise(engine, [work_item("a", "final", 0.05)], [1])
    assert result.outcome == "ok" and result.text == "" and not engine.reads
