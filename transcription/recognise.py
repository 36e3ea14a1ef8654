"""From a batch of work items to their results: decode the audio, read it, judge it, read again where in doubt.

Owns: what happens between taking items and finishing them. Never does: queues, asyncio: all of it is CPU work.
Called by: `transcription.worker` and `transcription.importing`, in a thread.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Sequence
from dataclasses import replace

from transcription.decode import decode_pieces
from transcription.engine import Engine, Heard, Reading
from transcription.guards import Verdict, judge
from transcription.work import WorkItem, WorkResult

_LEAST_SECONDS = 0.1
_MOST_SECONDS_WITHOUT_A_WORD = 4.0
"""Pieces hold speech, with half a second of silence at most: where no word begins for so long, some were passed over."""


def recognise(
    engine: Engine, items: Sequence[WorkItem], beam_sizes: Sequence[int], worker: str = ""
) -> list[WorkResult]:
    """Return one result for each item, in order. Raises what the engine raises."""
    started = time.perf_counter()
    readings = [_reading(item, beam) for item, beam in zip(items, beam_sizes, strict=True)]
    long_enough = [index for index, reading in enumerate(readings) if reading.seconds >= _LEAST_SECONDS]
    heard: dict[int, Heard] = dict(
        zip(long_enough, engine.read([readings[index] for index in long_enough]), strict=True) if long_enough else ()
    )
    verdicts = {index: _judge(answer) for index, answer in heard.items()}
    again = [
        index
        for index, verdict in verdicts.items()
        if items[index].kind != "partial"
        and (verdict is Verdict.RETRY or (verdict is Verdict.ACCEPT and skips(heard[index], readings[index].seconds)))
    ]
    if again:
        retried = engine.read([replace(readings[index], full_window=True, hotwords="", context="") for index in again])
        for index, answer in zip(again, retried, strict=True):
            if verdicts[index] is Verdict.RETRY or len(answer.text) > len(heard[index].text):
                heard[index], verdicts[index] = answer, _judge(answer)
    seconds = (time.perf_counter() - started) / max(len(items), 1)
    return [
        _result(item, heard.get(index), verdicts.get(index, Verdict.SILENCE), seconds, engine.name, worker)
        for index, item in enumerate(items)
    ]


def skips(heard: Heard, seconds: float) -> bool:
    """Whether speech was passed over: Whisper does so now and then, most often after a prompt."""
    begins = [0.0, *(word.start for word in heard.words), max(seconds, heard.words[-1].end if heard.words else 0.0)]
    return any(after - before > _MOST_SECONDS_WITHOUT_A_WORD for before, after in itertools.pairwise(begins))


def _reading(item: WorkItem, beam_size: int) -> Reading:
    return Reading(
        decode_pieces(item.pieces),
        item.language,
        beam_size,
        draft=item.kind == "partial",
        hotwords=item.hotwords,
        context=item.context,
    )


def _judge(heard: Heard) -> Verdict:
    return judge(heard.text, heard.mean_log_probability, heard.no_speech_probability)


def _result(
    item: WorkItem, heard: Heard | None, verdict: Verdict, seconds: float, model: str, worker: str
) -> WorkResult:
    said = heard is not None and verdict is Verdict.ACCEPT
    return WorkResult(
        item.item_id,
        item.room_id,
        item.kind,
        "ok",
        text=heard.text if heard and said else "",
        words=heard.words if heard and said else (),
        confidence=math.exp(min(heard.mean_log_probability, 0.0)) if heard and said else 0.0,
        language=heard.language if heard else "",
        language_probability=heard.language_probability if heard else 0.0,
        decode_seconds=seconds,
        model=model,
        worker=worker,
    )
