"""Recorded and on-site meetings: one file, several speakers, the same pipeline as live speech.

Owns: taking a recorded file through `Speaker` (each channel is a speaker) and the work queue, as groups of up to 28 s
read with the wide beam, at the lowest priority: live captions come first. Never does: storing, telling voices in one
channel apart: what is mixed is one speaker, to be marked unknown by the caller.
Called by: `parley import`.

At most four groups are in the queue at a time; the file is read no faster than that.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deliberation.errors import InvalidInput, Unavailable
from transcription.decode import RATE, AudioPacket, OpusEncoder, Samples, inspect_recording, read_recording
from transcription.language import LanguageLock
from transcription.refine import Gathering, Member, context_of, distribute
from transcription.segmenter import Boundary
from transcription.settings import TranscriptionSettings
from transcription.speaker import Speaker
from transcription.utterances import Utterance
from transcription.voice import SileroVoice, VoiceDetector
from transcription.work import WorkItem, WorkQueue, WorkResult

_STRETCH_SECONDS = 5.0
_IN_QUEUE = 4
_RETRY_SECONDS = 1.0
_LOOK_SECONDS = 10.0
_MOST_TRIES = 3


@dataclass(frozen=True, slots=True)
class Imported:
    """What a recorded file held."""

    utterances: tuple[Utterance, ...]
    """By time."""
    seconds: float
    """Length of the file."""
    unread_seconds: float
    """Speech that no recogniser could read."""


async def import_recording(
    path: Path,
    work: WorkQueue,
    settings: TranscriptionSettings,
    *,
    participants: Sequence[str],
    started_at: float,
    language: str | None,
    hotwords: Sequence[str] = (),
    on_progress: Callable[[float], None] = lambda fraction: None,
    voice: Callable[[], VoiceDetector] = SileroVoice,
) -> Imported:
    """Transcribe a recorded file.

    `participants` names the speaker of each channel; a single name stands for all channels, mixed. `started_at` is the
    room time of the file's beginning. `on_progress` gets 0..1, rising. Raises InvalidInput `recording_unreadable` or
    `recording_channels`; a queue that is away is waited for.
    """
    recording = await asyncio.to_thread(inspect_recording, path)
    if len(participants) not in (1, recording.channels):
        raise InvalidInput(
            "recording_channels",
            f"{path.name} has {recording.channels} channels, but {len(participants)} speakers are named.",
            "Name one speaker for each channel, or a single one for all.",
        )
    job = _Import(work, recording.seconds, started_at, " ".join(hotwords), on_progress)
    channels = [_Channel(settings, participant, started_at, language, voice) for participant in participants]
    unsubscribe = work.subscribe(job.room_id, job.take)
    try:
        async with asyncio.TaskGroup() as group:
            stretches = read_recording(path)
            while (sound := await asyncio.to_thread(_next_stretch, stretches)) is not None:
                if len(channels) == 1 and len(sound) > 1:
                    sound = sound.mean(axis=0, keepdims=True)
                for channel, samples in zip(channels, sound, strict=True):
                    for members in await asyncio.to_thread(channel.hear, samples):
                        await job.read(group, channel, members)
            for channel in channels:
                for members in await asyncio.to_thread(channel.finish):
                    await job.read(group, channel, members)
    finally:
        unsubscribe()
    on_progress(1.0)
    length = max(channel.heard for channel in channels) / RATE
    return Imported(tuple(sorted(job.utterances, key=lambda one: one.started_at)), length, job.unread_seconds)


def _next_stretch(stretches: Iterator[Samples]) -> Samples | None:
    """Return the next few seconds, shape (channels, samples); None at the end."""
    parts: list[Samples] = []
    length = 0
    for part in stretches:
        parts.append(part)
        length += part.shape[1]
        if length >= _STRETCH_SECONDS * RATE:
            break
    return np.concatenate(parts, axis=1) if parts else None


class _Channel:
    """One channel on its way through encoder, voice activity and segmenter. CPU work."""

    def __init__(
        self,
        settings: TranscriptionSettings,
        participant_id: str,
        started_at: float,
        language: str | None,
        voice: Callable[[], VoiceDetector],
    ) -> None:
        self.language = LanguageLock(settings, language)
        self.context = ""
        self.heard = 0
        self._participant_id = participant_id
        self._started_at = started_at
        self._post_roll = round(settings.post_roll_seconds * RATE)
        self._encoder = OpusEncoder()
        self._speaker = Speaker(settings, voice)
        self._gathering = Gathering(settings)
        self._voice_from = 0.0

    def hear(self, samples: Samples) -> list[tuple[Member, ...]]:
        """Return the groups of utterances that are complete."""
        self.heard += len(samples)
        return self._boundaries(self._push(self._encoder.encode(samples)))

    def finish(self) -> list[tuple[Member, ...]]:
        """Return the last groups."""
        groups = self._boundaries(self._push(self._encoder.finish()))
        groups += self._boundaries(self._speaker.flush(self._started_at + self.heard / RATE))
        last = self._gathering.close()
        return [*groups, last] if last else groups

    def _push(self, packets: Sequence[tuple[int, bytes]]) -> list[Boundary]:
        at = self._started_at
        for position, payload in packets:
            at = self._started_at + position / RATE
            sequence = position // 960 % 65536
            self._speaker.push(AudioPacket(self._participant_id, payload, position % 2**32, sequence, at, None))
        return self._speaker.advance(at)

    def _boundaries(self, boundaries: Sequence[Boundary]) -> list[tuple[Member, ...]]:
        groups: list[tuple[Member, ...]] = []
        for boundary in boundaries:
            at = self._speaker.room_time(boundary.at)
            if boundary.kind == "opened":
                self._voice_from = at
            elif boundary.kind in ("cut", "closed"):
                tail = self._post_roll if boundary.kind == "closed" else 0
                piece = self._speaker.piece(boundary.start, boundary.at + tail)
                identity = f"u{secrets.token_hex(8)}"
                empty = Utterance(identity, self._participant_id, self._voice_from, at, "", (), 0.0, "")
                closed = self._gathering.add(Member(empty, piece, self._speaker.room_time(boundary.start)))
                groups += [closed] if closed else []
                self._voice_from = at
        return groups


class _Import:
    """The groups of one file that are being read."""

    def __init__(
        self,
        work: WorkQueue,
        seconds: float,
        started_at: float,
        hotwords: str,
        on_progress: Callable[[float], None],
    ) -> None:
        self.room_id = f"import-{secrets.token_hex(6)}"
        self.utterances: list[Utterance] = []
        self.unread_seconds = 0.0
        self._work = work
        self._seconds = seconds
        self._started_at = started_at
        self._hotwords = hotwords
        self._on_progress = on_progress
        self._progress = 0.0
        self._free = asyncio.Semaphore(_IN_QUEUE)
        self._answers: dict[str, asyncio.Future[WorkResult]] = {}

    def take(self, result: WorkResult) -> None:
        """Take a result from the queue."""
        answer = self._answers.get(result.item_id)
        if answer is not None and not answer.done():
            answer.set_result(result)

    async def read(self, group: asyncio.TaskGroup, channel: _Channel, members: tuple[Member, ...]) -> None:
        """Have the group read; waits only while too many are being read."""
        await self._free.acquire()
        group.create_task(self._read(channel, members))

    async def _read(self, channel: _Channel, members: tuple[Member, ...]) -> None:
        try:
            result = await self._ask(channel, members)
        finally:
            self._free.release()
        if result is None:
            self.unread_seconds += sum(member.seconds for member in members)
            return
        seconds = sum(member.seconds for member in members)
        channel.language.heard(result.language, result.language_probability, seconds)
        said = [one for one in distribute(members, result) if one.text]
        self.utterances += said
        channel.context = context_of(said)
        if self._seconds:
            reached = min(1.0, (members[-1].utterance.ended_at - self._started_at) / self._seconds)
            self._progress = max(self._progress, reached)
            self._on_progress(self._progress)

    async def _ask(self, channel: _Channel, members: tuple[Member, ...]) -> WorkResult | None:
        pieces = tuple(member.piece for member in members)
        for _ in range(_MOST_TRIES):
            item_id = f"i{secrets.token_hex(8)}"
            language = channel.language.language
            item = WorkItem(item_id, self.room_id, "refine", pieces, language, self._hotwords, channel.context)
            result = await self._answer_to(item)
            if result.outcome == "ok":
                return result
        return None

    async def _answer_to(self, item: WorkItem) -> WorkResult:
        """Send the item, again where the queue was away or has lost it, until its answer comes."""
        answer: asyncio.Future[WorkResult] = asyncio.get_running_loop().create_future()
        self._answers[item.item_id] = answer
        sent = False
        try:
            while True:
                try:
                    if not sent or not await self._work.holds(item.item_id):
                        await self._work.submit(item)
                        sent = True
                    async with asyncio.timeout(_LOOK_SECONDS):
                        return await asyncio.shield(answer)
                except TimeoutError:
                    continue
                except Unavailable:
                    await asyncio.sleep(_RETRY_SECONDS)
        finally:
            del self._answers[item.item_id]
