"""Whole simulations against a stand-in for the server: no media, so nobody speaks."""

from __future__ import annotations

import asyncio

import pytest

from deliberation.errors import InvalidInput
from deliberation.events import RoomClosed
from simulation import bot, habits
from simulation import simulate as module
from simulation.simulate import simulate
from tests.fakes.parley import FakeParley


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bot, "LINGER_SECONDS", 0.0)
    monkeypatch.setattr(bot, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(habits, "_around", lambda seconds, dice: seconds / 50)


async def finish(server: FakeParley, members: int) -> None:
    async with asyncio.timeout(20):
        while len(server.log.state.members) < members or len(server.log.state.polls) < 1:
            await asyncio.sleep(0.02)
            if len(server.log.state.members) == members:
                server.log.start(2)  # the closing stage: there is a poll to answer
                await server.add()
    await server.add(RoomClosed(reason="finished"))


async def test_a_room_is_filled_lived_through_and_reported() -> None:
    async with FakeParley() as server:
        server.lobby_size = 3
        server.refuse_joins = 1
        told: list[str] = []
        ending = asyncio.create_task(finish(server, 3))
        report = await simulate(server.join_url, 1, 3, on_progress=told.append, seed=5)
        await ending
    assert (report.participants, report.finished, report.problems) == (3, 3, ())
    assert {person.name for person in server.joined} == {"Maya", "Daniel", "Lin"}
    assert all(
        set(person.answers) == {"keen"} and person.segments["district"] in ("north", "south")
        for person in server.joined
    )
    assert server.log.state.polls["closing"]
    assert report.as_dict()["rooms"] == 1


async def test_the_same_seed_sends_the_same_people() -> None:
    seen = []
    for seed in (5, 5, 6):
        async with FakeParley() as server:
            server.lobby_size = 2
            server.log.add(RoomClosed(reason="finished"))
            await simulate(server.join_url, 1, 2, seed=seed)
            seen.append(sorted((p.name, tuple(p.answers.items()), tuple(p.segments.items())) for p in server.joined))
    assert seen[0] == seen[1] != seen[2]


async def test_no_server_is_reported_for_each_participant_not_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "JOIN_TRIES", 1)
    report = await simulate("http://127.0.0.1:9/d/trams/join#k=T", 1, 2)
    assert report.finished == 0 and len(report.problems) == 2


async def test_a_bad_link_is_refused_at_once() -> None:
    with pytest.raises(InvalidInput):
        await simulate("http://127.0.0.1:9/", 1, 2)
