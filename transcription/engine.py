"""What a recogniser must be able to do, whichever it is.

Owns: the `Engine` Protocol with its request and answer. Never does: anything. `transcription.whisper`
implements it,
tests have a fake; `transcription.recognise` calls it, in a thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from transcription.decode import Samples
from transcription.work import HeardWord


@dataclass(frozen=True, slots=True)
class Reading:
    """A stretch of speech to be read, and how."""

    samples: Samples
    """16 kHz mono, at most 30 s."""
    language: str | None
    """None: detect."""
    beam_size: int
    draft: bool = False
    """For a caption that will be replaced in a moment: no word times, and a smaller window."""
    hotwords: str = ""
    context: str = ""
    full_window: bool = False
    """Use the full 30 s window: slower, steadier."""

    @property
    def seconds(self) -> float:
        """Length of the audio."""
        return len(self.samples) / 16_000


@dataclass(frozen=True, slots=True)
class Heard:
    """What the engine made of a reading; not yet judged."""

    text: str
    words: tuple[HeardWord, ...]
    """Empty for a draft."""
    mean_log_probability: float
    no_speech_probability: float
    language: str
    language_probability: float


class Engine(Protocol):
    """A loaded recogniser. Use it from one thread at a time."""

    name: str
    """The weights, for logs and the record."""
    device: str
    """`cpu` or `cuda`."""

    def read(self, readings: Sequence[Reading]) -> list[Heard]:
        """Return what was heard in each. Blocks; may raise whatever the library raises."""
        ...

    def window(self, reading: Reading) -> float:
        """Return the encoder window the reading needs, seconds: readings of one window batch well."""
        ...
