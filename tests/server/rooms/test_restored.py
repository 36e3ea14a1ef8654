"""Rooms that are served again after the server was away."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from deliberation.events import StageExtended
from server.clock import now
from server.rooms.registry import Registry
from server.storage.store import Store
from tests.deliberation import rooms
from tests.server.rooms.test_rounds import NoMedia


async def test_a_stage_does_not_run_out_while_the_server_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rooms, "START", now() - 5060)
    log = rooms.Log().start().speak("ann", 60)  # a stage of 300 seconds, heard of for the last time after 60
    store = await Store.open(f"sqlite:///{tmp_path}/t.db")
    await store.create_deliberation(log.state.plan, now())
    await store.append("r1", 1, log.events)

    async def no_partner(participant_id: str, deliberation_id: str) -> None: ...

    registry = Registry(store, lambda room: NoMedia(), no_partner)  # type: ignore[arg-type,return-value]
    ready = asyncio.Event()
    task = asyncio.create_task(registry.run(ready))
    await ready.wait()
    room = (await registry.running("r1")).room
    async with asyncio.timeout(5):
        while len(room.events) == len(log.events):
            await room.add([])
    added = room.events[len(log.events)].payload
    assert isinstance(added, StageExtended) and (added.why, round(added.seconds, -1)) == ("pause", 5000)
    assert room.state.stage is not None and room.state.stage.stage_id == "talk"
    assert 200 < (room.state.stage.ends_at or 0) - now() <= 240
    registry.stop()
    await asyncio.wait_for(task, 10)
    await store.close()
