"""Whisper through faster-whisper and CTranslate2.

Owns: every use of the recogniser's library. Calls CTranslate2's encoder and decoder by way of
faster-whisper's model,
so that the encoder's window can be cut to the speech (Whisper's own is always 30 s) and several readings be
decoded at
once. Never does: judging what was heard (`transcription.guards`), queues.
Called by: `transcription.recognise`, in a thread; loaded by `transcription.worker`.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib.util
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
import structlog
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import get_ctranslate2_storage, get_suppressed_tokens, merge_punctuations

from deliberation.errors import Unavailable
from transcription.decode import SPEECH_RATE, Samples
from transcription.engine import Heard, Reading
from transcription.guards import token_limit
from transcription.models import locate
from transcription.settings import TranscriptionSettings
from transcription.work import HeardWord

_log = structlog.get_logger(__name__)
_FRAMES_PER_SECOND = 100
_FULL_WINDOW = 30.0
_MARGIN_SECONDS = 1.0
_LEAST_SAMPLES = 1600
_WINDOW_STEP = 2.0
_FLOOR = {"tiny": 15.0, "tiny.en": 15.0}
_FLOOR_ELSEWHERE = 10.0
_DRAFT_FLOOR_ELSEWHERE = 6.0
_DRAFT_FLOOR_NOT_ENGLISH = 16.0
_MOST_PROMPT_TOKENS = 100
"""Of 448 that the decoder has in all; `token_limit` leaves room for them."""
_PREPEND = "\"'“¿([{-"
_APPEND = "\"'.。,，!！?？:：”)]}、"


class WhisperEngine:
    """One loaded Whisper model.

    Windows under 10 s (15 s for tiny) make it loop, so only drafts get less (6 s); languages other than English get
    the full window, drafts in them 16 s or more.
    """

    def __init__(self, settings: TranscriptionSettings, model: str | None = None) -> None:
        """Load the weights: float16 on CUDA, int8 on CPU. Blocks; raises ParleyError where that fails."""
        self.name = model or settings.model
        path = locate(self.name, settings.cache_dir)
        self.device, self._whisper = _load(path, settings)
        self._model: Any = self._whisper.model
        self._floor = _FLOOR.get(self.name, _FLOOR_ELSEWHERE)
        self._draft_floor = _FLOOR.get(self.name, _DRAFT_FLOOR_ELSEWHERE)

    def window(self, reading: Reading) -> float:
        """Return the encoder window for a reading, seconds."""
        english = reading.language == "en" or not self._model.is_multilingual
        if reading.full_window or not (english or reading.draft):
            return _FULL_WINDOW
        floor = (self._draft_floor if reading.draft else self._floor) if english else _DRAFT_FLOOR_NOT_ENGLISH
        needed = max(floor, reading.seconds + _MARGIN_SECONDS)
        return min(_FULL_WINDOW, math.ceil(needed / _WINDOW_STEP) * _WINDOW_STEP)

    def read(self, readings: Sequence[Reading]) -> list[Heard]:
        """Return what was heard in each; those alike in window, language, beam and prompt go together."""
        answers: dict[int, Heard] = {}
        groups: dict[tuple[object, ...], list[int]] = {}
        prompts = [self._prompt(reading) for reading in readings]
        for index, reading in enumerate(readings):
            alone = index if reading.language is None else None
            alike = (self.window(reading), reading.language, reading.beam_size, len(prompts[index]), alone)
            groups.setdefault(alike, []).append(index)
        for indices in groups.values():
            heard = self._read_alike([readings[index] for index in indices], [prompts[index] for index in indices])
            answers.update(zip(indices, heard, strict=True))
        return [answers[index] for index in range(len(readings))]

    def _read_alike(self, batch: Sequence[Reading], prompts: Sequence[list[int]]) -> list[Heard]:
        window = self.window(batch[0])
        features = np.stack([self._features(reading.samples, window) for reading in batch])
        encoded = self._model.encode(get_ctranslate2_storage(features))
        language, probability = self._language(encoded, batch[0].language)
        tokenizer = self._tokenizer(language)
        start = [*tokenizer.sot_sequence, tokenizer.no_timestamps]
        full_prompts = [[*prompt, *start] for prompt in prompts]
        limit = max(token_limit(reading.seconds, language) for reading in batch)
        results = self._model.generate(
            encoded,
            full_prompts,
            beam_size=batch[0].beam_size,
            max_length=_max_length(limit, len(full_prompts[0]), self._whisper.max_length),
            return_scores=True,
            return_no_speech_prob=True,
            suppress_blank=True,
            suppress_tokens=list(self._suppressed(language)),
        )
        tokens = [[token for token in result.sequences_ids[0] if token < tokenizer.eot] for result in results]
        words: list[tuple[HeardWord, ...]] = [()] * len(batch)
        if not all(reading.draft for reading in batch):
            words = self._align(tokenizer, tokens, encoded, batch, window)
        return [
            Heard(
                text=tokenizer.decode(ids).strip(),
                words=timed,
                mean_log_probability=result.scores[0] * len(ids) / (len(ids) + 1),
                no_speech_probability=result.no_speech_prob,
                language=language,
                language_probability=probability,
            )
            for result, ids, timed in zip(results, tokens, words, strict=True)
        ]

    def _features(self, samples: Samples, window: float) -> Samples:
        frames = round(window * _FRAMES_PER_SECOND)
        kept = samples[: round(window * SPEECH_RATE)]
        if len(kept) < _LEAST_SAMPLES:
            kept = np.pad(kept, (0, _LEAST_SAMPLES - len(kept)))
        features = self._whisper.feature_extractor(kept, padding=0)
        padded = np.zeros((features.shape[0], frames), np.float32)
        padded[:, : features.shape[1]] = features[:, :frames]
        return padded

    def _language(self, encoded: Any, given: str | None) -> tuple[str, float]:
        if not self._model.is_multilingual:
            return "en", 1.0
        if given is not None:
            return given, 1.0
        token, probability = self._model.detect_language(encoded)[0][0]
        return token.strip("<|>"), float(probability)

    @functools.cache  # noqa: B019 - one engine lives as long as its process
    def _tokenizer(self, language: str) -> Any:
        multilingual = self._model.is_multilingual
        return Tokenizer(self._whisper.hf_tokenizer, multilingual, task="transcribe", language=language)

    @functools.cache  # noqa: B019
    def _suppressed(self, language: str) -> tuple[int, ...]:
        return tuple(get_suppressed_tokens(self._tokenizer(language), [-1]))

    def _prompt(self, reading: Reading) -> list[int]:
        """Return the tokens before the start: hotwords first, then the most recent context that fits."""
        hints = " ".join(part for part in (reading.hotwords.strip(), reading.context.strip()) if part)
        if not hints:
            return []
        tokenizer = self._tokenizer("en")
        tokens: list[int] = tokenizer.encode(" " + hints)
        return [tokenizer.sot_prev, *tokens[-_MOST_PROMPT_TOKENS:]]

    def _align(
        self,
        tokenizer: Any,
        tokens: list[list[int]],
        encoded: Any,
        batch: Sequence[Reading],
        window: float,
    ) -> list[tuple[HeardWord, ...]]:
        """Return each reading's words with times: dynamic time warping over the decoder's cross-attention."""
        frames = [min(round(reading.seconds * _FRAMES_PER_SECOND), round(window * 100)) for reading in batch]
        found = self._whisper.find_alignment(tokenizer, tokens, encoded, frames if len(frames) > 1 else frames[0])
        timed: list[tuple[HeardWord, ...]] = []
        for alignment, reading in zip(found, batch, strict=True):
            merge_punctuations(alignment, _PREPEND, _APPEND)
            timed.append(
                tuple(
                    HeardWord(
                        entry["word"],
                        min(float(entry["start"]), reading.seconds),
                        min(float(entry["end"]), reading.seconds),
                        float(entry["probability"]),
                    )
                    for entry in alignment
                    if entry["word"].strip()
                )
            )
        return timed


def _max_length(tokens: int, prompt: int, most: int) -> int:
    """Return what CTranslate2 must be given to write at most so many tokens: it halves it, or subtracts the prompt."""
    return min(max(2 * tokens, tokens + prompt - 1), most)


def _load(path: str, settings: TranscriptionSettings) -> tuple[str, Any]:
    """Return the device and the model; where nobody insists on CUDA, a GPU that does not work is passed over."""
    if settings.device != "auto":
        return settings.device, _load_on(settings.device, path, settings)
    if ctranslate2.get_cuda_device_count() > 0:
        try:
            return "cuda", _load_on("cuda", path, settings)
        except Unavailable as error:
            _log.warning("the GPU cannot be used, going on with the CPU", error=error.message)
    return "cpu", _load_on("cpu", path, settings)


def _load_on(device: str, path: str, settings: TranscriptionSettings) -> Any:
    if device == "cuda":
        _load_cuda_libraries()
    try:
        return WhisperModel(
            path,
            device=device,
            compute_type="float16" if device == "cuda" else "int8",
            cpu_threads=settings.threads_per_worker,
            num_workers=1,
        )
    except Exception as error:
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        raise Unavailable("weights_unusable", f"The speech weights in {path} do not load: {first_line}") from error


def _load_cuda_libraries() -> None:
    """Load cuBLAS and cuDNN from the packages of `.[gpu]`, where they are: CTranslate2 looks for them by name only."""
    for package, pattern in (("nvidia.cublas", "libcublas*.so*"), ("nvidia.cudnn", "libcudnn*.so*")):
        try:
            spec = importlib.util.find_spec(package)
        except ModuleNotFoundError:
            continue
        for folder in spec.submodule_search_locations or () if spec else ():
            for library in sorted((Path(folder) / "lib").glob(pattern)):
                with contextlib.suppress(OSError):
                    ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
