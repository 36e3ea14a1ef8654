"""Which language a participant speaks, where nobody said. Pure.

Owns: locking the language after agreeing detections. Never does: detecting (the engine does, on audio).
Called by: `transcription.stream`, for each participant.
"""

from __future__ import annotations

from transcription.settings import TranscriptionSettings

_LEAST_PROBABILITY = 0.5


class LanguageLock:
    """One participant's language: chosen, or detected until enough utterances in a row agree."""

    def __init__(self, settings: TranscriptionSettings, chosen: str | None) -> None:
        self._seconds = settings.language_seconds
        self._needed = settings.language_agreements
        self._candidate = ""
        self._agreed = 0
        self.language = chosen
        """The language to read with; None: detect."""

    def choose(self, language: str | None) -> None:
        """Take the participant's choice; None starts detection anew."""
        self.language = language
        self._candidate = ""
        self._agreed = 0

    def heard(self, language: str, probability: float, seconds: float) -> None:
        """Take one detection on `seconds` of speech."""
        if self.language is not None or not language:
            return
        if seconds < self._seconds or probability < _LEAST_PROBABILITY:
            return
        self._agreed = self._agreed + 1 if language == self._candidate else 1
        self._candidate = language
        if self._agreed >= self._needed:
            self.language = language
