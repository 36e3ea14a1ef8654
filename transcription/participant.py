"""One participant's utterances, from the first sound to the refined text. No I/O: time and results come in.

Owns: what to ask of the recognisers and when (partials, speculative finals, finals, refining), and turning their
answers into events. Never does: decoding audio (`transcription.speaker`), sending (`transcription.stream`).
Called by: `transcription.stream`, on the loop.

Invariants: at most one partial is in flight; an utterance's `Final` is emitted once, after its speech has ended.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from transcription.decode import RATE
from transcription.hypothesis import Agreement
from transcription.language import LanguageLock
from transcription.refine import Gathering, Member, context_of, place, revisions
from transcription.segmenter import Boundary
from transcription.settings import TranscriptionSettings
from transcription.speaker import Speaker
from transcription.utterances import (
    Final,
    Partial,
    Revised,
    StreamEvent,
    Utterance,
    VoiceEnded,
    VoiceStarted,
)
from transcription.work import Kind, Piece, WorkItem, WorkResult

_log = structlog.get_logger(__name__)
_PARTIAL_LOST_SECONDS = 4.0
_MOST_TRIES = 2


@dataclass(slots=True)
class _Open:
    """An utterance on its way."""

    utterance_id: str
    start: int
    """Position where its audio begins."""
    started_at: float
    agreement: Agreement
    next_partial: int
    """Position from which on another partial is worth asking for."""
    final_id: str | None = None
    final_piece: Piece | None = None
    audio_from: float = 0.0
    early: WorkResult | None = None
    """The speculative final's answer, waiting for the speech to have ended."""
    ended_at: float | None = None
    shown: bool = False
    tries: int = 1


class Participant:
    """What one participant says. `ask` hands over work, `take_back` withdraws it, `emit` gives events away."""

    def __init__(
        self,
        room_id: str,
        participant_id: str,
        settings: TranscriptionSettings,
        speaker: Speaker,
        *,
        language: str | None,
        hotwords: str,
        ask: Callable[[Participant, WorkItem], None],
        take_back: Callable[[str], None],
        emit: Callable[[StreamEvent], None],
    ) -> None:
        self.participant_id = participant_id
        self.speaker = speaker
        self.language = LanguageLock(settings, language)
        self._room_id = room_id
        self._settings = settings
        self._hotwords = hotwords
        self._ask = ask
        self._take_back = take_back
        self._emit = emit
        self._open: _Open | None = None
        self._ending: dict[str, _Open] = {}
        self._partial_id: str | None = None
        self._partial_asked_at = 0.0
        self._now = 0.0
        self._late = False
        self._partial_every = settings.partial_every_seconds
        self._voice_started_at = 0.0
        self._gathering = Gathering(settings)
        self._refining: dict[str, tuple[Member, ...]] = {}
        self._context = ""
        self._leaving = False

    @property
    def idle(self) -> bool:
        """Whether nothing is open and no final is awaited."""
        return self._open is None and not self._ending

    def hear(self, boundary: Boundary) -> None:
        """Take what the segmenter decided."""
        at = self.speaker.room_time(boundary.at)
        if boundary.kind == "opened":
            self._voice_started_at = at
            self._begin(boundary.start, at)
            self._emit(VoiceStarted(self.participant_id, at))
        elif self._open is None:
            return
        elif boundary.kind == "paused":
            self._ask_final(self._open, boundary)
        elif boundary.kind == "resumed":
            self._resume(self._open)
        else:
            self._end(self._open, boundary, at)

    def tick(self, now: float, partial_every_seconds: float) -> None:
        """Ask for what is due: a partial of what is open, or a new reading of what was said before a long silence."""
        self._now = now
        self._partial_every = partial_every_seconds
        self._late = partial_every_seconds > self._settings.partial_every_seconds
        if now - self._partial_asked_at > _PARTIAL_LOST_SECONDS:
            self._drop_partial()
        utterance = self._open
        if utterance is not None and utterance.final_id is None and self._partial_id is None:
            cursor = self.speaker.cursor
            if cursor >= utterance.next_partial:
                utterance.next_partial = cursor + round(partial_every_seconds * RATE)
                piece = self.speaker.piece(utterance.start, cursor)
                self._partial_id = self._send("partial", (piece,))
                self._partial_asked_at = now
        if utterance is None:
            self._refine(self._gathering.idle(now))

    def leave(self) -> None:
        """Read again what has been gathered, as soon as the last final has come."""
        self._leaving = True
        if self.idle:
            self._refine(self._gathering.close())

    def answer(self, result: WorkResult) -> None:
        """Take a result for one of this participant's items; one that is no longer waited for is ignored."""
        if result.item_id == self._partial_id:
            self._partial_id = None
            if result.outcome == "ok" and self._open is not None:
                self._show(self._open, result.text)
            return
        if result.kind == "refine":
            members = self._refining.pop(result.item_id, ())
            for utterance in revisions(members, result) if result.outcome == "ok" else ():
                self._emit(Revised(utterance))
            return
        ended = self._ending.get(result.item_id)
        if ended is not None:
            self._finish(ended, result)
        elif self._open is not None and self._open.final_id == result.item_id:
            self._open.early = result
            if result.outcome == "ok":
                self._show(self._open, result.text)

    def _begin(self, start: int, started_at: float) -> None:
        first = start + round((self._settings.pre_roll_seconds + self._partial_every) * RATE)
        self._open = _Open(f"u{secrets.token_hex(8)}", start, started_at, Agreement(), first)

    def _drop_partial(self) -> None:
        if self._partial_id is not None:
            self._take_back(self._partial_id)
            self._partial_id = None

    def _ask_final(self, utterance: _Open, boundary: Boundary) -> None:
        tail = 0 if boundary.kind == "cut" else round(self._settings.post_roll_seconds * RATE)
        utterance.final_piece = self.speaker.piece(utterance.start, boundary.at + tail)
        utterance.audio_from = self.speaker.room_time(utterance.start)
        utterance.final_id = self._send("final", (utterance.final_piece,), self._hotwords)

    def _resume(self, utterance: _Open) -> None:
        """Speech goes on: the speculative final serves as a partial, or, where recognisers are late, is withdrawn."""
        if utterance.early is None and self._partial_id is None and not self._late:
            self._partial_id = utterance.final_id
            self._partial_asked_at = self._now
        elif utterance.early is None and utterance.final_id is not None:
            self._take_back(utterance.final_id)
        utterance.next_partial = self.speaker.cursor + round(self._partial_every * RATE)
        utterance.final_id = None
        utterance.early = None

    def _end(self, utterance: _Open, boundary: Boundary, at: float) -> None:
        self._open = None
        self._drop_partial()
        utterance.ended_at = at
        if boundary.kind == "cut":
            self._begin(boundary.at, at)
        else:
            self._emit(VoiceEnded(self.participant_id, self._voice_started_at, at))
        if utterance.final_id is None:
            self._ask_final(utterance, boundary)
        assert utterance.final_id is not None, "asked for above"
        self._ending[utterance.final_id] = utterance
        if utterance.early is not None:
            self._finish(utterance, utterance.early)

    def _finish(self, utterance: _Open, result: WorkResult) -> None:
        del self._ending[result.item_id]
        self._complete(utterance, result)
        if self._leaving and self.idle:
            self._refine(self._gathering.close())

    def _complete(self, utterance: _Open, result: WorkResult) -> None:
        assert utterance.final_piece is not None and utterance.ended_at is not None, "it has ended"
        if result.outcome != "ok" and utterance.tries < _MOST_TRIES:
            utterance.tries += 1
            utterance.final_id = self._send("final", (utterance.final_piece,))
            self._ending[utterance.final_id] = utterance
            return
        if result.outcome != "ok":
            _log.error("an utterance could not be read", room=self._room_id, utterance=utterance.utterance_id)
        seconds = utterance.ended_at - utterance.started_at
        self.language.heard(result.language, result.language_probability, seconds)
        if not result.text:
            if utterance.shown:
                self._emit(Partial(self.participant_id, utterance.utterance_id, utterance.started_at, "", ""))
            return
        final = Utterance(
            utterance.utterance_id,
            self.participant_id,
            utterance.started_at,
            utterance.ended_at,
            result.text,
            place(result.words, utterance.audio_from),
            result.confidence,
            result.language,
        )
        self._emit(Final(final))
        if self._settings.refine:
            self._refine(self._gathering.add(Member(final, utterance.final_piece, utterance.audio_from)))

    def _show(self, utterance: _Open, text: str) -> None:
        solid, tail = utterance.agreement.update(text)
        if solid or tail:
            utterance.shown = True
            self._emit(Partial(self.participant_id, utterance.utterance_id, utterance.started_at, solid, tail))

    def _refine(self, members: tuple[Member, ...]) -> None:
        if not members:
            return
        item_id = self._send("refine", tuple(member.piece for member in members), self._hotwords, self._context)
        self._refining = {item_id: members, **dict(list(self._refining.items())[:50])}
        self._context = context_of([member.utterance for member in members])

    def _send(self, kind: Kind, pieces: tuple[Piece, ...], hotwords: str = "", context: str = "") -> str:
        item_id = f"i{secrets.token_hex(8)}"
        language = self.language.language
        self._ask(self, WorkItem(item_id, self._room_id, kind, pieces, language, hotwords, context))
        return item_id
