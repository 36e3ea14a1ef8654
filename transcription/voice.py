"""Voice activity: how likely each 32 ms of a stream is speech.

Owns: Silero VAD (https://github.com/snakers4/silero-vad, version 6, the file that ships with faster-whisper)
with its
state carried from call to call. Never does: deciding where speech begins and ends
(`transcription.segmenter`).
Called by: `transcription.speaker` and `transcription.importing`, in threads; about 2 ms CPU per second of
audio.
"""

from __future__ import annotations

import functools
from typing import Any, Protocol

import numpy as np
from faster_whisper.vad import get_vad_model

from transcription.decode import Samples

FRAME = 512
"""Samples at 16 kHz that one probability is about: 32 ms."""
_CONTEXT = 64


class VoiceDetector(Protocol):
    """Gives speech probabilities for one stream."""

    def __call__(self, samples: Samples) -> list[float]:
        """Return one probability (0..1) for each `FRAME` samples; the length is a multiple of `FRAME`."""
        ...

    def reset(self) -> None:
        """Forget what was heard: the next samples do not follow the last."""
        ...


@functools.lru_cache(maxsize=1)
def _session() -> Any:
    """Return the one ONNX session of this process; running it is thread-safe."""
    return get_vad_model().session


class SileroVoice:
    """Silero for one stream. Use it from one thread at a time."""

    def __init__(self) -> None:
        self._model = _session()
        self.reset()

    def reset(self) -> None:
        """Forget what was heard."""
        self._h = np.zeros((1, 1, 128), np.float32)
        self._c = np.zeros((1, 1, 128), np.float32)
        self._context = np.zeros(_CONTEXT, np.float32)

    def __call__(self, samples: Samples) -> list[float]:
        """Return one probability for each 512 samples."""
        assert len(samples) % FRAME == 0, "whole frames only"
        if not len(samples):
            return []
        frames = samples.reshape(-1, FRAME)
        contexts = np.vstack((self._context, frames[:-1, -_CONTEXT:]))
        self._context = frames[-1, -_CONTEXT:].copy()
        batch = np.concatenate((contexts, frames), axis=1)
        output, self._h, self._c = self._model.run(None, {"input": batch, "h": self._h, "c": self._c})
        return [float(value) for value in np.ravel(output)]
