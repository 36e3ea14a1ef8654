"""The usual way to make Whisper stream, to measure against: LocalAgreement-2 over a growing buffer.

After Macháček, Dabre and Bojar 2023, "Turning Whisper into Real-Time Transcription System", and their whisper_streaming:
at least every second the whole buffer is read again (beam 5, word times, 200 letters of context); words that two readings
agree on are committed; past 15 s the buffer is trimmed at the last committed segment end. Time is simulated with the
real computing time: a reading begins when a second of new audio is there and the last reading has ended.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from transcription.decode import SPEECH_RATE, Samples

_CHUNK_SECONDS = 1.0
_TRIM_SECONDS = 15.0
_CONTEXT_LETTERS = 200


@dataclass(frozen=True)
class Committed:
    """A word, when it was said and when it became certain, seconds from the start of the audio."""

    text: str
    start: float
    end: float
    at: float


def _plain(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def stream(model: Any, samples: Samples, language: str) -> list[Committed]:
    """Return the committed words of one stream; what is left at the end is committed then."""
    total = len(samples) / SPEECH_RATE
    committed: list[Committed] = []
    before: list[Any] = []
    offset = 0.0
    clock = heard = 0.0
    while heard < total:
        heard = min(total, max(clock, heard + _CHUNK_SECONDS))
        started = time.perf_counter()
        buffer = samples[round(offset * SPEECH_RATE) : round(heard * SPEECH_RATE)]
        context = "".join(word.text for word in committed if word.end <= offset)[-_CONTEXT_LETTERS:]
        found, _ = model.transcribe(
            np.ascontiguousarray(buffer),
            language=language,
            beam_size=5,
            word_timestamps=True,
            condition_on_previous_text=True,
            initial_prompt=context or None,
        )
        segments = list(found)
        clock = heard + time.perf_counter() - started
        known = committed[-1].end if committed else 0.0
        words = [word for segment in segments for word in segment.words or () if word.end + offset > known + 0.05]
        same = [_plain(old.word) == _plain(new.word) for old, new in zip(before, words, strict=False)]
        agreed = len(words) if heard >= total else [*same, False].index(False)
        committed += [Committed(word.word, word.start + offset, word.end + offset, clock) for word in words[:agreed]]
        trimmed = offset
        if heard - offset > _TRIM_SECONDS and committed:
            ends = [segment.end + offset for segment in segments if segment.end + offset <= committed[-1].end + 0.05]
            trimmed = ends[-1] if ends else offset
        before = [_moved(word, offset - trimmed) for word in words[agreed:]]
        offset = trimmed
    return committed


@dataclass(frozen=True)
class _Word:
    word: str
    start: float
    end: float


def _moved(word: Any, by: float) -> _Word:
    return _Word(word.word, word.start + by, word.end + by)
