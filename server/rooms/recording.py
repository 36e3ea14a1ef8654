"""Audio recording of those who agreed to it, where the design records at all: a `Part` of a room.

Starts a file when somebody with consent is first heard, finishes it when they withdraw consent, leave, or the room ends. Files are called by
chance, not by name; `recording.changed` events tie them to people and to room time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import structlog

from deliberation.events import Event, RecordingChanged
from deliberation.state import RoomState
from server import metrics
from server.clock import now
from server.ids import new_id
from server.media.recorder import Recorder
from server.rooms.room import Room
from transcription.decode import AudioPacket

log = structlog.get_logger()


class Recording:
    """A room's recorder."""

    def __init__(self, room: Room, audio_dir: Path) -> None:
        self._room = room
        self._folder = audio_dir / room.room_id
        self._recorder = Recorder(self._failed)
        self._active: set[str] = set()
        self._refused: set[str] = set()
        self._to_stop: asyncio.Queue[str] = asyncio.Queue(64)

    def push(self, packet: AudioPacket) -> None:
        """Record a packet, if its sender agreed."""
        member_id = packet.participant_id
        if member_id not in self._active:
            if not self._may(member_id):
                return
            self._start(member_id)
        self._recorder.push(packet)

    async def run(self) -> None:
        """Finish files as people stop being recorded."""
        while True:
            await self._end(await self._to_stop.get())

    async def _end(self, member_id: str) -> None:
        """Finish a member's file, or delete it: its end must not appear again where consent was taken back and the rest erased."""
        member = self._room.state.members.get(member_id)
        if member is not None and member.consent.get("record", False):
            await self._recorder.stop(member_id, now())
        else:
            await self._recorder.discard(member_id)

    def on_events(self, events: Sequence[Event], state: RoomState) -> None:
        """Stop recording whoever no longer agrees or is gone."""
        for member_id in tuple(self._active):
            if not self._may(member_id):
                self._stop(member_id)

    async def close(self) -> None:
        """Finish all files."""
        while not self._to_stop.empty():
            await self._end(self._to_stop.get_nowait())
        await self._recorder.close(now())
        for member_id in tuple(self._active):
            self._active.discard(member_id)
            self._room.owe(RecordingChanged(participant_id=member_id, recording=False))

    def _may(self, member_id: str) -> bool:
        state = self._room.state
        member = state.members.get(member_id)
        return (
            member is not None
            and member.presence != "left"
            and member_id not in self._refused
            and state.open
            and not state.practice
            and state.plan.privacy.record_audio
            and member.consent.get("record", False)
        )

    def _start(self, member_id: str) -> None:
        name = f"{new_id()}.ogg"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._recorder.start(member_id, self._folder / name, now())
        except OSError as error:
            self._failed(member_id, error.strerror or "unknown")
            return
        self._active.add(member_id)
        self._room.owe(RecordingChanged(participant_id=member_id, recording=True, file=name, started_at=now()))

    def _stop(self, member_id: str) -> None:
        self._active.discard(member_id)
        if not self._to_stop.full():
            self._to_stop.put_nowait(member_id)
        self._room.owe(RecordingChanged(participant_id=member_id, recording=False))

    def _failed(self, member_id: str, why: str) -> None:
        """A file that cannot be written ends alone: the room goes on, and says that it no longer records this member."""
        metrics.FAILURES.labels(part="recording").inc()
        log.warning("recording failed", room=self._room.room_id, why=why)
        self._refused.add(member_id)
        if member_id in self._active:
            self._active.discard(member_id)
            self._room.owe(RecordingChanged(participant_id=member_id, recording=False))
