"""A room's media, seen from the room: who is connected, which line carries whom, and what to tell the pages.

Wraps `server.media` for one room. Called by sessions (offers, choices) and by the room (life); reports through messages to attendees.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from deliberation.events import Event
from deliberation.state import RoomState
from deliberation.turns import ordered_queue
from server.clock import now
from server.media.forwarder import MediaRoom
from server.media.model import (
    ConnectionChanged,
    MediaChange,
    MediaConfig,
    QualityChanged,
    SlotsChanged,
    VideoPacket,
    Wanted,
)
from server.rooms.room import Room
from server.signalling.messages import MediaQuality, MediaSlots, ServerMessage, SlotView
from transcription.decode import AudioPacket

ATTENTION = frozenset(
    ("speech.started", "speech.ended", "turn.started", "turn.ended", "hand.raised", "hand.lowered", "member.left")
)


class RoomMedia:
    """The media plane of one room: a `Part` of it."""

    def __init__(self, room: Room, config: MediaConfig, on_audio: Callable[[AudioPacket], None]) -> None:
        self._room = room
        self._media = MediaRoom(room.room_id, config, on_audio=on_audio, on_change=self._on_change)
        self._closed = asyncio.Event()
        self._gone: asyncio.Queue[str] = asyncio.Queue(64)

    async def connect(self, member_id: str, offer_sdp: str) -> str:
        """Answer a page's offer; an earlier connection of the same member is replaced. Raises `InvalidInput` for a bad offer."""
        answer = await self._media.connect(member_id, offer_sdp)
        self._tell_slots(member_id)
        return answer

    async def candidate(self, member_id: str, candidate: str, mid: str) -> None:
        """Take one more ICE candidate of a page."""
        await self._media.add_candidate(member_id, candidate, mid)

    async def disconnect(self, member_id: str) -> None:
        """Drop a member's connection."""
        await self._media.disconnect(member_id)

    def want(self, member_id: str, video: Wanted) -> None:
        """Note how much video a member wants."""
        self._media.set_wanted(member_id, video)

    def film(self, member_ids: frozenset[str], on_video: Callable[[VideoPacket], None]) -> None:
        """Give the video packets of these members, and of nobody else, to `on_video`."""
        self._media.film(member_ids, on_video)

    def ask_keyframe(self, member_id: str) -> None:
        """Ask a member's page for a keyframe soon."""
        self._media.ask_keyframe(member_id)

    async def run(self) -> None:
        """Drop the connections of those who leave, until the room ends."""
        while True:
            await self._media.disconnect(await self._gone.get())

    def on_events(self, events: Sequence[Event], state: RoomState) -> None:
        """See who leaves, and whose picture matters most: who speaks, who has the floor, who is next."""
        if any(event.kind in ATTENTION for event in events):
            turn = (state.turn.participant_id,) if state.turn else ()
            self._media.set_priority(
                (*state.speaking, *turn, *(hand.participant_id for hand in ordered_queue(state, state.at)))
            )
        for event in events:
            if event.kind == "member.left" and event.payload.owner is not None and not self._gone.full():
                self._gone.put_nowait(event.payload.owner)

    async def close(self) -> None:
        """Close all connections."""
        await self._media.close()

    def _on_change(self, change: MediaChange) -> None:
        match change:
            case SlotsChanged():
                self._tell_slots(change.member_id)
            case ConnectionChanged():
                if change.member_id in self._room.state.members:
                    self._room.attendance.of(change.member_id, now()).connection = change.state
                    self._room.tell_live()
            case QualityChanged():
                self._tell(change.member_id, MediaQuality(level=change.level, why=change.why))

    def _tell_slots(self, member_id: str) -> None:
        slots = tuple(
            SlotView(mid=slot.mid, kind=slot.kind, participant_id=slot.member_id, paused=slot.paused)
            for slot in self._media.slots(member_id)
        )
        self._tell(member_id, MediaSlots(slots=slots))

    def _tell(self, member_id: str, message: ServerMessage) -> None:
        for attendee in self._room.attendees:
            if attendee.member_id == member_id:
                attendee.send(message)
