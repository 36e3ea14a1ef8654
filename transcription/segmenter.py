"""Voice activity in, speech segments out. Pure: positions come in with the probabilities.

Owns: where an utterance begins, pauses, resumes, is cut and ends. Never does: audio, clocks, I/O.
Called by: `transcription.speaker`, once for each 32 ms of one stream, in order.

A segment that has grown too long is cut at its least speech-like moment, or simply ends where it is silent
already.

Invariants: boundaries come as opened (paused resumed)* (closed | cut (paused resumed)* …); segments of one
stream do
not overlap; a `cut` leaves the next segment open at the position of the cut.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal

from transcription.settings import TranscriptionSettings

BoundaryKind = Literal["opened", "paused", "resumed", "cut", "closed"]


@dataclass(frozen=True, slots=True)
class Boundary:
    """Something the segmenter decided.

    `at` is where speech began (opened), stopped (paused, closed), came back (resumed) or was cut. `start` is
    where the
    segment's audio begins: its pre-roll, or the previous cut. Both are positions.
    """

    kind: BoundaryKind
    start: int
    at: int


class Segmenter:
    """One stream's segments. Positions are whole samples at `rate` Hz and only rise."""

    def __init__(self, settings: TranscriptionSettings, rate: int = 48_000) -> None:
        self._speech = settings.speech_probability
        self._silence = settings.silence_probability
        self._pre_roll = round(settings.pre_roll_seconds * rate)
        self._minimum = round(settings.minimum_speech_seconds * rate)
        self._speculate = round(settings.speculate_seconds * rate)
        self._endpoint = round(settings.endpoint_seconds * rate)
        self._longest = round(settings.longest_segment_seconds * rate)
        self._cut_search = round(settings.cut_search_seconds * rate)
        self._reset()

    def _reset(self) -> None:
        self._onset: int | None = None
        self._open = False
        self._start = 0
        self._voiced = 0
        self._silent_from: int | None = None
        self._paused = False
        self._recent: deque[tuple[int, int, float]] = deque()

    @property
    def active(self) -> bool:
        """Whether speech is going on or may be beginning."""
        return self._onset is not None

    @property
    def paused(self) -> bool:
        """Whether the open segment is in a silence long enough to begin a final."""
        return self._paused

    @property
    def needed_from(self) -> int | None:
        """The first position whose audio may still be asked for; None while idle."""
        if self._onset is None:
            return None
        return self._start if self._open else self._onset - self._pre_roll

    def feed(self, start: int, end: int, probability: float) -> list[Boundary]:
        """Take one frame's speech probability; `start` and `end` are its positions."""
        found: list[Boundary] = []
        loud = probability >= self._speech
        if self._onset is None:
            if not loud:
                return found
            self._onset = start
        if loud:
            self._voiced += end - start
            self._silent_from = None
            if self._paused:
                self._paused = False
                found.append(Boundary("resumed", self._start, start))
        elif probability < self._silence and self._silent_from is None:
            self._silent_from = start
        if not self._open and self._voiced >= self._minimum:
            self._open = True
            self._start = self._onset - self._pre_roll
            found.append(Boundary("opened", self._start, self._onset))
        self._remember(start, end, probability)
        if self._silent_from is not None:
            found += self._in_silence(end)
        if self._open and end - self._start >= self._longest:
            found += self.flush(end) if self._silent_from is not None else [self._cut(end)]
        return found

    def flush(self, end: int) -> list[Boundary]:
        """End what is open, at `end` or where its silence began."""
        at = self._silent_from if self._silent_from is not None else end
        found = [Boundary("closed", self._start, at)] if self._open else []
        self._reset()
        return found

    def _remember(self, start: int, end: int, probability: float) -> None:
        self._recent.append((start, end, probability))
        while self._recent[0][0] < end - self._cut_search:
            self._recent.popleft()

    def _in_silence(self, end: int) -> list[Boundary]:
        assert self._silent_from is not None, "called in silence only"
        silent = end - self._silent_from
        if silent >= self._endpoint:
            return self.flush(end)
        if self._open and not self._paused and silent >= self._speculate:
            self._paused = True
            return [Boundary("paused", self._start, self._silent_from)]
        return []

    def _cut(self, end: int) -> Boundary:
        start, stop, _ = min(self._recent, key=lambda frame: frame[2])
        at = min((start + stop) // 2, end)
        boundary = Boundary("cut", self._start, at)
        self._start = at
        self._paused = False
        return boundary
