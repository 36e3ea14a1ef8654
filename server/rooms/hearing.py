"""What a room hears: audio packets go to the transcriber, and what it makes of them becomes events and captions.

Only the audio of seated participants who consented to taking part is listened to; a human facilitator's voice is forwarded but never
transcribed. Speaking time comes from here, as `speech.started` and `speech.ended`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from deliberation.events import (
    Event,
    SpeechEnded,
    SpeechStarted,
    TranscriptionBehind,
    UtteranceFinal,
    UtteranceRevised,
    Word,
)
from deliberation.state import Member, RoomState
from server import metrics
from server.clock import now
from server.rooms.room import Room
from server.signalling.messages import Caption
from transcription.decode import AudioPacket
from transcription.settings import TranscriptionSettings
from transcription.stream import RoomSpeechStats, RoomTranscriber
from transcription.utterances import Behind, Final, Partial, Revised, StreamEvent, Utterance, VoiceEnded, VoiceStarted
from transcription.work import WorkQueue


class Hearing:
    """A room's ears: a `Part` of it."""

    def __init__(
        self,
        room: Room,
        work: WorkQueue,
        settings: TranscriptionSettings,
        on_lost: Callable[[int], None] = lambda _finals: None,
    ) -> None:
        self._room = room
        self._on_lost = on_lost
        self._behind = 0.0
        design = room.state.plan
        names = [member.name for member in room.state.members.values() if member.name]
        self._transcriber = RoomTranscriber(
            room.room_id,
            work,
            self._on_stream,
            settings,
            language=design.transcription.language,
            hotwords=(*design.transcription.vocabulary, *names),
            clock=now,
        )
        for member in room.state.members.values():
            self._choose(member)
        self._handlers: dict[type, Callable[..., None]] = {
            VoiceStarted: self._voice_started,
            VoiceEnded: self._voice_ended,
            Partial: self._partial,
            Final: self._final,
            Revised: self._revised,
            Behind: self._fell_behind,
        }

    def push(self, packet: AudioPacket) -> None:
        """Listen to one packet; ignored unless its sender is seated."""
        member = self._room.state.members.get(packet.participant_id)
        if member is not None and member.presence != "left" and self._room.state.open:
            self._room.attendance.seen(packet.participant_id, now())
            self._transcriber.push(packet)

    async def run(self) -> None:
        """Run the transcriber."""
        await self._transcriber.run()

    async def close(self) -> None:
        """Flush what is being said into finals."""
        try:
            await self._transcriber.close()
        finally:
            self._on_lost(self._transcriber.stats().finals_lost)

    def stats(self) -> RoomSpeechStats:
        """Return how the room's transcription fares."""
        return self._transcriber.stats()

    def on_events(self, events: Sequence[Event], state: RoomState) -> None:
        """Stop listening to those who left; listen for the language that somebody says they speak."""
        for event in events:
            if event.kind == "speech.language" and event.payload.owner is not None:
                self._choose(state.members[event.payload.owner])
            if event.kind == "member.left" and event.payload.owner is not None:
                self._transcriber.remove(event.payload.owner)

    def _choose(self, member: Member) -> None:
        if member.speaks is not None:
            self._transcriber.set_language(member.participant_id, member.speaks)
        else:
            self._transcriber.set_language(member.participant_id, self._room.state.plan.transcription.language)

    def _on_stream(self, event: StreamEvent) -> None:
        self._handlers[type(event)](event)

    def _voice_started(self, event: VoiceStarted) -> None:
        self._room.owe(SpeechStarted(participant_id=event.participant_id, started_at=event.at))

    def _voice_ended(self, event: VoiceEnded) -> None:
        self._room.owe(
            SpeechEnded(participant_id=event.participant_id, started_at=event.started_at, ended_at=event.ended_at)
        )

    def _partial(self, event: Partial) -> None:
        self._room.broadcast(
            Caption(
                participant_id=event.participant_id,
                utterance_id=event.utterance_id,
                started_at=event.started_at,
                solid=event.solid,
                tail=event.tail,
            )
        )

    def _final(self, event: Final) -> None:
        u = event.utterance
        if not u.text or u.utterance_id in self._room.state.utterances:
            return
        metrics.CAPTION_SECONDS.observe(max(0.0, now() - u.ended_at))
        self._room.owe(
            UtteranceFinal(
                utterance_id=u.utterance_id,
                participant_id=u.participant_id,
                started_at=u.started_at,
                ended_at=u.ended_at,
                text=u.text,
                words=_words(u),
                confidence=u.confidence,
                language=u.language,
            ),
            u.participant_id,
        )

    def _revised(self, event: Revised) -> None:
        u = event.utterance
        known = self._room.state.utterances.get(u.utterance_id)
        if known is None or known.struck or known.revised == "speaker" or not u.text:
            return  # a speaker's own correction stands above any decoding
        self._room.owe(
            UtteranceRevised(
                utterance_id=u.utterance_id,
                participant_id=u.participant_id,
                text=u.text,
                words=_words(u),
                confidence=u.confidence,
                by="refine",
            )
        )

    def _fell_behind(self, event: Behind) -> None:
        seconds = round(event.seconds)
        if (seconds > 0) != (self._behind > 0):
            self._room.owe(TranscriptionBehind(seconds=seconds))
        self._behind = seconds


def _words(utterance: Utterance) -> tuple[Word, ...]:
    return tuple(
        Word(text=word.text, start=round(word.start, 3), end=round(word.end, 3), probability=round(word.probability, 3))
        for word in utterance.words
    )
