"""Who is recorded, what becomes of the files, and what the log says of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from deliberation.design import parse_design
from deliberation.events import (
    ConsentGiven,
    ConsentWithdrawn,
    MemberJoined,
    MemberLeft,
    Payload,
    RecordingChanged,
    RoomOpened,
)
from server.clock import now
from server.media.model import VideoPacket
from server.media.recorder import SILENCE
from server.rooms.recording import Recording
from server.rooms.room import Room
from tests.server.media.clients import until
from tests.server.media.test_pictures import coded, packets, shown
from tests.server.rooms.test_room import MemoryLog, running
from transcription.decode import AudioPacket

FRAMES = coded(40)


class Camera:
    def __init__(self) -> None:
        self.filmed: frozenset[str] = frozenset()
        self.asked: list[str] = []
        self._on_video: Callable[[VideoPacket], None] = lambda packet: None

    def film(self, member_ids: frozenset[str], on_video: Callable[[VideoPacket], None]) -> None:
        self.filmed, self._on_video = member_ids, on_video

    def ask_keyframe(self, member_id: str) -> None:
        self.asked.append(member_id)

    def shoot(self, frames: list[bytes]) -> None:
        for packet in packets(frames, now() - 0.5):
            if packet.participant_id in self.filmed:
                self._on_video(packet)


class World:
    def __init__(self, tmp_path: Path, room: Room, log: MemoryLog) -> None:
        self.log, self.room, self.camera = log, room, Camera()
        self.recording = Recording(room, tmp_path, lambda: self.camera)
        self.folder = tmp_path / "r1"
        room.parts = [self.recording]

    async def happen(self, *payloads: Payload) -> None:
        await self.room.add(payloads, "system")

    def files(self, suffix: str) -> list[Path]:
        return sorted(self.folder.glob(f"*{suffix}"))

    def changes(self) -> list[tuple[str, bool, bool]]:
        found = [e.payload for e in self.log.events if isinstance(e.payload, RecordingChanged)]
        return [(c.participant_id, c.recording, c.picture) for c in found]


async def world(tmp_path: Path, **privacy: Any) -> World:
    design = parse_design(
        {"title": "T", "question": "Q?", "groups": {"min_size": 2, "target_size": 2, "max_size": 4},
         "privacy": {"mode": "named", "record_audio": True, "record_video": True, **privacy},
         "stages": [{"id": "talk", "title": "Talk"}]}
    ).model_dump(mode="json")
    log = MemoryLog()
    room = Room("r1", log)
    people = [MemberJoined(participant_id=p, seat=i, name=p.title()) for i, p in enumerate(("ada", "ben"), 1)]
    await room.open([RoomOpened(deliberation_id="d", room_id="r1", number=1, design=design), *people])
    return World(tmp_path, room, log)


def agrees(person: str, record: bool = True) -> ConsentGiven:
    return ConsentGiven(participant_id=person, items={"take_part": True, "record": record}, version="1", language="en")


@pytest.fixture
async def filmed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """A room in which only Ada agreed, and is filmed."""
    monkeypatch.setattr("server.media.recorder.FLUSH_SECONDS", 0.02)
    made = await world(tmp_path)
    async with running(made.room):
        await made.happen(agrees("ada"), agrees("ben", record=False))
        made.camera.shoot(FRAMES)
        await until(lambda: made.files(".webm") and made.changes())
        yield made


async def test_only_those_who_agreed_are_filmed_and_the_log_says_so(filmed: World) -> None:
    assert filmed.camera.filmed == {"ada"} and filmed.changes() == [("ada", True, True)]
    started = next(e.payload for e in filmed.log.events if isinstance(e.payload, RecordingChanged))
    assert [path.name for path in filmed.files(".webm")] == [started.file]
    assert started.started_at == pytest.approx(now(), abs=10)
    assert filmed.room.state.filming == {"ada"} and not filmed.room.state.recording


async def test_sound_and_picture_are_files_of_their_own(filmed: World) -> None:
    filmed.recording.push(AudioPacket("ada", SILENCE, 0, 1, now(), 30))
    filmed.recording.push(AudioPacket("ben", SILENCE, 0, 1, now(), 30))
    await until(lambda: len(filmed.changes()) == 2 and filmed.files(".ogg"))
    assert filmed.changes()[1] == ("ada", True, False)
    assert len(filmed.files(".ogg")) == len(filmed.files(".webm")) == 1


async def test_who_takes_back_consent_is_not_filmed_any_more_and_the_file_is_gone(filmed: World) -> None:
    await filmed.happen(ConsentWithdrawn(participant_id="ada", items=("record",)))
    assert filmed.camera.filmed == frozenset()
    await until(lambda: not filmed.files(".webm") and len(filmed.changes()) == 2)
    filmed.recording.push_video(packets(FRAMES, now())[0])  # one was on its way
    assert filmed.changes() == [("ada", True, True), ("ada", False, True)]
    assert filmed.room.state.filming == frozenset()


async def test_who_leaves_has_a_finished_file(filmed: World) -> None:
    [path] = filmed.files(".webm")
    await filmed.happen(MemberLeft(participant_id="ada", reason="left"))
    await until(lambda: filmed.changes()[-1] == ("ada", False, True) and len(shown(path)) == len(FRAMES))
    assert filmed.camera.filmed == frozenset()


async def test_a_picture_that_needs_a_keyframe_has_its_publisher_asked(filmed: World) -> None:
    for packet in packets(FRAMES[3:8], now(), ssrc=99):
        filmed.recording.push_video(packet)
    await until(lambda: "ada" in filmed.camera.asked)


async def test_a_folder_that_cannot_be_written_ends_the_recording_and_not_the_room(tmp_path: Path) -> None:
    made = await world(tmp_path)
    (tmp_path / "r1").write_text("in the way")
    async with running(made.room):
        await made.happen(agrees("ada"))
        made.camera.shoot(FRAMES)
        await made.happen(agrees("ben"))
        assert made.room.state.open and made.camera.filmed == {"ben"} and not made.changes()


async def test_nobody_is_filmed_where_the_design_records_voices_only(tmp_path: Path) -> None:
    made = await world(tmp_path, record_video=False)
    async with running(made.room):
        await made.happen(agrees("ada"))
        assert made.camera.filmed == frozenset()


async def test_the_end_of_the_room_finishes_its_files(tmp_path: Path) -> None:
    made = await world(tmp_path)
    async with running(made.room):
        await made.happen(agrees("ada"))
        made.camera.shoot(FRAMES)
        await until(made.changes)
    [path] = made.files(".webm")
    assert len(shown(path)) == len(FRAMES)
    assert made.changes() == [("ada", True, True), ("ada", False, True)]
