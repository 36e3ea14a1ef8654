"""What the rooms of other nodes look like, for whoever shows or fills all rooms of a deliberation: monitors and lobbies.

A node says on the bus which deliberations it wants to hear of; the others answer once a second for as long as they are wanted. What is told is
ephemeral and up to two seconds old; whoever acts on it asks the room's own node. Called by overviews and lobbies.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from deliberation.errors import Unavailable
from deliberation.grouping import OpenRoom
from server.bus import Bus, Message

TELL_SECONDS = 1.0
WANTED_SECONDS = 5.0
STALE_SECONDS = 5.0
WANTED = "wanted"


@dataclass(frozen=True, slots=True)
class Joinable:
    """An open room and the round it belongs to."""

    round: int
    room: OpenRoom


Description = tuple[dict[str, Any], list[Joinable]]


class Neighbours:
    """One node's ear for the others' rooms. `describe` gives the cards and the open rooms of one deliberation here."""

    def __init__(self, bus: Bus | None, node_id: str, describe: Callable[[str], Description]) -> None:
        self._bus = bus
        self._node_id = node_id
        self._describe = describe
        self._wanted_here: dict[str, float] = {}
        self._wanted_there: dict[str, float] = {}
        self._told: dict[tuple[str, str], tuple[float, Description]] = {}  # (deliberation, node) → when, what

    def want(self, deliberation_id: str) -> None:
        """Ask to hear of a deliberation for the next seconds."""
        self._wanted_here[deliberation_id] = time.monotonic()

    def cards(self, deliberation_id: str) -> dict[str, Any]:
        """Return the cards of the others' rooms, by room."""
        return {room_id: card for cards, _ in self._fresh(deliberation_id) for room_id, card in cards.items()}

    def open_rooms(self, deliberation_id: str) -> list[Joinable]:
        """Return the others' rooms that somebody might still join."""
        return [room for _, rooms in self._fresh(deliberation_id) for room in rooms]

    async def run(self) -> None:
        """Ask and answer until cancelled."""
        if self._bus is None:
            return
        self._bus.subscribe(WANTED, self._hear_wanted)
        self._bus.subscribe("rooms:*", self._hear_rooms)
        while True:
            with contextlib.suppress(Unavailable):  # nothing is told meanwhile
                await self._tell(self._bus)
            await asyncio.sleep(TELL_SECONDS)

    async def _tell(self, bus: Bus) -> None:
        since = time.monotonic() - WANTED_SECONDS
        for deliberation_id in [d for d, at in self._wanted_here.items() if at > since]:
            await bus.publish(WANTED, {"node": self._node_id, "deliberation": deliberation_id})
        for deliberation_id in [d for d, at in self._wanted_there.items() if at > since]:
            cards, rooms = self._describe(deliberation_id)
            told = {"node": self._node_id, "cards": cards, "open": [asdict(room) for room in rooms]}
            await bus.publish(f"rooms:{deliberation_id}", told)

    def _hear_wanted(self, _topic: str, message: Message) -> None:
        if message["node"] != self._node_id:
            self._wanted_there[message["deliberation"]] = time.monotonic()

    def _hear_rooms(self, topic: str, message: Message) -> None:
        deliberation_id = topic.removeprefix("rooms:")
        if message["node"] != self._node_id and deliberation_id in self._wanted_here:
            rooms = [Joinable(told["round"], OpenRoom(**told["room"])) for told in message["open"]]
            self._told[deliberation_id, message["node"]] = (time.monotonic(), (message["cards"], rooms))

    def _fresh(self, deliberation_id: str) -> list[Description]:
        since = time.monotonic() - STALE_SECONDS
        self._told = {key: told for key, told in self._told.items() if told[0] > since}
        return [
            told[1]
            for key, told in sorted(self._told.items(), key=lambda item: item[1][0])
            if key[0] == deliberation_id
        ]
