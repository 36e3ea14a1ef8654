"""One deliberation's lobby: who waits, what they are told, and when a group is formed.

Decisions are `deliberation.grouping.plan_groups`; this is the shell around it. People wait for one round each. A later round begins when
every room of the earlier ones is over and everybody who was there at the end has come, or their wait is over. Called by `seating`; its
task ends with `stop`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

from deliberation.design import Design
from deliberation.errors import Conflict, ParleyError
from deliberation.grouping import OpenRoom, Waiting, merges, plan_groups
from server import metrics
from server.clock import now
from server.rooms.attendance import Attendee
from server.rooms.rounds import Past
from server.signalling.messages import Lobby as LobbyMessage
from server.storage.records import ParticipantRecord

if TYPE_CHECKING:
    from server.rooms.registry import Registry
    from server.rooms.seating import Seating

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Guest:
    page: Attendee
    person: ParticipantRecord
    since: float
    round: int = 1


class Lobby:
    """Waiting people. A page that closes is out at once; who comes back starts to wait anew."""

    def __init__(self, deliberation_id: str, design: Design, registry: Registry, seating: Seating, past: Past) -> None:
        self.deliberation_id = deliberation_id
        self.past = past
        self._design = design
        self._registry = registry
        self._seating = seating
        self._guests: dict[str, _Guest] = {}
        self._round = 1  # the latest round anybody has waited for
        self._placed: set[str] = set()  # who has been given a seat since then
        self._changed = asyncio.Event()
        self._stopping = False
        self._at_once = False  # the organiser has said to begin: nobody waits for more people, this once
        self._opens_at: float | None = None
        if design.opens_at:
            moment = datetime.fromisoformat(design.opens_at)
            self._opens_at = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()

    @property
    def waiting(self) -> Sequence[ParticipantRecord]:
        """The people who wait, in order of arrival."""
        return tuple(guest.person for guest in self._guests.values() if not guest.person.simulated)

    def add(self, page: Attendee, person: ParticipantRecord, round_: int = 1) -> None:
        """Let somebody wait for a round."""
        self._guests[person.participant_id] = _Guest(page, person, now(), round_)
        self._changed.set()

    def remove(self, page: Attendee) -> None:
        """Forget a page."""
        for participant_id, guest in tuple(self._guests.items()):
            if guest.page is page:
                del self._guests[participant_id]
                self._changed.set()

    def forget(self, participant_id: str) -> None:
        """Let somebody wait no longer who has a seat."""
        self._guests.pop(participant_id, None)

    def begin(self) -> int:
        """Form groups of those who wait, without waiting for the opening time or for more people; return how many wait."""
        self._opens_at, self._at_once = None, True
        self._changed.set()
        return len(self.waiting)

    async def rebalance(self) -> int:
        """Move people out of groups that have become too small, where others have places; return how many were moved."""
        moves = merges(self._open_rooms(self._round), self._design.groups)
        for participant_id, room_id in moves:
            await self._seating.move(participant_id, room_id)
        return len(moves)

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
            rounds = sorted({guest.round for guest in self._guests.values()})
            if self._design.rounds > 1 and rounds:
                await self.past.refresh()
            if rounds and rounds[-1] > self._round:
                self._round, self._placed = rounds[-1], set()
            for round_ in rounds:
                await self._arrange_round(round_, at)
            self._at_once = False
        metrics.WAITING.set(len(self._guests))
        self._tell(at)

    async def _arrange_round(self, round_: int, at: float) -> None:
        waiting = [
            Waiting(guest.person.participant_id, self._since(guest), guest.person.segments, self._met(guest))
            for guest in self._guests.values()
            if guest.round == round_ and not guest.person.simulated
        ]
        if not self._may_begin(round_, {w.participant_id for w in waiting}, at):
            return
        groups = self._design.groups.model_copy(update={"wait_seconds": 0.0}) if self._at_once else self._design.groups
        plan = plan_groups(waiting, self._open_rooms(round_), groups, at, seed=int(at))
        for participant_id, room_id in plan.fill:
            guest = self._guests.pop(participant_id, None)
            if guest is not None:
                self._placed.add(participant_id)
                try:
                    await self._seating.fill(room_id, guest.person)
                except Conflict:  # no place there any more: on with waiting, unless the page has gone meanwhile
                    if self._seating.holds(guest.page):
                        self._guests.setdefault(participant_id, guest)
                except Exception:
                    self._seating.send_back(guest.page)
                    raise
        for group in plan.form:
            guests = [self._guests.pop(p) for p in group if p in self._guests]
            if len(guests) < self._design.groups.min_size:
                self._guests.update({g.person.participant_id: g for g in guests})
                continue
            self._placed.update(g.person.participant_id for g in guests)
            try:
                await self._seating.form(self.deliberation_id, [g.person for g in guests], round_=round_)
            except Exception:
                # Whether the room was stored only the store knows: their pages ask it when they come back.
                for guest in guests:
                    self._seating.send_back(guest.page)
                raise

    def _may_begin(self, round_: int, here: set[str], at: float) -> bool:
        """Say whether groups of this round may form: for a good mix, everybody who goes on has to be here first."""
        if round_ == 1:
            return True
        if self.past.open_before(round_):
            return False
        missing = self.past.expected(round_) - here - self._placed
        return not missing or at >= self.past.over_at(round_) + self._design.groups.wait_seconds

    def _since(self, guest: _Guest) -> float:
        """Since when somebody waits for others, not for the round's end."""
        return max(guest.since, self.past.over_at(guest.round)) if guest.round > 1 else guest.since

    def _met(self, guest: _Guest) -> frozenset[str]:
        return self.past.met(guest.person.participant_id) if guest.round > 1 else frozenset()

    def _open_rooms(self, round_: int) -> list[OpenRoom]:
        neighbours = self._registry.neighbours
        neighbours.want(self.deliberation_id)
        here = self._registry.open_rooms(self.deliberation_id)
        ids = {joinable.room.room_id for joinable in here}
        there = [j for j in neighbours.open_rooms(self.deliberation_id) if j.room.room_id not in ids]
        return [joinable.room for joinable in (*here, *there) if joinable.round == round_]

    def _tell(self, at: float) -> None:
        groups = self._design.groups
        starts_in = None
        if len(self._guests) >= groups.min_size:
            first = min(guest.round for guest in self._guests.values())
            oldest = min(self._since(guest) for guest in self._guests.values())
            if not (first > 1 and self.past.open_before(first)):
                starts_in = max(0.0, oldest + groups.wait_seconds - at)
        message = LobbyMessage(
            waiting=len(self.waiting),
            min_size=groups.min_size,
            target_size=groups.target_size,
            max_size=groups.max_size,
            starts_in=starts_in,
            opens_at=self._opens_at if self._opens_at and self._opens_at > at else None,
            practice=self._design.practice,
        )
        for guest in self._guests.values():
            guest.page.send(message.model_copy(update={"practice": True}) if guest.person.simulated else message)
