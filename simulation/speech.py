"""What the bots say: a folder of recorded clips, encoded once to Opus, and the audio track that plays them.

Owns the clip library (`simulation/speech` by default) and the pacing of the outgoing audio; never decides when somebody speaks (that is
`habits`). Encoding happens off the loop, once a clip and process; a track that plays costs one small copy per 20 ms.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import av
import numpy as np
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av.packet import Packet

from deliberation.errors import InvalidInput

PACKAGED = Path(__file__).parent / "speech"
SUFFIXES = (".flac", ".wav", ".ogg", ".opus", ".mp3")
FRAME_SECONDS = 0.02
FRAME_SAMPLES = 960
SAMPLE_RATE = 48_000
BIT_RATE = 32_000
SILENCE_PACKET = b"\xf8\xff\xfe"  # an Opus frame of 20 ms of silence: CELT, full band, mono (RFC 6716, section 3.1)
SILENCE_LEVEL = 127
VOICED_LEVEL = 50  # -dBov; quieter frames at the edges of a clip are taken for silence
MAX_QUEUED_CLIPS = 8


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording: who speaks, what is said word for word, how long it takes."""

    clip_id: str
    speaker: str
    text: str
    path: Path
    seconds: float


@dataclass(frozen=True, slots=True)
class EncodedClip:
    """A clip as Opus packets of 20 ms, each with its audio level (0..127 -dBov, RFC 6464).

    `first_voiced` and `last_voiced` are the indexes of the first and the last packet that carry voice.
    """

    packets: tuple[bytes, ...]
    levels: tuple[int, ...]
    first_voiced: int
    last_voiced: int


@dataclass(slots=True)
class Spoken:
    """One clip as it was sent; times are Unix seconds of its first and last voiced packet, None until then."""

    clip: Clip
    started_at: float | None = None
    ended_at: float | None = None
    finished: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class Speaker:
    """A voice of the library, with the habit its recordings were written for."""

    name: str
    habit: str
    clips: tuple[Clip, ...]


def load_library(folder: Path | None = None) -> tuple[Speaker, ...]:
    """Return the speakers of a folder in the order they are listed.

    With a `manifest.json` that has `clips` (`speaker`, `text`, `file`, `seconds`) and `speakers` (`name`, `habit`), that; otherwise every
    sound file is a speaker of its own, with the text of a `.txt` file beside it. Raises `InvalidInput("no_speech")` where nothing is found.
    """
    folder = folder or PACKAGED
    manifest = folder / "manifest.json"
    data: dict[str, Any] = json.loads(manifest.read_text("utf-8")) if manifest.is_file() else {}
    if "clips" in data:
        clips = [_from_manifest(folder, item) for item in data["clips"]]
        habits = {item["name"]: item.get("habit", "medium") for item in data.get("speakers", ())}
    else:
        files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
        clips = [_from_file(path) for path in files]
        habits = {}
    names = list(dict.fromkeys([*habits, *(clip.speaker for clip in clips)]))
    speakers = [
        Speaker(name, habits.get(name, "medium"), tuple(c for c in clips if c.speaker == name)) for name in names
    ]
    speakers = [speaker for speaker in speakers if speaker.clips]
    if not speakers:
        raise InvalidInput(
            "no_speech", f"There are no recordings in {folder}.", f"Put {', '.join(SUFFIXES)} files there."
        )
    return tuple(speakers)


def _from_manifest(folder: Path, item: dict[str, Any]) -> Clip:
    return Clip(item["file"], item["speaker"], item["text"], folder / item["file"], float(item["seconds"]))


def _from_file(path: Path) -> Clip:
    text = path.with_suffix(".txt")
    with av.open(str(path)) as container:
        seconds = (container.duration or 0) / 1_000_000
    return Clip(path.name, path.stem, text.read_text("utf-8").strip() if text.is_file() else "", path, seconds)


@lru_cache(maxsize=256)
def encode(path: Path) -> EncodedClip:
    """Return a sound file as Opus. Blocking: call it off the loop."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE, frame_size=FRAME_SAMPLES)
    encoder = av.CodecContext.create("libopus", "w")
    encoder.format = "s16"
    encoder.layout = "mono"
    encoder.sample_rate = SAMPLE_RATE
    encoder.bit_rate = BIT_RATE
    encoder.time_base = Fraction(1, SAMPLE_RATE)
    encoder.options = {"application": "voip"}
    packets: list[bytes] = []
    levels: list[int] = []
    with av.open(str(path)) as container:
        for decoded in [*container.decode(audio=0), None]:
            for frame in resampler.resample(decoded):
                if frame.samples < FRAME_SAMPLES:  # the tail of the file, shorter than a packet
                    continue
                levels.append(level(frame.to_ndarray()))
                packets += [bytes(packet) for packet in encoder.encode(frame)]
    packets += [bytes(packet) for packet in encoder.encode(None)]
    levels += [SILENCE_LEVEL] * (len(packets) - len(levels))
    voiced = [index for index, value in enumerate(levels) if value < VOICED_LEVEL] or [0]
    return EncodedClip(tuple(packets), tuple(levels[: len(packets)]), voiced[0], voiced[-1])


async def prepare(clip: Clip) -> None:
    """Encode a clip ahead, so that saying it begins at once."""
    await asyncio.to_thread(encode, clip.path)


def level(samples: np.ndarray[Any, Any]) -> int:
    """Return the level of 16-bit samples in -dBov, 0 (loudest) to 127 (silence), as RFC 6464 defines it."""
    power = float(np.mean(np.square(samples.astype(np.float64) / 32768.0))) if samples.size else 0.0
    return SILENCE_LEVEL if power <= 0 else max(0, min(SILENCE_LEVEL, round(-10 * float(np.log10(power)))))


class SpeechTrack(MediaStreamTrack):
    """Audio that is silent until told to `say` a clip. At most `MAX_QUEUED_CLIPS` wait; further ones are refused.

    Hands out encoded packets (which aiortc forwards as they are); `level` is the level of the packet handed out last.
    """

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.level = SILENCE_LEVEL
        self.muted = False
        self._queue: list[tuple[Spoken, EncodedClip]] = []
        self._position = 0
        self._pts = 0
        self._next_at: float | None = None

    async def say(self, clip: Clip) -> Spoken:
        """Queue a clip and return at once with its record, whose `finished` is set when the last word is out."""
        if len(self._queue) >= MAX_QUEUED_CLIPS:
            raise InvalidInput("speech_queue_full", "Too many clips are waiting to be spoken.")
        encoded = await asyncio.to_thread(encode, clip.path)
        spoken = Spoken(clip)
        self._queue.append((spoken, encoded))
        return spoken

    @property
    def speaking(self) -> bool:
        """Whether a clip is being spoken or waits."""
        return bool(self._queue)

    def hush(self) -> None:
        """Stop speaking at once; what was waiting is dropped."""
        for spoken, _ in self._queue:
            spoken.finished.set()
        self._queue.clear()
        self._position = 0

    def stop(self) -> None:
        """End the track."""
        self.hush()
        super().stop()

    async def recv(self) -> Packet[Any]:
        """Return the next packet, paced to real time."""
        if self.readyState != "live":
            raise MediaStreamError
        await self._pace()
        payload, self.level = self._next()
        packet = Packet(payload)
        packet.pts = self._pts
        packet.time_base = Fraction(1, SAMPLE_RATE)
        self._pts += FRAME_SAMPLES
        return packet

    async def _pace(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._next_at is None or now - self._next_at > 0.5:  # a stall is not made up for
            self._next_at = now
        if self._next_at > now:
            await asyncio.sleep(self._next_at - now)
        self._next_at += FRAME_SECONDS

    def _next(self) -> tuple[bytes, int]:
        if not self._queue or self.muted:
            return SILENCE_PACKET, SILENCE_LEVEL
        spoken, encoded = self._queue[0]
        index = self._position
        self._position += 1
        if index == encoded.first_voiced:
            spoken.started_at = time.time()
        if index == encoded.last_voiced:
            spoken.ended_at = time.time() + FRAME_SECONDS
        if self._position >= len(encoded.packets):
            self._queue.pop(0)
            self._position = 0
            spoken.finished.set()
        return encoded.packets[index], encoded.levels[index]


VAGUE = ("I ", "It ", "If ", "Some ", "We ", "When ", "Then ", "But ")  # how sentences begin that need the ones before


def sentences(clips: Sequence[Clip]) -> tuple[str, ...]:
    """Return the single sentences of some clips that could stand as statements: claims in a handy length that need no context."""
    found = []
    for clip in clips:
        for sentence in clip.text.replace("?", "?.").split("."):
            text = sentence.strip()
            claims = any(word in text.split() for word in ("should", "must"))
            if claims and 30 <= len(text) <= 180 and not text.endswith("?") and not text.startswith(VAGUE):
                found.append(text + ".")
    return tuple(found)
