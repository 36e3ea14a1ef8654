"""One deliberation's lobby: who waits, what they are told, and when a group is formed.

Decisions are `deliberation.grouping.plan_groups`; this is the shell around it. Called by the registry; its task ends with `stop`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import structlog

from deliberation.design import Design
from deliberation.errors import ParleyError
from deliberation.grouping import OpenRoom, Waiting, plan_groups
from server import metrics
from server.clock import now
from server.rooms.attendance import Attendee
from server.signalling.messages import Lobby as LobbyMessage
from server.storage.records import ParticipantRecord

if TYPE_CHECKING:
    from server.rooms.registry import Registry

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Guest:
    page: Attendee
    person: ParticipantRecord
    since: float


class Lobby:
    """Waiting people. A page that closes is out at once; who comes back starts to wait anew."""

    def __init__(self, deliberation_id: str, design: Design, registry: Registry) -> None:
        self.deliberation_id = deliberation_id
        self._design = design
        self._registry = registry
        self._guests: dict[str, _Guest] = {}
        self._changed = asyncio.Event()
        self._stopping = False
        self._opens_at = datetime.fromisoformat(design.opens_at).timestamp() if design.opens_at else None

    @property
    def waiting(self) -> Sequence[ParticipantRecord]:
        """The people who wait, in order of arrival."""
        return tuple(guest.person for guest in self._guests.values())

    def add(self, page: Attendee, person: ParticipantRecord) -> None:
        """Let somebody wait."""
        self._guests[person.participant_id] = _Guest(page, person, now())
        self._changed.set()

    def remove(self, page: Attendee) -> None:
        """Forget a page."""
        for participant_id, guest in tuple(self._guests.items()):
            if guest.page is page:
                del self._guests[participant_id]
                self._changed.set()

    def stop(self) -> None:
        """End the task."""
        self._stopping = True
        self._changed.set()

    async def run(self) -> None:
        """Form groups as people come and time passes."""
        while not self._stopping:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0 if self._guests else None):
                    await self._changed.wait()
            self._changed.clear()
            try:
                await self._arrange()
            except ParleyError as error:
                log.warning("no group could be formed", deliberation=self.deliberation_id, code=error.code)
            except Exception:
                metrics.FAILURES.labels(part="lobby").inc()
                log.exception("the lobby failed", deliberation=self.deliberation_id)
                await asyncio.sleep(1)

    async def _arrange(self) -> None:
        at = now()
        if self._opens_at is None or at >= self._opens_at:
            waiting = [
                Waiting(person.participant_id, guest.since, person.segments)
                for guest in self._guests.values()
                for person in (guest.person,)
            ]
            plan = plan_groups(waiting, self._open_rooms(), self._design.groups, at, seed=int(at))
            for participant_id, room_id in plan.fill:
                guest = self._guests.pop(participant_id, None)
                if guest is not None:
                    try:
                        await self._registry.fill(room_id, guest.person)
                    except ParleyError:
                        self._guests[participant_id] = guest
            for group in plan.form:
                guests = [self._guests.pop(p) for p in group if p in self._guests]
                if len(guests) < self._design.groups.min_size:
                    self._guests.update({g.person.participant_id: g for g in guests})
                    continue
                await self._registry.form(self.deliberation_id, [g.person for g in guests])
        metrics.WAITING.set(len(self._guests))
        self._tell(at)

    def _open_rooms(self) -> list[OpenRoom]:
        states = (running.room.state for running in self._registry.rooms)
        return [
            OpenRoom(s.room_id, s.opened_at, {m.participant_id: dict(m.segments) for m in s.seated})
            for s in states
            if s.open
            and not s.practice
            and s.deliberation_id == self.deliberation_id
            and (s.stage is None or s.plan.agenda[s.stage.index].kind == "discussion")
        ]

    def _tell(self, at: float) -> None:
        groups = self._design.groups
        starts_in = None
        if len(self._guests) >= groups.min_size:
            oldest = min(guest.since for guest in self._guests.values())
            starts_in = max(0.0, oldest + groups.wait_seconds - at)
        message = LobbyMessage(
            waiting=len(self._guests),
            min_size=groups.min_size,
            target_size=groups.target_size,
            max_size=groups.max_size,
            starts_in=starts_in,
            opens_at=self._opens_at if self._opens_at and self._opens_at > at else None,
            practice=self._design.practice,
        )
        for guest in self._guests.values():
            guest.page.send(message)
