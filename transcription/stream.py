"""One room's live transcription: packets in, events out.

Owns: the room's participants and the room's share of the work queue: sending, looking for what got lost, thinning out
partials when recognisers are late, saying that captions are behind.
Never does: decoding speech (workers do), storing, talking to browsers. Called by: `server.rooms`.

Invariants: `Final` comes at most once for an utterance and always before its `Revised`; nothing is emitted after
`close`; a failure of one participant's audio ends neither the others' transcription nor the room.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from deliberation.errors import Unavailable
from transcription.decode import AudioPacket
from transcription.outbox import Outbox
from transcription.participant import Participant
from transcription.scheduler import partial_interval
from transcription.segmenter import Boundary
from transcription.settings import TranscriptionSettings
from transcription.speaker import Speaker
from transcription.utterances import Behind, StreamEvent
from transcription.voice import SileroVoice, VoiceDetector
from transcription.work import WorkItem, WorkQueue, WorkResult

_log = structlog.get_logger(__name__)
_LEAST_TICK_SECONDS = 0.02
_IDLE_TICK_SECONDS = 0.5
_AWAY_SECONDS = 0.5
_LOOK_SECONDS = 1.0
_EARLY_SECONDS = 0.1
_MOST_HOTWORDS = 24


@dataclass(frozen=True, slots=True)
class RoomSpeechStats:
    """How a room's transcription fares, for the monitor and the metrics."""

    finals_waiting: int
    finals_on_disk: int
    seconds_behind: float
    """0 unless captions are said to be behind."""
    partial_every_seconds: float
    finals_lost: int
    """Finals that had not come when the room closed, or could not be read back from disk."""
    disk_full: bool = False
    """Whether finals that should wait on disk have to wait in memory."""


class RoomTranscriber:
    """One room's transcription. `run` must be running for anything to happen.

    Everything but `run` and `close` is called on the loop and returns at once. A speaker's inbox holds 20 s of packets.
    """

    def __init__(
        self,
        room_id: str,
        work: WorkQueue,
        emit: Callable[[StreamEvent], None],
        settings: TranscriptionSettings,
        *,
        language: str | None,
        hotwords: Sequence[str],
        clock: Callable[[], float] = time.time,
        voice: Callable[[], VoiceDetector] = SileroVoice,
    ) -> None:
        self._room_id = room_id
        self._work = work
        self._give = emit
        self._settings = settings
        self._language = language
        self._hotwords = " ".join(hotwords[:_MOST_HOTWORDS])
        self._clock = clock
        self._voice = voice
        self._people: dict[str, Participant] = {}
        self._leaving: dict[str, Participant] = {}
        self._chosen: dict[str, str | None] = {}
        self._owners: dict[str, tuple[Participant, float]] = {}
        self._taken_back: list[str] = []
        self._outbox = Outbox(room_id, settings)
        self._partial_every = settings.partial_every_seconds
        self._behind = 0.0
        self._lost = 0
        self._answered = 0
        self._wake = asyncio.Event()
        self._to_send = asyncio.Event()
        self._closing = False
        self._stopping = False
        self._finished = asyncio.Event()
        self._stopped = asyncio.Event()
        self._stopped.set()

    def push(self, packet: AudioPacket) -> None:
        """Take one packet; never blocks, never raises."""
        if self._closing:
            return
        participant = self._people.get(packet.participant_id)
        if participant is None:
            participant = self._add(packet.participant_id)
        participant.speaker.push(packet)
        self._wake.set()

    def set_language(self, participant_id: str, language: str | None) -> None:
        """Take a participant's choice of language, a tag such as "de" or "pt-BR"; None: detect."""
        self._chosen[participant_id] = language
        participant = self._people.get(participant_id)
        if participant is not None:
            participant.language.choose(language)

    def remove(self, participant_id: str) -> None:
        """End what the participant is saying; its finals still come."""
        participant = self._people.pop(participant_id, None)
        if participant is not None:
            self._leaving[participant_id] = participant
            self._wake.set()

    def stats(self) -> RoomSpeechStats:
        """Return how things stand."""
        outbox = self._outbox
        return RoomSpeechStats(
            outbox.finals,
            outbox.spilled,
            self._behind,
            self._partial_every,
            self._lost + outbox.lost,
            outbox.disk_full and outbox.finals > 0,
        )

    async def run(self) -> None:
        """Transcribe until closed or cancelled."""
        unsubscribe = self._work.subscribe(self._room_id, self.take)
        self._stopped.clear()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._listen())
                group.create_task(self._send())
        finally:
            unsubscribe()
            self._outbox.clear()
            self._stopping = True
            self._stopped.set()
            self._finished.set()

    async def close(self) -> None:
        """End what is being said, wait for outstanding finals, and stop `run`.

        Gives up once `close_seconds` have passed without an answer; cancelled, it stops at once.
        """
        self._closing = True
        self._wake.set()
        try:
            while not self._stopped.is_set() and not self._finished.is_set():
                answered = self._answered
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._finished.wait(), self._settings.close_seconds)
                if self._answered == answered:
                    break
        finally:
            self._lost = self._outbox.finals
            if self._lost:
                _log.error("closed before all finals came", room=self._room_id, finals=self._lost)
            self._stopping = True
            self._wake.set()
            self._to_send.set()
        await self._stopped.wait()

    def _add(self, participant_id: str) -> Participant:
        participant = Participant(
            self._room_id,
            participant_id,
            self._settings,
            Speaker(self._settings, self._voice),
            language=self._chosen.get(participant_id, self._language),
            hotwords=self._hotwords,
            ask=self._ask,
            take_back=self._take_back,
            emit=self._emit,
        )
        self._people[participant_id] = participant
        return participant

    async def _listen(self) -> None:
        while not self._stopping:
            now = self._clock()
            await self.step(now)
            self._wake.clear()
            due = [at for one in self._people.values() if (at := one.speaker.due_at()) is not None]
            if due:
                await asyncio.sleep(min(max(min(due) - self._clock(), _LEAST_TICK_SECONDS), _IDLE_TICK_SECONDS))
            else:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), _IDLE_TICK_SECONDS)

    async def step(self, now: float) -> None:
        """Hear what has arrived by `now`, ask for what is due, say what is new. Called by `run`, and by tests."""
        leaving, self._leaving = list(self._leaving.values()), {}
        if self._closing:
            leaving += self._people.values()
            self._people = {}
        due = [one for one in self._people.values() if _is_due(one, now)]
        if due or leaving:
            for participant, boundaries in await asyncio.to_thread(self._advance, due, leaving, now):
                for boundary in boundaries:
                    participant.hear(boundary)
        for participant in self._people.values():
            participant.tick(now, self._partial_every)
        for participant in leaving:
            participant.leave()
        self._say_whether_behind(now)
        self._note_finished()

    def _advance(
        self, due: Sequence[Participant], leaving: Sequence[Participant], now: float
    ) -> list[tuple[Participant, list[Boundary]]]:
        """Run in a thread. A speaker whose audio cannot be heard starts anew."""
        heard: list[tuple[Participant, list[Boundary]]] = []
        for participant in (*due, *leaving):
            speaker = participant.speaker
            try:
                boundaries = speaker.flush(now) if participant in leaving else speaker.advance(now)
            except Exception as error:
                _log.error("a speaker's audio could not be heard", room=self._room_id, error=repr(error))
                boundaries = speaker.recover()
            heard.append((participant, boundaries))
        return heard

    async def _send(self) -> None:
        while not self._stopping:
            self._to_send.clear()
            try:
                await self.send(self._clock())
            except Unavailable:
                await asyncio.sleep(_AWAY_SECONDS)
                continue
            with suppress(TimeoutError):
                await asyncio.wait_for(self._to_send.wait(), _LOOK_SECONDS)

    async def send(self, now: float) -> None:
        """Hand over what may be sent and look for what got lost. Called by `run`, and by tests. Raises Unavailable."""
        try:
            while self._taken_back:
                await self._work.cancel(self._taken_back.pop())
            while (item := self._outbox.next()) is not None:
                await self._work.submit(item)
                self._outbox.sent(item, now)
            for item_id in self._outbox.overdue(now):
                if not await self._work.holds(item_id):
                    self._outbox.send_again(item_id)
                    self._to_send.set()
        except Unavailable:
            self._outbox.drop_partials()
            raise

    def _ask(self, participant: Participant, item: WorkItem) -> None:
        now = self._clock()
        self._owners[item.item_id] = (participant, now)
        self._outbox.add(item, now, participant.participant_id)
        self._to_send.set()

    def _take_back(self, item_id: str) -> None:
        self._owners.pop(item_id, None)
        if self._outbox.take_back(item_id):
            self._taken_back.append(item_id)
            self._to_send.set()

    def take(self, result: WorkResult) -> None:
        """Take a result. Called by the work queue, and by tests; one that is not waited for is ignored."""
        owner = self._owners.pop(result.item_id, None)
        if owner is None:
            return
        participant, asked_at = owner
        self._answered += 1
        self._outbox.answered(result.item_id)
        if result.kind == "partial":
            took = self._clock() - asked_at
            expired = result.outcome != "ok" or took > self._settings.partial_expires_seconds
            self._partial_every = partial_interval(
                self._partial_every, result.decode_seconds, took - result.decode_seconds, expired, self._settings
            )
        participant.answer(result)
        self._to_send.set()
        self._note_finished()

    def _note_finished(self) -> None:
        if self._closing and self._outbox.empty and not self._people and not self._leaving:
            self._finished.set()

    def _say_whether_behind(self, now: float) -> None:
        late = self._outbox.oldest_final_age(now)
        seconds = float(round(late)) if late > self._settings.behind_after_seconds else 0.0
        if seconds != self._behind:
            self._behind = seconds
            self._emit(Behind(seconds))

    def _emit(self, event: StreamEvent) -> None:
        if self._stopping:
            return
        try:
            self._give(event)
        except Exception as error:
            _log.error("a transcription event was not taken", room=self._room_id, error=type(error).__name__)


def _is_due(participant: Participant, now: float) -> bool:
    """Whether to hear the participant now: with a smaller batch where somebody's whole batch woke us."""
    at = participant.speaker.due_at()
    return at is not None and at <= now + _EARLY_SECONDS
