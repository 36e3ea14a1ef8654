"""Practice rooms and their limit; people who withdraw while they are given a seat."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from deliberation.design import parse_design
from deliberation.errors import ParleyError
from server.clock import now
from server.rooms import seating
from server.storage.records import ParticipantRecord
from tests.server.rooms.test_rounds import FakePage, World, serving

DESIGN = {
    "id": "d", "title": "T", "question": "Q?", "groups": {"min_size": 3, "target_size": 3, "max_size": 4, "wait_seconds": 60},
    "stages": [{"id": "talk", "title": "Talk"}],
}  # fmt: skip


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with serving(tmp_path, parse_design(DESIGN)) as world:
        yield world


async def waiting(world: World, name: str) -> FakePage:
    await world.store.add_participant(ParticipantRecord(name, "d", now(), name.title(), consent={"take_part": True}))
    page = FakePage(name, world)
    world.registry.seating.claim(page, takeover=False)  # type: ignore[arg-type]
    await world.registry.seating.enter(page, "d")  # type: ignore[arg-type]
    return page


async def test_one_practice_room_too_many_is_refused_in_so_many_words(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seating, "PRACTICE_ROOMS", 1)
    first, second = await waiting(world, "ann"), await waiting(world, "ben")
    await world.registry.seating.practice(first)  # type: ignore[arg-type]
    with pytest.raises(ParleyError, match="partners are busy") as refused:
        await world.registry.seating.practice(second)  # type: ignore[arg-type]
    assert refused.value.code == "practice_busy" and refused.value.retryable
    assert second.seat is not None and second.seat.running is None and world.registry.seating.waiting("d") == 2


async def test_who_has_withdrawn_by_then_is_given_no_seat(world: World) -> None:
    people = [await world.store.participant((await waiting(world, name)).member_id) for name in ("ann", "ben", "cat")]
    await world.store.withdraw("ben", now())
    room_id = await world.registry.seating.form("d", people)
    assert sorted((await world.registry.running(room_id)).room.state.members) == ["ann", "cat"]


async def test_a_name_does_not_survive_a_withdrawal_that_crosses_the_seat(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    people = [await world.store.participant((await waiting(world, name)).member_id) for name in ("ann", "ben", "cat")]
    open_ = world.registry.open

    async def slow(*args: object, **more: object) -> object:
        await world.store.withdraw("ben", now())  # after the seats were made out, before they are stored
        return await open_(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(world.registry, "open", slow)
    room_id = await world.registry.seating.form("d", people)
    room = (await world.registry.running(room_id)).room
    member = room.state.members["ben"]
    assert (member.name, member.presence, member.consent["take_part"]) == (None, "left", False)
    assert "Ben" not in str(await world.store.events(room_id)) and "Ben" not in str(room.events)
