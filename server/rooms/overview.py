"""The monitors' overview: one card per room, sent once a second where something changed.

Reads room states, changes nothing. Names follow the privacy mode: a monitor of a deliberation that is not `named` sees seats.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog

from deliberation.equity import gini, shares, silence_seconds, spoken_seconds
from deliberation.view import display_name, merge_patch
from server import metrics
from server.clock import now
from server.rooms.attendance import Attendee
from server.rooms.room import Room
from server.signalling.messages import Overview, Recognition, RoomCard, RoomCardMember

if TYPE_CHECKING:
    from server.rooms.registry import Registry

log = structlog.get_logger()


@dataclass(slots=True)
class _Monitor:
    page: Attendee
    deliberation_id: str
    sent: dict[str, Any] = field(default_factory=dict)
    waiting: int = -1
    recognition: Recognition | None = None


class Overviews:
    """All monitors of this node."""

    def __init__(self, registry: Registry) -> None:
        self.recognition: Callable[[], Recognition | None] = lambda: None
        self._registry = registry
        self._monitors: list[_Monitor] = []
        self._changed = asyncio.Event()
        self._stopping = False

    def add(self, page: Attendee, deliberation_id: str) -> None:
        """Let a monitor watch a deliberation."""
        self._monitors.append(_Monitor(page, deliberation_id))
        self._changed.set()

    def remove(self, page: Attendee) -> None:
        """Forget a monitor."""
        self._monitors = [monitor for monitor in self._monitors if monitor.page is not page]

    @property
    def pages(self) -> tuple[Attendee, ...]:
        """The monitors that watch now."""
        return tuple(monitor.page for monitor in self._monitors)

    def stop(self) -> None:
        """End the task."""
        self._stopping = True
        self._changed.set()

    async def run(self) -> None:
        """Send what changed, once a second while anybody watches."""
        while not self._stopping:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0 if self._monitors else None):
                    await self._changed.wait()
            self._changed.clear()
            try:
                self._send()
            except Exception as error:  # the rooms go on without their monitors
                metrics.FAILURES.labels(part="overview").inc()
                log.error("the overview failed", error=type(error).__name__)
                await asyncio.sleep(1)

    def _send(self) -> None:
        at = now()
        recognition = self.recognition()
        cards: dict[str, dict[str, Any]] = {}
        for monitor in self._monitors:
            if monitor.deliberation_id not in cards:
                neighbours = self._registry.neighbours
                neighbours.want(monitor.deliberation_id)
                cards[monitor.deliberation_id] = neighbours.cards(monitor.deliberation_id) | {
                    running.room.room_id: room_card(running.room, at).model_dump(mode="json")
                    for running in self._registry.rooms
                    if running.room.state.deliberation_id == monitor.deliberation_id and not running.room.state.practice
                }
            card = cards[monitor.deliberation_id]
            waiting = self._registry.seating.waiting(monitor.deliberation_id)
            patch = merge_patch(monitor.sent, card)
            if patch or waiting != monitor.waiting or recognition != monitor.recognition:
                monitor.page.send(Overview(waiting=waiting, patch=patch, recognition=recognition))
                monitor.sent, monitor.waiting, monitor.recognition = card, waiting, recognition


def room_card(room: Room, at: float) -> RoomCard:
    """Return a room's card at `at`."""
    state = room.state
    named = state.plan.privacy.mode == "named"
    spoken = spoken_seconds(state, at)
    share = shares(spoken)
    stage = state.current_stage
    last = max((i for i in state.interventions.values() if i.by == "ai"), key=lambda i: i.at, default=None)
    return RoomCard(
        room_id=state.room_id,
        number=state.number,
        title=state.plan.title,
        open=state.open,
        stage=stage.title if stage else "",
        stage_ends_at=state.stage.ends_at if state.stage else None,
        members={
            m.participant_id: RoomCardMember(
                name=display_name(m.name if named else None, m.seat),
                seat=m.seat,
                presence=m.presence,
                share=round(share.get(m.participant_id, 0.0), 2),
                connection=room.attendance.of(m.participant_id, at).connection,
            )
            for m in state.members.values()
        },
        speaking=tuple(state.speaking),
        gini=round(gini(spoken.values()), 2),
        silence_seconds=float(int(silence_seconds(state, at))) if state.open else 0.0,
        transcription_behind=state.transcription_behind,
        last_ai_action=last.rule if last else "",
        last_ai_at=last.at if last else None,
        facilitation_paused=state.facilitation_paused,
        help=(state.help.why or "help") if state.help else None,
        reports=len(state.reports),
        listeners=len(state.listeners),
        arm=state.arm,
    )
