"""A queue in memory, an engine that "reads" from a table, a voice detector that listens for loudness, a clock to wind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from deliberation.errors import Unavailable
from transcription.decode import RATE, AudioPacket, Samples, encode_opus
from transcription.engine import Heard, Reading
from transcription.voice import FRAME
from transcription.work import KINDS, Claim, HeardWord, Kind, WorkItem, WorkResult


class Clock:
    """Room time that only moves when told to."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class LoudnessVoice:
    """Whatever is loud is speech."""

    def __call__(self, samples: Samples) -> list[float]:
        frames = samples.reshape(-1, FRAME)
        return [0.95 if np.sqrt(np.mean(frame**2)) > 0.02 else 0.02 for frame in frames]

    def reset(self) -> None:
        pass


def tone(seconds: float, volume: float = 0.3) -> Samples:
    at = np.arange(round(seconds * RATE)) / RATE
    return (volume * np.sin(2 * np.pi * 440 * at)).astype(np.float32)


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE), np.float32)


def sound(*parts: Samples) -> Samples:
    return np.concatenate(parts)


def packets(
    samples: Samples,
    who: str = "ada",
    starts_at: float = 1000.0,
    *,
    timestamp: int = 4_294_900_000,
    level: Callable[[int], int | None] = lambda _: None,
) -> list[AudioPacket]:
    """Packets of the sound, the first arriving at `starts_at`. The RTP timestamp wraps soon, as it may at any time."""
    return [
        AudioPacket(
            who, payload, (timestamp + position) % 2**32, index % 65536, starts_at + position / RATE, level(index)
        )
        for index, (position, payload) in enumerate(encode_opus(samples))
    ]


@dataclass
class MemoryWork:
    """Both ends of the queue. `down` makes every call fail, `lose` empties it as a restarted Redis would."""

    clock: Callable[[], float]
    reclaim_after: float = 3.0
    down: bool = False
    waiting: dict[str, tuple[WorkItem, float]] = field(default_factory=dict)
    claimed: dict[str, float] = field(default_factory=dict)
    deliveries: dict[str, int] = field(default_factory=dict)
    submitted: list[WorkItem] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    handlers: dict[str, Callable[[WorkResult], None]] = field(default_factory=dict)

    def _reach(self) -> None:
        if self.down:
            raise Unavailable("bus_away", "down")

    async def submit(self, item: WorkItem) -> None:
        self._reach()
        self.submitted.append(item)
        self.waiting[item.item_id] = (item, self.clock())

    async def cancel(self, item_id: str) -> None:
        self.cancelled.append(item_id)
        if item_id not in self.claimed:
            self.waiting.pop(item_id, None)

    async def holds(self, item_id: str) -> bool:
        self._reach()
        return item_id in self.waiting

    def subscribe(self, room_id: str, handler: Callable[[WorkResult], None]) -> Callable[[], None]:
        self.handlers[room_id] = handler
        return lambda: self.handlers.pop(room_id, None) and None

    def lose(self) -> None:
        self.waiting.clear()
        self.claimed.clear()

    async def take(self, kinds: Sequence[Kind], limit: int, wait_seconds: float) -> list[Claim]:
        self._reach()
        found: list[Claim] = []
        for kind in kinds:
            for item_id, (item, at) in self.waiting.items():
                free = self.clock() - self.claimed.get(item_id, -1e9) >= self.reclaim_after
                if item.kind == kind and free and len(found) < limit and all(one.item.kind == kind for one in found):
                    self.claimed[item_id] = self.clock()
                    self.deliveries[item_id] = self.deliveries.get(item_id, 0) + 1
                    found.append(Claim(item_id, item, self.deliveries[item_id], self.clock() - at))
        await asyncio.sleep(0)
        return found

    async def extend(self, claims: Sequence[Claim]) -> None:
        self._reach()
        for claim in claims:
            self.claimed[claim.handle] = self.clock()

    async def finish(self, claim: Claim, result: WorkResult) -> None:
        self._reach()
        self.waiting.pop(claim.handle, None)
        self.claimed.pop(claim.handle, None)
        handler = self.handlers.get(result.room_id)
        if handler is not None:
            handler(result)

    def waits(self, kind: Kind) -> list[WorkItem]:
        return [item for item, _ in self.waiting.values() if item.kind == kind]

    def answer(self, item: WorkItem, text: str, *, outcome: str = "ok", language: str = "en") -> None:
        """Answer as a worker would, words spread evenly over the audio."""
        self.waiting.pop(item.item_id, None)
        result = result_for(item, text, outcome=outcome, language=language)
        self.handlers[item.room_id](result)


def result_for(item: WorkItem, text: str, *, outcome: str = "ok", language: str = "en") -> WorkResult:
    return WorkResult(
        item.item_id,
        item.room_id,
        item.kind,
        outcome,  # type: ignore[arg-type]
        text=text,
        words=spread(text, item.seconds),
        confidence=0.9,
        language=language,
        language_probability=0.9,
        model="fake",
    )


def spread(text: str, seconds: float) -> tuple[HeardWord, ...]:
    words = text.split()
    each = seconds / max(len(words), 1)
    return tuple(HeardWord(f" {word}", i * each, (i + 1) * each, 0.9) for i, word in enumerate(words))


@dataclass
class TableEngine:
    """Hears what the table says for the audio's length in tenths of a second, else "word" once for each second."""

    name: str = "fake"
    device: str = "cpu"
    table: dict[int, str] = field(default_factory=dict)
    log_probability: float = -0.2
    fails: int = 0
    reads: list[list[Reading]] = field(default_factory=list)

    def window(self, reading: Reading) -> float:
        return 10.0

    def read(self, readings: Sequence[Reading]) -> list[Heard]:
        self.reads.append(list(readings))
        if self.fails:
            self.fails -= 1
            raise RuntimeError("out of memory")
        return [self._hear(reading) for reading in readings]

    def _hear(self, reading: Reading) -> Heard:
        plain = " ".join(f"word{index}" for index in range(max(1, round(reading.seconds))))
        text = self.table.get(round(reading.seconds * 10), plain)
        words = spread(text, reading.seconds) if not reading.draft else ()
        return Heard(text, words, self.log_probability, 0.01, reading.language or "en", 0.9)


def work_item(item_id: str = "i1", kind: Kind = "final", seconds: float = 1.0, **changes: object) -> WorkItem:
    from transcription.work import Piece

    assert kind in KINDS
    length = round(seconds * RATE)
    values: dict[str, object] = {
        "item_id": item_id,
        "room_id": "room",
        "kind": kind,
        "pieces": (Piece(0, length, tuple(encode_opus(tone(seconds)))),),
        "language": "en",
        "hotwords": "",
        "context": "",
        **changes,
    }
    return WorkItem(**values)  # type: ignore[arg-type]
