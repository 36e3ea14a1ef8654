from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from deliberation.errors import InvalidInput
from simulation.simulate import cast, person_for
from simulation.speech import PACKAGED, SILENCE_LEVEL, SpeechTrack, encode, level, load_library, sentences

LIBRARY = load_library()


def test_the_packaged_speakers_are_six_and_all_their_clips_are_there() -> None:
    assert [speaker.name for speaker in LIBRARY] == ["Maya", "Daniel", "Amara", "Tom", "Lin", "Ravi"]
    assert all(clip.path.is_file() and clip.text and clip.seconds > 5 for speaker in LIBRARY for clip in speaker.clips)


def test_a_folder_without_a_manifest_is_one_speaker_a_file(tmp_path: Path) -> None:
    shutil.copy(PACKAGED / "01-maya.flac", tmp_path / "Zoe.flac")
    (tmp_path / "Zoe.txt").write_text("What Zoe says.\n")
    ((speaker),) = load_library(tmp_path)
    assert (speaker.name, speaker.clips[0].text) == ("Zoe", "What Zoe says.")
    assert speaker.clips[0].seconds == pytest.approx(12.93, abs=0.05)


def test_a_folder_without_sound_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no recordings"):
        load_library(tmp_path)


def test_a_clip_becomes_one_packet_and_one_level_per_20_ms() -> None:
    clip = LIBRARY[0].clips[0]
    encoded = encode(clip.path)
    assert len(encoded.packets) == len(encoded.levels) == pytest.approx(clip.seconds * 50, abs=3)
    assert 0 <= encoded.first_voiced < encoded.last_voiced < len(encoded.packets)
    assert min(encoded.levels) < 30 and all(0 <= value <= SILENCE_LEVEL for value in encoded.levels)


@pytest.mark.parametrize(("amplitude", "expected"), [(0, 127), (32767, 0), (3277, 20), (1, 90)])
def test_levels_are_decibels_below_overload(amplitude: int, expected: int) -> None:
    assert level(np.full((1, 960), amplitude, np.int16)) == expected


async def test_only_so_many_clips_wait() -> None:
    track, clip = SpeechTrack(), LIBRARY[4].clips[0]
    for _ in range(8):
        await track.say(clip)
    with pytest.raises(InvalidInput):
        await track.say(clip)
    track.stop()


def test_statements_are_claims_from_the_clips_in_a_handy_length() -> None:
    for speaker in LIBRARY:
        said = " ".join(clip.text for clip in speaker.clips)
        for sentence in sentences(speaker.clips):
            assert sentence.rstrip(".") in said and len(sentence) <= 181


def test_a_group_is_cast_with_different_habits_first() -> None:
    assert [speaker.habit for speaker in cast(LIBRARY)[:4]] == ["dominant", "medium", "shy", "occasional"]
    assert {speaker.name for speaker in cast(LIBRARY)} == {speaker.name for speaker in LIBRARY}


def test_incidents_are_for_the_demo_only() -> None:
    from random import Random

    people = [
        person_for(s, i, Random(1), incidents=wanted)
        for wanted in (False, True)
        for i, s in enumerate(cast(LIBRARY)[:4])
    ]
    assert [bool(person.incidents) for person in people] == [False] * 5 + [True, False, True]
