"""How well and how fast speech becomes text, through the real pipeline, paced in real time.

    python benchmarks/speech.py [DIR] [--quick] [--model base] [--talkers 1,4,8,16] [--seconds 60] [--workers 2]
        [--no-baseline] [--media]

DIR holds a manifest.json: a list of {"file", "text", …}. By default ../shared/data/speech where it is there, else the
project's own fixtures. Each talker is one participant, four to a room; their files follow each other with 1.5 s of
silence. Beside it, with the same weights, faster-whisper reads the same files offline (beam 5), and, unless --quick, the
usual streaming method does (`_streaming_baseline`).

Clocks: *first shown* and *stable* run from the word's end (by alignment), *final* from the end of speech (server voice
activity). CPU is that of this process (decoding, voice activity, segmenting, and the pacing) and of the workers, per
second of speech played; the share of refining, which waits for idle time, is told apart.

Ends with one JSON line; exit 1 where an aim is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from multiprocessing.context import SpawnContext
from multiprocessing.synchronize import Event
from pathlib import Path

import numpy as np
from faster_whisper import WhisperModel
from threadpoolctl import threadpool_limits

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks._media_load import Load  # noqa: E402
from benchmarks._streaming_baseline import stream  # noqa: E402
from benchmarks.media import python_server  # noqa: E402
from server.valkey import EmbeddedValkey  # noqa: E402
from server.work_streams import RedisWorkQueue  # noqa: E402
from server.worker import run_worker  # noqa: E402
from transcription.decode import RATE, AudioPacket, Decimator, Samples, encode_opus, read_recording  # noqa: E402
from transcription.models import locate  # noqa: E402
from transcription.settings import TranscriptionSettings  # noqa: E402
from transcription.stream import RoomTranscriber  # noqa: E402
from transcription.utterances import Final, Partial, Revised, StreamEvent, Utterance  # noqa: E402
from transcription.work import WorkResult  # noqa: E402

GAP_SECONDS = 1.5
ROOM_SIZE = 4
AIMS = {
    "stored WER over offline, points": ("at most", 0.5),
    "live WER over offline, points": ("at most", 3.5),
    "first shown p50, s": ("at most", 0.8),
    "final p50, s": ("at most", 1.5),
    "final p95, s": ("at most", 4.0),
    "live CPU-s per audio-s": ("at most", 0.2),
    "finals lost": ("at most", 0),
}
UNJUDGED = ["talkers sustained on a GPU"]


@dataclass(frozen=True)
class Clip:
    file: str
    text: str
    samples: Samples


@dataclass
class Heard:
    """What came of one talker."""

    finals: list[Utterance] = field(default_factory=list)
    stored: dict[str, Utterance] = field(default_factory=dict)
    shown: dict[str, list[tuple[float, str]]] = field(default_factory=dict)
    final_lags: list[float] = field(default_factory=list)

    def take(self, now: float, event: StreamEvent) -> None:
        if isinstance(event, Partial):
            self.shown.setdefault(event.utterance_id, []).append((now, f"{event.solid} {event.tail}"))
        elif isinstance(event, Final):
            utterance = event.utterance
            self.finals.append(utterance)
            self.stored[utterance.utterance_id] = utterance
            self.final_lags.append(now - utterance.ended_at)
            self.shown.setdefault(utterance.utterance_id, []).append((now, utterance.text))
        elif isinstance(event, Revised):
            self.stored[event.utterance.utterance_id] = event.utterance


def plain(text: str) -> list[str]:
    return re.sub(r"[^\w' ]+", " ", text.lower().replace("’", "'").replace("-", " ")).split()


def distance(reference: Sequence[str], text: Sequence[str]) -> int:
    """Word edits from the text to the reference."""
    row = np.arange(len(text) + 1)
    for index, word in enumerate(reference, 1):
        before = row.copy()
        row[0] = index
        for column, other in enumerate(text, 1):
            row[column] = min(before[column] + 1, row[column - 1] + 1, before[column - 1] + (word != other))
    return int(row[-1])


def word_error_rate(pairs: Iterable[tuple[str, str]]) -> float:
    """Percent, over (reference, text) pairs."""
    errors = words = 0
    for reference, text in pairs:
        errors += distance(plain(reference), plain(text))
        words += len(plain(reference))
    return 100 * errors / max(words, 1)


def word_lags(heard: Heard) -> tuple[list[float], list[float]]:
    """Return, for each word of the finals, seconds from its end to when it was first shown and shown for good."""
    first: list[float] = []
    stable: list[float] = []
    for final in heard.finals:
        words = [" ".join(plain(word.text)) for word in final.words]
        appeared: list[list[bool]] = []
        times: list[float] = []
        for at, text in heard.shown[final.utterance_id]:
            matched = [False] * len(words)
            for block in SequenceMatcher(None, words, plain(text), autojunk=False).get_matching_blocks():
                matched[block.a : block.a + block.size] = [True] * block.size
            appeared.append(matched)
            times.append(at)
        for index, word in enumerate(final.words):
            seen = [row[index] for row in appeared]
            if not any(seen):
                continue
            first.append(times[seen.index(True)] - word.end)
            wrong = [number for number, good in enumerate(seen) if not good]
            stable.append(times[min(wrong[-1] + 1 if wrong else 0, len(times) - 1)] - word.end)
    return first, stable


def percentile(values: Sequence[float], share: float) -> float:
    return float(np.percentile(values, share)) if values else float("nan")


def cpu_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def load(folder: Path, seconds: float | None) -> list[Clip]:
    """Return the clips; with `seconds`, short ones that come to about so much."""
    clips: list[Clip] = []
    total = 0.0
    manifest = json.loads((folder / "manifest.json").read_text())
    for entry in manifest["clips"] if isinstance(manifest, dict) else manifest:
        parts = list(read_recording(folder / entry["file"]))
        samples = np.concatenate([part.mean(axis=0) for part in parts]).astype(np.float32)
        if seconds is not None and len(samples) / RATE > seconds - total + 2:
            continue
        clips.append(Clip(entry["file"], entry["text"], samples))
        total += len(samples) / RATE
    return clips


def playlists(clips: Sequence[Clip], talkers: int, seconds: float) -> list[list[Clip]]:
    """Give each talker about so many seconds of speech, each beginning elsewhere in the list."""
    lists: list[list[Clip]] = []
    for talker in range(talkers):
        begin = talker * len(clips) // talkers
        mine: list[Clip] = []
        length = 0.0
        for index in range(len(clips)):
            clip = clips[(begin + index) % len(clips)]
            if mine and length + len(clip.samples) / RATE > seconds:
                continue
            mine.append(clip)
            length += len(clip.samples) / RATE
        lists.append(mine)
    return lists


def track(clips: Sequence[Clip]) -> list[tuple[int, bytes]]:
    gap = np.zeros(round(GAP_SECONDS * RATE), np.float32)
    parts = [gap[: RATE // 2]]
    for clip in clips:
        parts += [clip.samples, gap]
    return encode_opus(np.concatenate(parts))


def reference_model(settings: TranscriptionSettings) -> WhisperModel:
    path = locate(settings.model, settings.cache_dir)
    threadpool_limits(1)  # as each of our workers, and so is the next
    return WhisperModel(path, device="cpu", compute_type="int8", cpu_threads=1)


def offline(model: WhisperModel, clips: Sequence[Clip]) -> tuple[dict[str, str], float]:
    """Read each clip with faster-whisper as it comes (beam 5); return texts and CPU-s per audio-s."""
    texts: dict[str, str] = {}
    before = time.process_time()
    for clip in clips:
        segments, _ = model.transcribe(at_16_khz(clip), language="en", beam_size=5)
        texts[clip.file] = " ".join(segment.text for segment in segments)
    return texts, (time.process_time() - before) / seconds_of(clips)


def streaming(model: WhisperModel, clips: Sequence[Clip]) -> dict[str, float]:
    """Measure the usual streaming method on the clips, one after another."""
    pairs: list[tuple[str, str]] = []
    lags: list[float] = []
    before = time.process_time()
    for clip in clips:
        words = stream(model, at_16_khz(clip), "en")
        pairs.append((clip.text, "".join(word.text for word in words)))
        lags += [word.at - word.end for word in words]
    return {
        "WER, %": round(word_error_rate(pairs), 2),
        "committed p50, s": round(percentile(lags, 50), 2),
        "committed p95, s": round(percentile(lags, 95), 2),
        "CPU-s per audio-s": round((time.process_time() - before) / seconds_of(clips), 3),
    }


def at_16_khz(clip: Clip) -> Samples:
    return Decimator()(clip.samples[: len(clip.samples) // 3 * 3])


def seconds_of(clips: Iterable[Clip]) -> float:
    return sum(len(clip.samples) / RATE for clip in clips)


def media_process(rooms: int, ready: Event, stop: Event) -> None:
    """Forward the sound and video of rooms of four through a server process of ours, until `stop`."""
    asyncio.run(forward(rooms, ready, stop))


async def forward(rooms: int, ready: Event, stop: Event) -> None:
    load = Load()
    async with python_server("parley", 0) as (_, server):
        for room in range(rooms):
            for member in range(ROOM_SIZE):
                await server.join(room, member, load)
        ready.set()
        while not stop.is_set():
            await load.run(0.5, measure=False)


@contextmanager
def media_beside(context: SpawnContext, rooms: int) -> Iterator[None]:
    """Run the media of so many rooms beside; none with 0."""
    if not rooms:
        yield
        return
    ready, stop = context.Event(), context.Event()
    process = context.Process(target=media_process, args=(rooms, ready, stop))
    process.start()
    try:
        assert ready.wait(60), "the rooms' media did not connect"
        yield
    finally:
        stop.set()
        process.join()


def worker_process(url: str, settings: TranscriptionSettings) -> None:
    asyncio.run(run_worker(url, settings, asyncio.Event()))


class CountingQueue(RedisWorkQueue):
    """Notes how long results of each kind took to decode."""

    def __init__(self, url: str) -> None:
        super().__init__(url, "benchmark")
        self.decode_seconds: dict[str, float] = {"final": 0.0, "partial": 0.0, "refine": 0.0}
        self.read: Counter[str] = Counter()

    def subscribe(self, room_id: str, handler: Callable[[WorkResult], None]) -> Callable[[], None]:
        def counted(result: WorkResult) -> None:
            self.decode_seconds[result.kind] += result.decode_seconds
            self.read[f"{result.kind}s {result.outcome}"] += 1
            handler(result)

        return super().subscribe(room_id, counted)


async def play(room: RoomTranscriber, talker: str, packets: Sequence[tuple[int, bytes]], starts_at: float) -> None:
    for position, payload in packets:
        due = starts_at + position / RATE + 0.02
        if (wait := due - time.time()) > 0:
            await asyncio.sleep(wait)
        room.push(AudioPacket(talker, payload, position % 2**32, position // 960 % 65536, time.time(), None))


async def measure(
    lists: Sequence[Sequence[Clip]], settings: TranscriptionSettings, url: str, workers: Sequence[int]
) -> tuple[list[Heard], dict[str, float]]:
    tracks = [track(clips) for clips in lists]
    heard = {f"talker{index}": Heard() for index in range(len(lists))}

    def emit(event: StreamEvent) -> None:
        who = getattr(event, "participant_id", None)
        if isinstance(event, Final | Revised):
            who = event.utterance.participant_id
        if who is not None:
            heard[who].take(time.time(), event)

    async with CountingQueue(url) as queue, asyncio.TaskGroup() as group:
        while len(await queue.workers()) < len(workers):  # noqa: ASYNC110 - they are other processes
            await asyncio.sleep(0.1)
        rooms = [
            RoomTranscriber(f"room{index}", queue, emit, settings, language="en", hotwords=())
            for index in range(-(-len(lists) // ROOM_SIZE))
        ]
        for room in rooms:
            group.create_task(room.run())
        before = time.process_time(), sum(cpu_seconds(worker) for worker in workers)
        starts = time.time() + 0.2
        async with asyncio.TaskGroup() as players:
            for index, packets in enumerate(tracks):
                room = rooms[index // ROOM_SIZE]
                players.create_task(play(room, f"talker{index}", packets, starts + index % ROOM_SIZE * 0.3))
        node = time.process_time() - before[0]
        await asyncio.gather(*(room.close() for room in rooms))
        lost = sum(room.stats().finals_lost for room in rooms)
        decoding = sum(cpu_seconds(worker) for worker in workers) - before[1]
        took = queue.decode_seconds
    speech = sum(seconds_of(clips) for clips in lists)
    live_share = (took["final"] + took["partial"]) / max(sum(took.values()), 1e-9)
    return list(heard.values()), {
        "audio_seconds": speech,
        "lost": lost,
        "node_cpu": node / speech,
        "live_cpu": (node + decoding * live_share) / speech,
        "final_cpu": decoding * took["final"] / max(sum(took.values()), 1e-9) / speech,
        "partial_cpu": decoding * took["partial"] / max(sum(took.values()), 1e-9) / speech,
        "refine_cpu": decoding * (1 - live_share) / speech,
        **{f"read: {name}": number for name, number in sorted(queue.read.items())},
    }


def figures_of(
    lists: Sequence[Sequence[Clip]], heard: Sequence[Heard], cpu: dict[str, float], texts: dict[str, str]
) -> dict[str, float]:
    references = [" ".join(clip.text for clip in clips) for clips in lists]
    live = [" ".join(each.text for each in one.finals) for one in heard]
    stored = [
        " ".join(each.text for each in sorted(one.stored.values(), key=lambda utterance: utterance.started_at))
        for one in heard
    ]
    read = [" ".join(texts[clip.file] for clip in clips) for clips in lists]
    first: list[float] = []
    stable: list[float] = []
    for one in heard:
        mine = word_lags(one)
        first += mine[0]
        stable += mine[1]
    lags = [lag for one in heard for lag in one.final_lags]
    values = {
        "talkers": len(lists),
        "WER offline, %": word_error_rate(zip(references, read, strict=True)),
        "WER live, %": word_error_rate(zip(references, live, strict=True)),
        "WER stored, %": word_error_rate(zip(references, stored, strict=True)),
        "first shown p50, s": percentile(first, 50),
        "first shown p95, s": percentile(first, 95),
        "stable p50, s": percentile(stable, 50),
        "stable p95, s": percentile(stable, 95),
        "final p50, s": percentile(lags, 50),
        "final p95, s": percentile(lags, 95),
        "finals": len(lags),
        "finals lost": cpu["lost"],
        **{f"{name.replace('_', ' ')}-s per audio-s": value for name, value in cpu.items() if name.endswith("cpu")},
        **{name: number for name, number in cpu.items() if name.startswith("read: ")},
        "speech played, s": cpu["audio_seconds"],
    }
    return {name: round(value, 3) for name, value in values.items()}


def judged(rows: Sequence[dict[str, float]]) -> dict[str, bool]:
    """The aims are for one talker; latency must hold for every number of talkers up to 8."""
    alone = rows[0]
    checks = {
        "stored WER over offline, points": alone["WER stored, %"] - alone["WER offline, %"],
        "live WER over offline, points": alone["WER live, %"] - alone["WER offline, %"],
        "first shown p50, s": alone["first shown p50, s"],
        "final p50, s": max(row["final p50, s"] for row in rows if row["talkers"] <= 8),
        "final p95, s": max(row["final p95, s"] for row in rows if row["talkers"] <= 8),
        "live CPU-s per audio-s": alone["live cpu-s per audio-s"],
        "finals lost": sum(row["finals lost"] for row in rows),
    }
    return {name: value <= AIMS[name][1] for name, value in checks.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    shared = ROOT.parent / "shared" / "data" / "speech"
    default = shared if shared.is_dir() else ROOT / "simulation" / "speech"
    parser.add_argument("folder", nargs="?", type=Path, default=default)
    parser.add_argument("--quick", action="store_true", help="one talker, about 20 s")
    parser.add_argument("--model", default="base")
    parser.add_argument("--talkers", default="1,4,8,16")
    parser.add_argument("--seconds", type=float, default=60.0, help="speech for each talker")
    parser.add_argument("--no-baseline", action="store_true", help="leave the usual streaming method out")
    parser.add_argument("--media", action="store_true", help="the talkers' rooms forward sound and video beside")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    chosen = parser.parse_args()
    talkers = [1] if chosen.quick else [int(number) for number in chosen.talkers.split(",")]
    seconds = 24.0 if chosen.quick else chosen.seconds
    settings = TranscriptionSettings(model=chosen.model)
    every_clip = load(chosen.folder, 20.0 if chosen.quick else None)
    runs = [playlists(every_clip, number, seconds) for number in talkers]
    clips = list({clip.file: clip for lists in runs for mine in lists for clip in mine}.values())
    model = reference_model(settings)
    texts, offline_cpu = offline(model, clips)
    beside = {} if chosen.quick or chosen.no_baseline else streaming(model, clips)
    del model
    rows: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        valkey = EmbeddedValkey(Path(folder))
        url = valkey.start()
        context = multiprocessing.get_context("spawn")
        processes = [
            context.Process(target=worker_process, args=(url, settings), daemon=True) for _ in range(chosen.workers)
        ]
        try:
            for process in processes:
                process.start()
            for lists in runs:
                identities = [process.pid or 0 for process in processes]
                rooms = -(-len(lists) // ROOM_SIZE) if chosen.media else 0
                with media_beside(context, rooms):
                    heard, cpu = asyncio.run(measure(lists, settings, url, identities))
                rows.append({**figures_of(lists, heard, cpu, texts), "rooms whose media runs beside": rooms})
                for name, value in rows[-1].items():
                    print(f"{name:32} {value:g}")
                print()
        finally:
            for process in processes:
                process.terminate()
                process.join()
            valkey.stop()
    met = judged(rows)
    unjudged = UNJUDGED + (["latency with several talkers"] if chosen.quick else [])
    if not (chosen.media and 8 in talkers):
        unjudged.append("8 talkers on 2 cores with their rooms' media beside (--media)")
    report = {
        "name": "speech",
        "figures": {
            "model": chosen.model,
            "workers": chosen.workers,
            "offline CPU-s per audio-s": round(offline_cpu, 3),
            "live CPU over offline's": round(rows[0]["live cpu-s per audio-s"] / offline_cpu, 2),
            "LocalAgreement-2 over a growing buffer": beside,
            "runs": rows,
        },
        "aims": {name: f"{word} {limit}" for name, (word, limit) in AIMS.items()},
        "met": met,
        "not_judged": unjudged,
    }
    print(json.dumps(report))
    return 0 if all(met.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
