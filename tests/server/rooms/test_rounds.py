"""Several rounds: mixed anew, with statements carried over, and nobody left behind or taken along against their will."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest_asyncio

from deliberation.command import Actor
from deliberation.commands import CastVote, CloseRoom, Leave, NextStage
from deliberation.design import Design, parse_design
from deliberation.events import StatementAdded, VoteCast
from deliberation.room import fold_all
from deliberation.state import RoomState
from server.clock import now
from server.rooms.registry import Registry
from server.rooms.room import Room
from server.rooms.rounds import CARRIED, carried, goes_on
from server.rooms.seating import Seat
from server.signalling.messages import Lobby, ServerMessage, Update
from server.storage.records import ParticipantRecord
from server.storage.store import Store
from tests.server.outcome_world import OWN, PEOPLE, events
from tests.server.outcome_world import design as town

FACILITATOR = Actor("f", "facilitator", "Fay")


def design(**more: Any) -> Design:
    return parse_design(
        {
            "id": "d", "title": "T", "question": "Q?", "rounds": 2,
            "groups": {"min_size": 2, "target_size": 3, "max_size": 3, "wait_seconds": 60, **more},  # threes, however fast people come
            "stages": [{"id": "vote", "kind": "statements", "title": "Vote", "minutes": None, "seed_statements": ["A seed."]}],
            "practice": False,
        }
    )  # fmt: skip


class NoMedia:
    async def disconnect(self, member_id: str) -> None: ...


class FakePage:
    """A participant's page that comes back when it is moved, as the client does."""

    role = "participant"
    devices = (True, True)
    hello = None
    link = None

    def __init__(self, participant_id: str, world: World) -> None:
        self.participant_id: str | None = participant_id
        self.member_id = self.client_id = participant_id
        self.seat: Seat | None = Seat("d")
        self.messages: list[ServerMessage] = []
        self.byes: list[str] = []
        self.ended = False  # as a session: nothing is sent after a bye
        self._world = world

    def send(self, message: ServerMessage) -> None:
        if not self.ended:
            self.messages.append(message)

    def end(self, reason: str, url: str | None = None) -> None:
        if self.ended:
            return
        self.byes.append(reason)
        self.ended = True
        self._world.returning.append(self)

    @property
    def room(self) -> Room:
        assert self.seat is not None and self.seat.running is not None
        return self.seat.running.room


class World:
    def __init__(self, registry: Registry, store: Store) -> None:
        self.registry, self.store = registry, store
        self.pages: dict[str, FakePage] = {}
        self.returning: list[FakePage] = []

    async def join(self, count: int) -> None:
        for i in range(count):
            name = f"p{i}"
            await self.store.add_participant(ParticipantRecord(name, "d", now(), f"Name{i}", consent={"take_part": True}))
            self.pages[name] = FakePage(name, self)
            self.registry.seating.claim(self.pages[name], takeover=False)
            await self.registry.seating.enter(self.pages[name], "d")

    async def come_back(self) -> None:
        """Let those who were told to move say hello again."""
        while self.returning:
            page = self.returning.pop(0)
            if page.seat is not None and page.seat.running is not None:
                page.seat.running.room.detach(page)
            await self.registry.seating.leave(page)
            page.seat, page.ended = Seat("d"), False
            self.registry.seating.claim(page, takeover=False)
            await self.registry.seating.enter(page, "d")

    async def until_rooms(self, count: int, round_: int) -> list[RoomState]:
        async with asyncio.timeout(20):
            while True:
                states = [r.room.state for r in self.registry.rooms if r.room.state.round == round_ and r.room.state.members]
                if len(states) >= count and all(s.stage is not None for s in states):
                    return states
                for running in self.registry.rooms:
                    for page in self.pages.values():
                        if page.seat is not None and page.seat.running is running:
                            running.room.attendance.seen(page.member_id, now())
                    await running.room.add([])
                await asyncio.sleep(0)

    def room(self, room_id: str) -> Room:
        return next(r.room for r in self.registry.rooms if r.room.room_id == room_id)


@asynccontextmanager
async def serving(folder: Path, plan: Design) -> AsyncIterator[World]:
    """One node that serves one deliberation, without media and practice partners."""
    store = await Store.open(f"sqlite:///{folder}/t.db")
    await store.create_deliberation(plan, now())

    async def no_partner(participant_id: str, deliberation_id: str) -> None: ...

    registry = Registry(store, lambda room: NoMedia(), no_partner)  # type: ignore[arg-type,return-value]
    ready = asyncio.Event()
    task = asyncio.create_task(registry.run(ready))
    await ready.wait()
    yield World(registry, store)
    registry.stop()
    await asyncio.wait_for(task, 10)
    await store.close()


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with serving(tmp_path, design()) as world:
        yield world


async def finish(world: World, state: RoomState) -> None:
    room = world.room(state.room_id)
    for _ in state.plan.agenda:
        await room.do(FACILITATOR, NextStage())


async def test_groups_are_mixed_anew_and_nobody_sees_the_end_of_the_first_round_as_the_end(world: World) -> None:
    await world.join(9)
    first = await world.until_rooms(3, 1)
    for state in first:
        await finish(world, state)
    for page in world.pages.values():
        assert page.byes == ["moved"]
        shown = [m for m in page.messages if isinstance(m, Update)]
        assert not any(m.patch.get("closed_at") for m in shown)
    await world.come_back()
    second = await world.until_rooms(3, 2)
    assert sorted(p for s in second for p in s.members) == sorted(world.pages)
    met = {pair for s in first for pair in combinations(sorted(s.members), 2)}
    again = {pair for s in second for pair in combinations(sorted(s.members), 2)}
    assert not met & again  # three groups of three can be mixed without anybody meeting again
    assert sorted(s.number for s in second) == [4, 5, 6]


async def test_the_last_round_ends_for_good(world: World) -> None:
    await world.join(3)
    await finish(world, (await world.until_rooms(1, 1))[0])
    await world.come_back()
    await finish(world, (await world.until_rooms(1, 2))[0])
    assert all(page.byes == ["moved"] for page in world.pages.values())
    assert any(isinstance(m, Update) and m.patch.get("closed_at") for m in world.pages["p0"].messages)


async def test_a_round_waits_for_the_rooms_of_the_one_before(world: World) -> None:
    await world.join(6)
    first = await world.until_rooms(2, 1)
    await finish(world, first[0])
    await world.come_back()
    for _ in range(3):
        await world.registry.seating._lobbies["d"]._arrange()
    assert not [r for r in world.registry.rooms if r.room.state.round == 2]
    told = [m for m in world.pages[next(iter(first[0].members))].messages if isinstance(m, Lobby)]
    assert told[-1].waiting == 3 and told[-1].starts_in is None
    await world.room(first[1].room_id).do(FACILITATOR, CloseRoom())
    await world.come_back()
    assert len(await world.until_rooms(2, 2)) == 2


async def test_who_leaves_a_round_is_not_asked_into_the_next(world: World) -> None:
    await world.join(3)
    state = (await world.until_rooms(1, 1))[0]
    room = world.room(state.room_id)
    await room.do(Actor("p0", "participant", "Name0"), Leave())
    await finish(world, state)
    assert not goes_on(room.state, "p0") and goes_on(room.state, "p1")
    assert "moved" not in world.pages["p0"].byes and world.pages["p1"].byes == ["moved"]


async def test_statements_of_other_groups_are_put_to_the_vote_in_the_next_round(world: World) -> None:
    await world.join(6)
    first = await world.until_rooms(2, 1)
    for n, state in enumerate(first):
        room = world.room(state.room_id)
        await room.add([StatementAdded(statement_id=f"own{n}", participant_id=next(iter(state.members)), text=OWN[n])])
        for person in state.members:
            await room.do(Actor(person, "participant", person), CastVote(statement_id=f"own{n}", value=1))
        await finish(world, state)
    await world.come_back()
    second = await world.until_rooms(2, 2)
    for state in second:
        room = world.room(state.room_id)
        async with asyncio.timeout(20):
            while not any(s.origin == "carried" for s in room.state.statements.values()):
                await asyncio.sleep(0)
        found = [s for s in room.state.statements.values() if s.origin == "carried"]
        assert found[0].text in OWN and found[0].stage_id == "vote"
        person = next(iter(state.members))
        await room.do(Actor(person, "participant", person), CastVote(statement_id=found[0].statement_id, value=-1))


def test_a_group_hears_what_most_of_it_has_not_seen_and_never_a_seed() -> None:
    plan = town()
    past = [fold_all(events(plan, f"r{g}", g + 1, 1, range(g * 5, g * 5 + 5))) for g in range(4)]
    mixed = [PEOPLE[i] for i in (0, 5, 10, 15)]
    chosen = carried(plan, mixed, past)
    assert len(chosen) == CARRIED and len({c.text for c in chosen}) == CARRIED
    assert all(c.origin == "carried" and c.source_room and c.participant_id is None for c in chosen)
    same_again = carried(plan, PEOPLE[:5], past)
    assert all("tram" not in (c.text or "") for c in same_again)
    assert not any((c.text or "") in plan.stages[1].seed_statements for c in chosen)


def test_a_statement_taken_back_or_disliked_by_its_own_group_is_not_carried() -> None:
    plan = town()
    log = events(plan, "r0", 1, 1, range(5))
    turned = [
        type(e)(e.seq, e.at, e.actor, e.payload.model_copy(update={"value": -1}))
        if isinstance(e.payload, VoteCast) and e.payload.statement_id == "r0-own"
        else e
        for e in log
    ]
    assert carried(plan, PEOPLE[5:8], [fold_all(log)])
    assert not carried(plan, PEOPLE[5:8], [fold_all(turned)])
