"""Statements that were carried to other rooms: when the original is taken back, so are they.

`Copies` stands beside each room. Called by the registry; what is erased in a room is `deliberation.consent`'s word, this only has the rooms
that repeat a statement take their copies back, wherever they run. A survey's log runs nowhere and is written directly.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from deliberation.errors import ParleyError
from deliberation.events import Event
from deliberation.state import RoomState
from server.rooms.room import Room
from server.storage.store import Store
from server.survey import ERASING, Surveys

if TYPE_CHECKING:
    from server.rooms.registry import Registry


class Copies:
    """Follows one room's revocations into the rooms that its statements were carried to."""

    def __init__(self, room: Room, store: Store, registry: Registry) -> None:
        self._room = room
        self._store = store
        self._registry = registry
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Whenever something was taken back here, have its copies taken back."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            await follow(self._store, self._registry, self._room.state)

    def on_events(self, events: Sequence[Event], state: RoomState) -> None:
        """Take note of what erases."""
        if any(event.kind in ERASING for event in events):
            self._changed.set()

    async def close(self) -> None:
        """Nothing to free: what is taken back after the room is over is followed too."""


async def follow(store: Store, registry: Registry, state: RoomState) -> None:
    """Have all copies of a room's statements that are gone taken back."""
    gone = {s.statement_id for s in state.statements.values() if s.withdrawn or not s.text}
    if not gone:
        return
    surveys = {room.room_id for room in await store.rooms(state.deliberation_id) if room.survey}
    for room_id, statement_ids in (await store.copies(state.room_id, gone)).items():
        with contextlib.suppress(ParleyError):  # a room that is being restarted asks nobody: the next revocation tries again
            if room_id in surveys:
                await Surveys(store).take_back(room_id, statement_ids)
            else:
                await registry.at("take_back", room_id, statement_ids=statement_ids)
