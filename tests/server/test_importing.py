"""`parley import`: a recording becomes a finished room, or nothing at all."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import subprocess
import sys
import wave
from collections.abc import AsyncIterator
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

import simulation
from deliberation.design import Design, parse_design
from deliberation.errors import InvalidInput, NotFound
from deliberation.events import MemberJoined
from deliberation.room import fold_all
from deliberation.state import RoomState
from server.importing import Progress, import_into, import_meeting, shared_out
from server.settings import Settings
from server.storage.store import Store
from tests.transcription.fakes import Clock, LoudnessVoice, MemoryWork, silence, sound, tone
from transcription.decode import RATE, Samples, read_recording
from transcription.importing import Imported
from transcription.settings import TranscriptionSettings
from transcription.utterances import Utterance

CLIPS = Path(simulation.__file__).parent / "speech"
SAID = (
    "Every public office should publish a register of the systems it uses.",
    "A named person must be responsible for every decision about benefits.",
    "Citizens should be able to reach a human being without waiting for weeks.",
    "The office that saves money with a machine should also pay when it is wrong.",
)


def design(**changes: object) -> Design:
    return parse_design(
        {
            "id": "trams",
            "title": "Trams",
            "question": "What should the trams do?",
            "stages": [
                {"id": "talk", "title": "Talk", "minutes": 5},
                {"id": "more", "title": "More", "minutes": 10},
                {"id": "vote", "kind": "statements", "title": "Vote", "seed_statements": ["Trams run all night."]},
            ],
            **changes,
        }
    )


def write(path: Path, *channels: Samples) -> Path:
    longest = max(len(channel) for channel in channels)
    padded = [np.pad(channel, (0, longest - len(channel))) for channel in channels]
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.stack(padded, axis=1) * 32767).astype(np.int16).tobytes())
    return path


def meeting(path: Path) -> Path:
    """Two people, each on a channel, in turns."""
    left = sound(tone(4), silence(8), tone(4), silence(8))
    right = sound(silence(6), tone(4), silence(8), tone(4), silence(2))
    return write(path, left, right)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await Store.open(f"sqlite:///{tmp_path / 'parley.db'}", tmp_path / "audio")
    yield store
    await store.close()


async def imported_room(
    store: Store, design: Design, file: Path, names: list[str], cohort: str = "on-site"
) -> RoomState:
    """Import with a recogniser that hears the sentences of `SAID` in turn."""
    await store.create_deliberation(design, 1.0)
    work = MemoryWork(Clock())
    sentences = itertools.cycle(SAID)

    async def answer() -> None:
        while True:
            for item in work.waits("refine"):
                work.answer(item, " ".join(next(sentences) for _ in item.pieces))
            await asyncio.sleep(0)

    answering = asyncio.create_task(answer())
    try:
        await import_into(store, work, TranscriptionSettings(), file, design, names, cohort, voice=LoudnessVoice)
    finally:
        answering.cancel()
    (room,) = await store.rooms(design.id)
    return fold_all(await store.events(room.room_id))


async def test_a_recorded_meeting_is_a_finished_room_of_its_deliberation(store: Store, tmp_path: Path) -> None:
    state = await imported_room(store, design(), meeting(tmp_path / "m.wav"), ["Ann", "Bob"], cohort="town hall")
    assert not state.open and state.close_reason == "finished"
    assert [(m.name, m.mode, m.cohort, m.consent["take_part"], m.consent["quote"]) for m in state.members.values()] == [
        ("Ann", "on-site", "town hall", True, False),
        ("Bob", "on-site", "town hall", True, False),
    ]
    assert state.stages_ended == ("talk", "more", "vote", "closing-stage")
    said = sorted(state.utterances.values(), key=lambda u: u.started_at)
    assert {u.participant_id for u in said} == set(state.members)
    assert {u.stage_id for u in said} == {"talk", "more"}
    assert all(u.words and state.opened_at <= u.started_at < u.ended_at <= (state.closed_at or 0) for u in said)
    assert [s.ended_at is not None for s in state.speech] == [True] * len(state.speech) and not state.speaking


async def test_statements_and_summary_are_drafted_as_in_a_live_room_and_cite(store: Store, tmp_path: Path) -> None:
    state = await imported_room(store, design(), meeting(tmp_path / "m.wav"), ["Ann", "Bob"])
    drafted = [s for s in state.statements.values() if s.origin == "ai"]
    assert drafted and all(set(s.supports) <= set(state.utterances) and s.supports for s in drafted)
    assert {s.stage_id for s in state.statements.values()} == {"vote"}
    assert [s.text for s in state.statements.values() if s.origin == "seed"] == ["Trams run all night."]
    assert state.summary is not None and state.summary.sentences
    assert all(s.utterances or s.statements for s in state.summary.sentences)


async def test_a_deliberation_without_facilitation_gets_its_summary_and_no_message(
    store: Store, tmp_path: Path
) -> None:
    plain = design(facilitation={"mode": "off"})
    state = await imported_room(store, plain, meeting(tmp_path / "m.wav"), ["Ann", "Bob"])
    assert state.summary is not None and state.summary.method == "extraction"
    assert not state.interventions


@pytest.mark.parametrize(("mode", "shown"), [("named", "Unknown speaker"), ("pseudonym", None)])
async def test_without_names_all_channels_are_one_unknown_speaker(
    mode: str, shown: str | None, store: Store, tmp_path: Path
) -> None:
    state = await imported_room(store, design(privacy={"mode": mode}), meeting(tmp_path / "m.wav"), [])
    assert [m.name for m in state.members.values()] == [shown]


async def test_the_people_are_participants_who_can_withdraw(store: Store, tmp_path: Path) -> None:
    state = await imported_room(store, design(), meeting(tmp_path / "m.wav"), ["Ann", "Bob"])
    people = await store.participants("trams")
    assert [(p.name, p.mode, p.room_id, p.consent_version) for p in people] == [
        ("Ann", "on-site", state.room_id, "imported"),
        ("Bob", "on-site", state.room_id, "imported"),
    ]
    await store.withdraw(people[0].participant_id, state.closed_at or 0)
    after = await store.events(state.room_id)
    assert [e.payload.name for e in after if isinstance(e.payload, MemberJoined)] == [None, "Bob"]
    assert all(not u.text for u in fold_all(after).utterances.values() if u.participant_id == people[0].participant_id)


async def test_numbers_go_on_from_the_rooms_that_are_there(store: Store, tmp_path: Path) -> None:
    state = await imported_room(store, design(), meeting(tmp_path / "m.wav"), ["Ann", "Bob"])
    assert state.number == 1 and not await store.open_rooms()


async def test_silence_imports_nothing(store: Store, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as refused:
        await imported_room(store, design(), write(tmp_path / "s.wav", silence(8)), [])
    assert refused.value.code == "no_speech"
    assert not await store.rooms("trams") and not await store.participants("trams")


async def test_a_channel_too_few_imports_nothing(store: Store, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as refused:
        await imported_room(store, design(), meeting(tmp_path / "m.wav"), ["Ann", "Bob", "Cyn"])
    assert refused.value.code == "recording_channels"
    assert not await store.rooms("trams") and not await store.participants("trams")


def utterances(*starts: float) -> tuple[Utterance, ...]:
    return tuple(Utterance(f"u{at}", "ann", at, at + 4, "so", (), 0.9, "en") for at in starts)


def test_talk_is_shared_out_by_planned_minutes_between_utterances() -> None:
    stages = design().agenda
    assert shared_out(stages, Imported(utterances(0, 11, 18, 25), 30.0, 0.0)) == [11, 30.0, 30.0, 30.0]


def test_talk_of_a_design_without_discussion_belongs_to_its_first_stage() -> None:
    stages = design(stages=[{"id": "v", "kind": "statements", "title": "V"}]).agenda
    assert shared_out(stages, Imported(utterances(0, 11), 15.0, 0.0)) == [15.0, 15.0]


@pytest.mark.parametrize(
    ("file", "deliberation", "data", "code"),
    [
        ("missing.wav", "trams", "data", "no_file"),
        ("m.wav", "trams", "elsewhere", "no_data"),
        ("m.wav", "buses", "data", "no_such_deliberation"),
    ],
)
async def test_what_is_not_there_is_said_at_once(
    file: str, deliberation: str, data: str, code: str, tmp_path: Path
) -> None:
    meeting(tmp_path / "m.wav")
    store = await Store.open(f"sqlite:///{tmp_path / 'data' / 'parley.db'}")
    await store.create_deliberation(design(), 1.0)
    await store.close()
    with pytest.raises(NotFound) as refused:
        await import_meeting(Settings(data_dir=tmp_path / data), tmp_path / file, deliberation, [], "on-site")
    assert refused.value.code == code


def test_progress_in_a_file_is_a_line_for_each_tenth() -> None:
    out = StringIO()
    progress = Progress(out)
    for hundredth in range(101):
        progress.show(hundredth / 100)
    lines = out.getvalue().splitlines()
    assert len(lines) == 11 and lines[0] == "0 % read" and lines[-1] == "100 % read"


@pytest.mark.speech
async def test_a_real_recording_is_imported_by_the_command(tmp_path: Path) -> None:
    """Its own Valkey, its own recogniser, the default weights; the words are those that were said."""
    manifest = json.loads((CLIPS / "manifest.json").read_text())["clips"]
    clips = [np.concatenate([p.mean(axis=0) for p in read_recording(CLIPS / manifest[i]["file"])]) for i in (10, 9)]
    file = write(tmp_path / "m.wav", sound(clips[0], silence(1)), sound(silence(len(clips[0]) / RATE + 1), clips[1]))
    store = await Store.open(f"sqlite:///{tmp_path / 'data' / 'parley.db'}")
    await store.create_deliberation(design(), 1.0)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PARLEY_", "OPENAI_"))}
    command = [
        sys.executable,
        "-m",
        "server",
        "import",
        str(file),
        "--deliberation",
        "trams",
        "--speakers",
        "Maya, Lin",
    ]
    done = await asyncio.to_thread(
        subprocess.run,
        [*command, "--data-dir", str(tmp_path / "data")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr
    assert "m.wav is room 1" in done.stdout and "100 % read" in done.stderr
    (room,) = await store.rooms("trams")
    state = fold_all(await store.events(room.room_id))
    await store.close()
    names = {m.participant_id: m.name for m in state.members.values()}
    by_name = {
        name: " ".join(u.text for u in state.utterances.values() if names[u.participant_id] == name).lower()
        for name in ("Maya", "Lin")
    }
    assert "strong point" in by_name["Maya"] and "back of the line" in by_name["Maya"]
    assert "my parents" in by_name["Lin"] and "human being" in by_name["Lin"]
    assert state.summary is not None and state.summary.sentences
