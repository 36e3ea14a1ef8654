from __future__ import annotations

import asyncio
import wave
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from deliberation.errors import InvalidInput
from tests.transcription.fakes import Clock, LoudnessVoice, MemoryWork, silence, sound, tone
from transcription.decode import RATE, Samples
from transcription.importing import Imported, import_recording
from transcription.settings import TranscriptionSettings
from transcription.work import WorkItem

START = 5000.0


def write(path: Path, *channels: Samples) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.stack(channels, axis=1) * 32767).astype(np.int16).tobytes())
    return path


async def run(
    path: Path,
    participants: Sequence[str],
    *,
    reads: Callable[[WorkItem], str] = lambda item: " ".join(["so"] * round(item.seconds)),
    outcome: str = "ok",
    progress: list[float] | None = None,
) -> tuple[Imported, MemoryWork]:
    work = MemoryWork(Clock())

    async def answer() -> None:
        while True:
            for item in work.waits("refine"):
                work.answer(item, reads(item), outcome=outcome)
            await asyncio.sleep(0)

    answering = asyncio.create_task(answer())
    try:
        imported = await import_recording(
            path,
            work,
            TranscriptionSettings(),
            participants=participants,
            started_at=START,
            language="en",
            on_progress=(progress if progress is not None else []).append,
            voice=LoudnessVoice,
        )
    finally:
        answering.cancel()
    return imported, work


async def test_each_channel_is_a_speaker_with_times_in_the_room(tmp_path: Path) -> None:
    left = sound(silence(1), tone(3), silence(6))
    right = sound(silence(5), tone(4), silence(1))
    progress: list[float] = []
    imported, work = await run(write(tmp_path / "a.wav", left, right), ["ada", "bob"], progress=progress)
    assert [one.participant_id for one in imported.utterances] == ["ada", "bob"]
    ada, bob = imported.utterances
    assert (ada.started_at, ada.ended_at) == (pytest.approx(START + 1, abs=0.1), pytest.approx(START + 4, abs=0.1))
    assert bob.started_at == pytest.approx(START + 5, abs=0.1)
    assert bob.words and bob.started_at - 0.3 <= bob.words[0].start < bob.words[-1].end <= bob.ended_at + 0.3
    assert imported.seconds == pytest.approx(10) and imported.unread_seconds == 0
    assert progress == sorted(progress) and progress[-1] == 1.0
    assert work.handlers == {}


async def test_one_name_stands_for_all_channels_mixed(tmp_path: Path) -> None:
    imported, _ = await run(write(tmp_path / "a.wav", tone(3), silence(3)), ["unknown"])
    assert [one.participant_id for one in imported.utterances] == ["unknown"]


async def test_a_long_recording_is_read_in_windows_of_up_to_28_seconds(tmp_path: Path) -> None:
    phrases = sound(*[sound(tone(5), silence(1))] * 15)
    imported, work = await run(write(tmp_path / "a.wav", phrases), ["ada"])
    assert len(imported.utterances) == 15
    assert all(item.seconds <= 28 for item in work.submitted)
    assert len(work.submitted) == 3
    assert work.submitted[-1].context


async def test_the_wrong_number_of_names_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        await run(write(tmp_path / "a.wav", tone(1)), ["ada", "bob"])
    assert caught.value.code == "recording_channels"


async def test_speech_that_nobody_can_read_is_counted_not_invented(tmp_path: Path) -> None:
    imported, work = await run(write(tmp_path / "a.wav", sound(tone(3), silence(1))), ["ada"], outcome="failed")
    assert imported.utterances == () and imported.unread_seconds == pytest.approx(3.4, abs=0.2)
    assert len(work.submitted) == 3


async def test_an_empty_recording_is_no_error(tmp_path: Path) -> None:
    imported, _ = await run(write(tmp_path / "a.wav", silence(2)), ["ada"])
    assert imported.utterances == () and imported.seconds == pytest.approx(2)
