"""Several rounds: who goes on when a room is over, what carries over to the next, and when a round may begin.

`Past` remembers rooms that are over, as far as the next round needs them; `RoundKeeper` hangs beside each room of a deliberation with
several rounds. Decides who meets whom nowhere (`deliberation.grouping`), nor what a group should hear next (`facilitator.cross_pollination`).
Called by the registry and the lobby.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from deliberation.design import Design
from deliberation.events import Event, RoomClosed, StageStarted, StatementAdded
from deliberation.room import fold_all
from deliberation.state import RoomState, Statement
from facilitator.cross_pollination import choose
from server.ids import new_id
from server.rooms.room import Room
from server.storage.store import Store

CARRIED = 3  # statements of other groups that a group hears in a later round


class Past:
    """The rooms of one deliberation that are over, without what was said in them: only seats, statements and votes are needed again."""

    def __init__(self, deliberation_id: str, store: Store) -> None:
        self._deliberation_id = deliberation_id
        self._store = store
        self._states: dict[str, RoomState] = {}
        self._open: dict[str, int] = {}

    async def refresh(self, *, changed: bool = False) -> None:
        """Take note of the rooms that are over by now; with `changed` also of what has been erased in them since."""
        records = [room for room in await self._store.rooms(self._deliberation_id) if room.meeting]
        self._open = {room.room_id: room.round for room in records if room.closed_at is None}
        for room in records:
            known = self._states.get(room.room_id)
            if room.closed_at is not None and (known is None or (changed and known.seq != room.last_seq)):
                events = await self._store.events(room.room_id)
                state = await asyncio.to_thread(fold_all, events)
                self._states[room.room_id] = replace(
                    state, utterances={}, chat={}, speech=(), interventions={}, ledger={}
                )

    async def next_round(self, participant_id: str, room_id: str) -> int | None:
        """Return the round that somebody who sat in this room has ahead; None where there is none, or the room still runs."""
        if (await self._store.deliberation(self._deliberation_id)).design.rounds == 1:
            return None
        await self.refresh()
        state = self._states.get(room_id)
        return state.round + 1 if state is not None and goes_on(state, participant_id) else None

    def open_before(self, round_: int) -> bool:
        """Say whether a room of an earlier round still runs."""
        return any(earlier < round_ for earlier in self._open.values())

    def rooms_before(self, round_: int) -> Sequence[RoomState]:
        """Return the rooms of earlier rounds that are over."""
        return [state for state in self._states.values() if state.round < round_]

    def met(self, participant_id: str) -> frozenset[str]:
        """Return the people somebody has sat with."""
        return frozenset(
            other
            for state in self._states.values()
            if participant_id in state.members
            for other in state.members
            if other != participant_id
        )

    def expected(self, round_: int) -> frozenset[str]:
        """Return who was there at the end of the round before and may come to this one."""
        return frozenset(m.participant_id for s in self._states.values() if s.round == round_ - 1 for m in s.present)

    def over_at(self, round_: int) -> float:
        """Return when the last room of the round before ended; 0 where there was none."""
        return max((s.closed_at or 0.0 for s in self._states.values() if s.round == round_ - 1), default=0.0)


def goes_on(state: RoomState, participant_id: str) -> bool:
    """Say whether somebody whose room this was has another round ahead. Who left, or was removed, has not."""
    member = state.members.get(participant_id)
    return (
        not state.open
        and not state.practice
        and state.round < state.plan.rounds
        and member is not None
        and member.presence != "left"
    )


def carried(
    design: Design, members: Collection[str], past: Sequence[RoomState], limit: int = CARRIED
) -> list[StatementAdded]:
    """Choose statements of earlier rounds for a new group, by `cross_pollination`: what divides or stretches it most comes first.

    What more than half of the group has seen already is known to it. Seed statements are put to every group anyway.
    """
    seen: dict[str, set[str]] = {}
    votes: dict[str, dict[str, int]] = {}
    texts: dict[str, Statement] = {}
    for state in sorted(past, key=lambda s: s.opened_at):
        for statement in state.statements.values():
            if statement.withdrawn or not statement.text:
                continue
            words = statement.text.strip()
            texts.setdefault(words, statement)
            seen.setdefault(words, set()).update(state.members.keys() & set(members))
            votes.setdefault(words, {}).update({p: v for p, v in statement.votes.items() if p in members})
    known = {
        words: replace(statement, votes=votes[words])
        for words, statement in texts.items()
        if statement.origin == "seed" or 2 * len(seen[words]) > len(members)
    }
    everybody = {p: m for state in past for p, m in state.members.items() if p in members}
    receiver = RoomState(
        room_id="new", design=design, members=everybody, statements={s.statement_id: s for s in known.values()}
    )
    others = [replace(state, statements=_unknown(state.statements.values(), known)) for state in past]
    chosen: list[StatementAdded] = []
    while len(chosen) < limit and (choice := choose(receiver, others)) is not None:
        chosen.append(choice.added(new_id()))
        receiver = replace(
            receiver, statements={**receiver.statements, f"chosen-{len(chosen)}": replace(choice.statement, votes={})}
        )
    return chosen


def _unknown(statements: Iterable[Statement], known: Mapping[str, Statement]) -> dict[str, Statement]:
    return {
        s.statement_id: s for s in statements if not s.flagged and s.origin != "seed" and s.text.strip() not in known
    }


class RoundKeeper:
    """Stands beside one room: puts other groups' statements to it when its voting begins, and says when it is over.

    `on_over` is called before anybody is told that the room has closed, so that who goes on is moved rather than thanked.
    """

    def __init__(self, room: Room, past: Past, on_over: Callable[[Room], None]) -> None:
        self._room = room
        self._past = past
        self._on_over = on_over
        self._voting = asyncio.Event()
        if _wants_statements(room.state):
            self._voting.set()

    async def run(self) -> None:
        """Wait for the voting to begin, and carry statements over."""
        await self._voting.wait()
        state = self._room.state
        await self._past.refresh(changed=True)
        members = [member.participant_id for member in state.seated]
        chosen = await asyncio.to_thread(carried, state.plan, members, self._past.rooms_before(state.round))
        if chosen:
            await self._room.add(chosen)

    def on_events(self, events: Sequence[Event], state: RoomState) -> None:
        """Take note of the voting and of the end."""
        for event in events:
            if isinstance(event.payload, StageStarted) and _wants_statements(state):
                self._voting.set()
            elif isinstance(event.payload, RoomClosed):
                self._on_over(self._room)

    async def close(self) -> None:
        """Nothing to free."""


def _wants_statements(state: RoomState) -> bool:
    stage = state.current_stage
    return (
        state.open
        and state.round > 1
        and stage is not None
        and stage.kind == "statements"
        and not any(s.origin == "carried" for s in state.statements.values())
    )
