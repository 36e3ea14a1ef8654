"""What an organiser can do while people wait and talk: start now, merge small groups, try it without being met."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest_asyncio

from deliberation.design import parse_design
from server.clock import now
from server.storage.records import ParticipantRecord
from tests.server.rooms.test_rounds import FakePage, World, serving

DESIGN = {
    "id": "d", "title": "T", "question": "Q?", "opens_at": "2099-01-01T18:00:00+01:00", "practice": False,
    "groups": {"min_size": 2, "target_size": 3, "max_size": 4, "wait_seconds": 3600}, "stages": [{"id": "talk", "title": "Talk"}],
}  # fmt: skip


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with serving(tmp_path, parse_design(DESIGN)) as world:
        yield world


def person(name: str) -> ParticipantRecord:
    return ParticipantRecord(name, "d", now(), name.title(), consent={"take_part": True})


async def preview(world: World) -> FakePage:
    await world.store.add_participant(replace(person("org"), simulated=True))
    page = FakePage("org", world)
    world.registry.seating.claim(page, takeover=False)  # type: ignore[arg-type]
    await world.registry.seating.enter(page, "d")  # type: ignore[arg-type]
    return page


async def test_starting_now_waits_neither_for_the_hour_nor_for_more_people(world: World) -> None:
    await world.join(2)
    await world.registry.seating._lobbies["d"]._arrange()
    assert not list(world.registry.rooms)
    assert await world.registry.seating.begin("d") == 2
    await world.registry.seating._lobbies["d"]._arrange()
    [running] = world.registry.rooms
    assert set(running.room.state.members) == {"p0", "p1"}


async def test_who_previews_is_in_no_group_and_counts_nowhere_but_may_practise(world: World) -> None:
    page = await preview(world)
    await world.join(2)
    assert await world.registry.seating.begin("d") == 2
    await world.registry.seating._lobbies["d"]._arrange()
    [running] = world.registry.rooms
    assert set(running.room.state.members) == {"p0", "p1"} and world.registry.seating.waiting("d") == 0
    told = [m for m in page.messages if m.type == "lobby"][-1]
    assert told.practice and told.waiting == 0
    await world.registry.seating.practice(page)  # type: ignore[arg-type]
    assert page.room.state.practice


async def test_people_in_a_group_that_is_too_small_are_moved_to_one_with_places(world: World) -> None:
    groups = (["ann", "ben", "cat"], ["dan"])
    for names in groups:
        people = [person(name) for name in names]
        for one in people:
            await world.store.add_participant(one)
        await world.registry.seating.form("d", people)
    assert await world.registry.seating.rebalance("d") == 1
    large = next(r.room.state for r in world.registry.rooms if "ann" in r.room.state.members)
    small = next(r.room.state for r in world.registry.rooms if "ann" not in r.room.state.members)
    assert "dan" in large.members and small.members["dan"].presence == "left"
    assert await world.registry.seating.rebalance("d") == 0
