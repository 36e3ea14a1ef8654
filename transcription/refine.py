"""A better reading of what a speaker has said: utterances are joined, read again with context, and taken apart. Pure.

Owns: which utterances are read again together, and which words of the new reading belong to which utterance.
Never does: decoding. Called by: `transcription.stream`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from transcription.settings import TranscriptionSettings
from transcription.utterances import Utterance, Word
from transcription.work import HeardWord, Piece, WorkResult

_CONTEXT_LETTERS = 200
_LEAST_KEPT = 0.5


@dataclass(frozen=True, slots=True)
class Member:
    """An utterance to be read again, with its audio."""

    utterance: Utterance
    piece: Piece
    audio_from: float
    """Room time of the piece's `start`."""

    @property
    def seconds(self) -> float:
        """Length of the audio."""
        return (self.piece.end - self.piece.start) / 48_000


class Gathering:
    """One speaker's utterances since the last group was closed."""

    def __init__(self, settings: TranscriptionSettings) -> None:
        self._longest = settings.refine_seconds
        self._idle = settings.refine_idle_seconds
        self._members: list[Member] = []

    def add(self, member: Member) -> tuple[Member, ...]:
        """Take the next utterance; return the group that it closes, or nothing."""
        closed: tuple[Member, ...] = ()
        if self._members:
            total = sum(each.seconds for each in self._members) + member.seconds
            if total > self._longest or self._members[-1].utterance.language != member.utterance.language:
                closed = self.close()
        self._members.append(member)
        return closed

    def idle(self, now: float) -> tuple[Member, ...]:
        """Return the group where the speaker has been silent for long, or nothing."""
        if self._members and now - self._members[-1].utterance.ended_at >= self._idle:
            return self.close()
        return ()

    def close(self) -> tuple[Member, ...]:
        """Return what was gathered and begin anew."""
        members, self._members = tuple(self._members), []
        return members


def context_of(utterances: Sequence[Utterance]) -> str:
    """Return the end of what was said, as context for the next group."""
    text = " ".join(utterance.text for utterance in utterances)
    return text if len(text) <= _CONTEXT_LETTERS else text[-_CONTEXT_LETTERS:].partition(" ")[2]


def revisions(members: Sequence[Member], result: WorkResult) -> list[Utterance]:
    """Return the utterances whose text the new reading changes.

    A word belongs to the utterance in whose audio its middle lies. An utterance keeps its first reading where the new
    one has lost most of it.
    """
    read = distribute(members, result)
    return [
        after
        for before, after in zip((member.utterance for member in members), read, strict=True)
        if after.text != before.text and len(after.text) >= _LEAST_KEPT * len(before.text)
    ]


def distribute(members: Sequence[Member], result: WorkResult) -> list[Utterance]:
    """Return the members' utterances with the text of the reading; a text may be empty."""
    utterances: list[Utterance] = []
    begin = 0.0
    for member in members:
        end = begin + member.seconds
        last = member is members[-1]
        own = [word for word in result.words if begin <= _middle(word) < end or (last and _middle(word) >= end)]
        utterances.append(
            replace(
                member.utterance,
                text="".join(word.text for word in own).strip(),
                words=place(own, member.audio_from - begin),
                confidence=result.confidence,
                language=result.language,
            )
        )
        begin = end
    return utterances


def place(words: Sequence[HeardWord], shift: float) -> tuple[Word, ...]:
    """Return the words in room time."""
    return tuple(
        Word(word.text.strip(), word.start + shift, word.end + shift, word.probability)
        for word in words
        if word.text.strip()
    )


def _middle(word: HeardWord) -> float:
    return (word.start + word.end) / 2
