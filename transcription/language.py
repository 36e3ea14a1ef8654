"""Which language a participant speaks, where nobody said. Pure.

Owns: locking the language after agreeing detections. Never does: detecting (the engine does, on audio).
Called by: `transcription.stream`, for each participant.
"""

from __future__ import annotations

from transcription.settings import TranscriptionSettings

_LEAST_PROBABILITY = 0.5
_KNOWN = (
    "af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw he hi hr ht hu hy "
    "id is it ja jw ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my ne nl nn no oc pa pl ps pt ro ru "
    "sa sd si sk sl sn so sq sr su sv sw ta te tg th tk tl tr tt uk ur uz vi yi yo yue zh"
)
LANGUAGES = frozenset(_KNOWN.split())
"""What Whisper knows."""


def whisper_language(tag: str | None) -> str | None:
    """Return Whisper's name for a language tag such as "pt-BR"; None (detect) where it knows none."""
    code = (tag or "").replace("_", "-").split("-")[0].lower()
    code = {"nb": "no", "jv": "jw", "iw": "he", "in": "id", "fil": "tl"}.get(code, code)
    return code if code in LANGUAGES else None


class LanguageLock:
    """One participant's language: chosen, or detected until enough utterances in a row agree."""

    def __init__(self, settings: TranscriptionSettings, chosen: str | None) -> None:
        self._seconds = settings.language_seconds
        self._needed = settings.language_agreements
        self._candidate = ""
        self._agreed = 0
        self.language = whisper_language(chosen)
        """The language to read with; None: detect."""

    def choose(self, language: str | None) -> None:
        """Take the participant's choice; None starts detection anew."""
        self.language = whisper_language(language)
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
