"""Real speech, real voice activity, the real default weights: what was said is what is written."""

from __future__ import annotations

import itertools
import json
import re
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
import pytest

import simulation
from tests.transcription.fakes import Clock, MemoryWork, packets, silence, sound, work_item
from transcription.decode import Samples, decode_piece, encode_opus, read_recording
from transcription.engine import Reading
from transcription.recognise import recognise
from transcription.scheduler import plan
from transcription.settings import TranscriptionSettings
from transcription.stream import RoomTranscriber
from transcription.utterances import Final, Partial, Revised, StreamEvent
from transcription.voice import SileroVoice
from transcription.whisper import WhisperEngine
from transcription.work import KINDS, Piece

pytestmark = pytest.mark.speech
START = 1000.0
CLIPS = Path(simulation.__file__).parent / "speech"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> WhisperEngine:
    return WhisperEngine(TranscriptionSettings(cache_dir=tmp_path_factory.mktemp("models"), threads_per_worker=2))


def clip(turn: int) -> tuple[Samples, str]:
    manifest = json.loads((CLIPS / "manifest.json").read_text())
    entry = next(entry for entry in manifest["clips"] if entry["turn"] == turn)
    return np.concatenate([part.mean(axis=0) for part in read_recording(CLIPS / entry["file"])]), entry["text"]


def plain(text: str) -> list[str]:
    return re.findall(r"[a-z0-9']+", text.lower())


def wrong(text: str, reference: str) -> float:
    """Share of the reference's words that are not where they belong."""
    said, written = plain(reference), plain(text)
    same = sum(block.size for block in SequenceMatcher(None, said, written, autojunk=False).get_matching_blocks())
    return (max(len(said), len(written)) - same) / len(said)


async def test_two_people_at_once_are_written_down_each_with_their_own_words(engine: WhisperEngine) -> None:
    (maya, maya_said), (daniel, daniel_said) = clip(1), clip(2)
    clock = Clock(START)
    work = MemoryWork(clock)
    settings = TranscriptionSettings(partial_every_seconds=6.0)
    events: list[StreamEvent] = []
    room = RoomTranscriber(
        "room", work, events.append, settings, language="en", hotwords=(), clock=clock, voice=SileroVoice
    )
    work.subscribe("room", room.take)
    waiting = packets(sound(silence(0.5), maya, silence(11)), "maya")
    waiting += packets(sound(silence(2.5), daniel, silence(11)), "daniel", timestamp=99)
    waiting.sort(key=lambda packet: packet.at)
    while waiting:
        while waiting and waiting[0].at <= clock.now:
            room.push(waiting.pop(0))
        await room.step(clock.now)
        await room.send(clock.now)
        for claim in await work.take(KINDS, 8, 0):
            ((claim, effort),) = plan([claim], settings).read
            await work.finish(claim, recognise(engine, [claim.item], [effort.beam_size])[0])
        clock.now += 0.128
    finals = [event.utterance for event in events if isinstance(event, Final)]
    stored = {one.utterance_id: one for one in finals}
    assert len(stored) == len(finals)
    stored |= {event.utterance.utterance_id: event.utterance for event in events if isinstance(event, Revised)}
    for who, reference, begin, samples in (("maya", maya_said, 0.5, maya), ("daniel", daniel_said, 2.5, daniel)):
        live = [one for one in finals if one.participant_id == who]
        record = sorted((one for one in stored.values() if one.participant_id == who), key=lambda one: one.started_at)
        assert wrong(" ".join(one.text for one in live), reference) <= 0.15
        assert wrong(" ".join(one.text for one in record), reference) <= 0.15
        times = [time for one in record for word in one.words for time in (word.start, word.end)]
        assert times == sorted(times) or max(a - b for a, b in itertools.pairwise(times)) < 0.3
        assert START + begin - 0.3 < times[0] and times[-1] < START + begin + len(samples) / 48_000 + 0.3
        assert all(0.4 < one.confidence <= 1 and one.language == "en" for one in record)
    assert any(isinstance(event, Partial) and event.solid for event in events)


def test_the_language_is_detected_where_nobody_chose_one(engine: WhisperEngine) -> None:
    samples, _ = clip(2)
    item = Piece(0, 5 * 48_000, tuple(encode_opus(samples[: 5 * 48_000])))
    (heard,) = engine.read([Reading(decode_piece(item), None, 1, draft=True)])
    assert heard.language == "en" and heard.language_probability > 0.5


def test_several_readings_at_once_give_what_each_gives_alone(engine: WhisperEngine) -> None:
    samples, _ = clip(1)
    heard = decode_piece(Piece(0, 9 * 48_000, tuple(encode_opus(samples[: 9 * 48_000]))))
    readings = [Reading(heard[begin * 16_000 : (begin + 3) * 16_000], "en", 1) for begin in (0, 3, 5)]
    together = [each.text for each in engine.read(readings)]
    assert together == [engine.read([reading])[0].text for reading in readings]


def test_noise_that_slips_past_the_voice_gate_is_not_made_into_words(engine: WhisperEngine) -> None:
    rng = np.random.default_rng(3)
    for level in (0.001, 0.05):
        samples = rng.normal(0, level, 3 * 48_000).astype(np.float32)
        item = work_item(pieces=(Piece(0, len(samples), tuple(encode_opus(samples))),))
        assert recognise(engine, [item], [2])[0].text == ""


def test_the_encoders_window_is_cut_to_the_speech_in_english_only(engine: WhisperEngine) -> None:
    def window(seconds: float, language: str | None = "en", **how: bool) -> float:
        return engine.window(Reading(np.zeros(round(seconds * 16_000), np.float32), language, 1, **how))

    assert window(3) == 10 and window(12) == 14 and window(29) == 30
    assert window(3, draft=True) == 6 and window(9, draft=True) == 10
    assert window(3, "de") == window(3, None) == window(3, full_window=True) == 30
    assert window(3, "de", draft=True) == 16
