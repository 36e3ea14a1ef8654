"""Recording of those who agreed to it, where the design records at all: a `Part` of a room.

Starts a file when somebody with consent is first heard or, where pictures are recorded too, first seen; finishes it when they withdraw
consent, leave, or the room ends. Files are called by chance, not by name; `recording.changed` events tie them to people and to room time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import structlog

from deliberation.events import Event, RecordingChanged
from deliberation.state import RoomState
from server import metrics
from server.clock import now
from server.ids import new_id
from server.media.model import VideoPacket
from server.media.pictures import PictureFile
from server.media.recorder import OpusFile, Recorder
from server.rooms.room import Room
from transcription.decode import AudioPacket

log = structlog.get_logger()


class Camera(Protocol):
    """What gives the packets of people's pictures."""

    def film(self, member_ids: frozenset[str], on_video: Callable[[VideoPacket], None]) -> None:
        """Give the video packets of these members, and of nobody else."""

    def ask_keyframe(self, member_id: str) -> None:
        """Ask for a keyframe soon."""


class Recording:
    """A room's recorder. `camera` returns what films, once the room is equipped."""

    def __init__(self, room: Room, audio_dir: Path, camera: Callable[[], Camera]) -> None:
        self._room = room
        self._camera = camera
        self._filmed: frozenset[str] = frozenset()
        folder = audio_dir / room.room_id
        self._sound = _Reel(room, folder, picture=False)
        self._picture = _Reel(room, folder, picture=True, on_keyframe=lambda member_id: camera().ask_keyframe(member_id))
        self._reels = (self._sound, self._picture)
        self._to_stop: asyncio.Queue[tuple[_Reel, str]] = asyncio.Queue(64)

    def push(self, packet: AudioPacket) -> None:
        """Record a packet of sound, if its sender agreed."""
        if packet.participant_id in self._sound.active or self._may(packet.participant_id):
            self._sound.push(packet)

    def push_video(self, packet: VideoPacket) -> None:
        """Record a packet of a picture, if its sender agreed."""
        if packet.participant_id in self._picture.active or self._may(packet.participant_id, picture=True):
            self._picture.push(packet)

    async def run(self) -> None:
        """Finish files as people stop being recorded."""
        while True:
            await self._end(*await self._to_stop.get())

    async def _end(self, reel: _Reel, member_id: str) -> None:
        """Finish a member's file, or delete it: its end must not appear again where consent was taken back and the rest erased."""
        member = self._room.state.members.get(member_id)
        if member is not None and member.consent.get("record", False):
            await reel.recorder.stop(member_id, now())
        else:
            await reel.recorder.discard(member_id)

    def on_events(self, events: Sequence[Event], state: RoomState) -> None:
        """Stop recording whoever no longer agrees or is gone, and film whoever agrees."""
        for reel in self._reels:
            for member_id in tuple(reel.active):
                if not self._may(member_id, picture=reel.picture):
                    reel.end(member_id)
                    if not self._to_stop.full():
                        self._to_stop.put_nowait((reel, member_id))
        filmed = frozenset(m for m in state.members if self._may(m, picture=True))
        if filmed != self._filmed:
            self._filmed = filmed
            self._camera().film(filmed, self.push_video)

    async def close(self) -> None:
        """Finish all files."""
        while not self._to_stop.empty():
            await self._end(*self._to_stop.get_nowait())
        for reel in self._reels:
            await reel.recorder.close(now())
            for member_id in tuple(reel.active):
                reel.end(member_id)

    def _may(self, member_id: str, *, picture: bool = False) -> bool:
        state = self._room.state
        privacy = state.plan.privacy
        member = state.members.get(member_id)
        return (
            (privacy.record_video if picture else privacy.record_audio)
            and member is not None
            and member.presence != "left"
            and member_id not in (self._picture if picture else self._sound).refused
            and state.open
            and not state.practice
            and member.consent.get("record", False)
        )


class _Reel:
    """The files of one kind, and who is on them."""

    def __init__(
        self, room: Room, folder: Path, *, picture: bool, on_keyframe: Callable[[str], None] | None = None
    ) -> None:
        self._room = room
        self._folder = folder
        self.picture = picture
        self.recorder = Recorder(self._failed, PictureFile if picture else OpusFile, on_keyframe)
        self.active: set[str] = set()
        self.refused: set[str] = set()

    def push(self, packet: AudioPacket | VideoPacket) -> None:
        """Record a packet; the first begins a file."""
        if packet.participant_id not in self.active:
            self._start(packet.participant_id)
        self.recorder.push(packet)

    def end(self, member_id: str) -> None:
        """Say that a member is not recorded any more."""
        self.active.discard(member_id)
        self._room.owe(RecordingChanged(participant_id=member_id, recording=False, picture=self.picture))

    def _start(self, member_id: str) -> None:
        name = f"{new_id()}.{'webm' if self.picture else 'ogg'}"
        at = now()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self.recorder.start(member_id, self._folder / name, at)
        except OSError as error:
            self._failed(member_id, error.strerror or "unknown")
            return
        self.active.add(member_id)
        self._room.owe(
            RecordingChanged(participant_id=member_id, recording=True, file=name, started_at=at, picture=self.picture)
        )

    def _failed(self, member_id: str, why: str) -> None:
        """A file that cannot be written ends alone: the room goes on, and says that it no longer records this member."""
        metrics.FAILURES.labels(part="recording").inc()
        log.warning("recording failed", room=self._room.room_id, why=why)
        self.refused.add(member_id)
        if member_id in self.active:
            self.end(member_id)
