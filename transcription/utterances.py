"""What the recogniser says: utterances with word times, and the events of one room's transcription.

Owns: the value types that leave this package. Never does: anything; they are plain frozen data.
Used by: `transcription.stream` (makes them), `server.rooms` (turns them into stored events and captions).

All times are room time: seconds since the Unix epoch, as float.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Word:
    """One spoken word, punctuation attached, no spaces around."""

    text: str
    start: float
    end: float
    probability: float
    """0..1, the recogniser's own."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """What one participant said between two pauses (or in at most about 12 seconds)."""

    utterance_id: str
    """Opaque, unique everywhere; names neither room nor person. A revision keeps it."""
    participant_id: str
    started_at: float
    ended_at: float
    text: str
    words: tuple[Word, ...]
    confidence: float
    """0..1: exp of the mean log-probability per token."""
    language: str
    """ISO 639-1 as Whisper names it, for instance "en"."""


@dataclass(frozen=True, slots=True)
class VoiceStarted:
    """A participant began to speak, by the server's own voice activity; `at` lies up to half a second ago."""

    participant_id: str
    at: float


@dataclass(frozen=True, slots=True)
class VoiceEnded:
    """A participant paused or stopped: the measure of speaking time."""

    participant_id: str
    started_at: float
    ended_at: float


@dataclass(frozen=True, slots=True)
class Partial:
    """The text so far of an utterance that is still being spoken. Ephemeral: never stored."""

    participant_id: str
    utterance_id: str
    started_at: float
    solid: str
    """Agreed by successive hypotheses: only grows."""
    tail: str
    """May still change: shown grey."""


@dataclass(frozen=True, slots=True)
class Final:
    """An utterance is complete. Comes once for each `utterance_id`."""

    utterance: Utterance


@dataclass(frozen=True, slots=True)
class Revised:
    """A better reading of an utterance whose `Final` went out before; replaces its stored text."""

    utterance: Utterance


@dataclass(frozen=True, slots=True)
class Behind:
    """How late the room's captions are, in seconds; 0 when they have caught up."""

    seconds: float


StreamEvent = VoiceStarted | VoiceEnded | Partial | Final | Revised | Behind
