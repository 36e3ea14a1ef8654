"""A room's owner task: stored then sent, answered exactly once, and not taken along by what hangs off it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from deliberation.command import Actor
from deliberation.commands import PostChat, RaiseHand, StrikeUtterance
from deliberation.design import parse_design
from deliberation.errors import Conflict, NotAllowed, Unavailable
from deliberation.events import ConsentWithdrawn, Event, MemberJoined, Payload, RoomOpened, UtteranceFinal
from deliberation.state import RoomState
from server.clock import now
from server.rooms.room import Room
from server.signalling.messages import ServerMessage, Update

DESIGN = parse_design(
    {"title": "T", "question": "Q?", "groups": {"min_size": 2, "target_size": 2, "max_size": 4},
     "stages": [{"id": "talk", "title": "Talk"}]}
).model_dump(mode="json")


class MemoryLog:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self.broken = False
        self.seen_by_viewers: list[int] = []

    async def append(self, room_id: str, first_seq: int, events: Sequence[Event]) -> None:
        if self.broken:
            raise Unavailable("disk_full", "The disk is full.")
        assert first_seq == len(self.events) + 1
        self.events.extend(events)


class Viewer:
    def __init__(self, participant_id: str | None, log: MemoryLog, role: str = "participant") -> None:
        self.role = role
        self.participant_id = participant_id
        self.member_id = participant_id or "f-1"
        self.devices = (True, False)
        self.messages: list[ServerMessage] = []
        self._log = log

    def send(self, message: ServerMessage) -> None:
        if isinstance(message, Update):
            assert message.seq <= len(self._log.events), "an event was sent before it was stored"
        self.messages.append(message)

    @property
    def updates(self) -> list[Update]:
        return [m for m in self.messages if isinstance(m, Update)]


async def opened(log: MemoryLog, *people: str) -> Room:
    room = Room("r1", log)
    payloads: list[Payload] = [RoomOpened(deliberation_id="d", room_id="r1", number=1, design=DESIGN)]
    payloads += [MemberJoined(participant_id=p, seat=i, name=p.title()) for i, p in enumerate(people, 1)]
    await room.open(payloads)
    return room


@asynccontextmanager
async def running(room: Room) -> AsyncIterator[Room]:
    task = asyncio.create_task(room.run())
    try:
        yield room
    finally:
        room.stop()
        async with asyncio.timeout(5):
            await task


def person(name: str) -> Actor:
    return Actor(name, "participant", name)


async def test_a_command_is_stored_before_it_is_seen_and_everyone_sees_it() -> None:
    log = MemoryLog()
    room = await opened(log, "ann", "bob")
    async with running(room):
        viewers = [Viewer("ann", log), Viewer("bob", log)]
        for viewer in viewers:
            room.attach(viewer)
        await room.do(person("ann"), PostChat(text="Hello"))
        await room.do(person("bob"), RaiseHand())
    for viewer in viewers:
        assert viewer.updates[0].from_seq == 0
        assert [u.from_seq for u in viewer.updates[1:]] == [u.seq for u in viewer.updates[:-1]]
        assert any(e["payload"]["kind"] == "chat.posted" for u in viewer.updates for e in u.events)


async def test_a_refused_command_changes_nothing() -> None:
    log = MemoryLog()
    room = await opened(log, "ann", "bob")
    async with running(room):
        room.attach(Viewer("ann", log))
        await room.do(person("ann"), PostChat(text="x"))
        before = room.state.seq
        with pytest.raises(NotAllowed):
            await room.do(person("stranger"), PostChat(text="x"))
        assert room.state.seq == before


async def test_a_store_that_fails_refuses_the_command_and_the_room_lives_on() -> None:
    log = MemoryLog()
    room = await opened(log, "ann", "bob")
    async with running(room):
        log.broken = True
        with pytest.raises(Unavailable):
            await room.do(person("ann"), PostChat(text="lost?"))
        log.broken = False
        await room.do(person("ann"), PostChat(text="kept"))
        assert [c.text for c in room.state.chat.values()] == ["kept"]


async def test_words_owed_while_the_store_fails_are_stored_once_it_works_again() -> None:
    log = MemoryLog()
    room = await opened(log, "ann", "bob")
    async with running(room):
        log.broken = True
        room.owe(UtteranceFinal(utterance_id="u1", participant_id="ann", started_at=1, ended_at=2, text="words"), "ann")
        with pytest.raises(Unavailable):
            await room.do(person("ann"), PostChat(text="x"))
        log.broken = False
        await room.do(person("ann"), PostChat(text="y"))
        assert room.state.utterances["u1"].text == "words"


async def test_coming_back_gets_what_was_missed_and_the_whole_view() -> None:
    log = MemoryLog()
    room = await opened(log, "ann", "bob")
    async with running(room):
        first = Viewer("ann", log)
        room.attach(first)
        await room.do(person("ann"), PostChat(text="one"))
        seen = first.updates[-1].seq
        room.detach(first)
        await room.do(person("bob"), PostChat(text="two"))
        second = Viewer("ann", log)
        room.attach(second, seen)
        update = second.updates[0]
        assert update.from_seq == 0
        assert [e["payload"]["text"] for e in update.events if e["payload"]["kind"] == "chat.posted"] == ["two"]
        assert len(update.patch["chat"]) == 2


async def test_struck_words_are_gone_for_those_who_come_back_too() -> None:
    log = MemoryLog()
    room = await opened(log, "ann", "bob")
    async with running(room):
        room.owe(UtteranceFinal(utterance_id="u1", participant_id="ann", started_at=1, ended_at=2, text="secret"), "ann")
        await room.do(person("ann"), PostChat(text="x"))
        await room.do(person("ann"), StrikeUtterance(utterance_id="u1"))
        late = Viewer("bob", log)
        room.attach(late, 1)
        assert "secret" not in "".join(m.model_dump_json() for m in late.messages)
        with pytest.raises(NotAllowed):
            await room.do(person("bob"), StrikeUtterance(utterance_id="u1"))


async def test_a_part_that_fails_is_started_again_and_the_room_goes_on() -> None:
    log = MemoryLog()
    room = await opened(log, "ann", "bob")
    starts = 0

    class Part:
        async def run(self) -> None:
            nonlocal starts
            starts += 1
            raise RuntimeError("broken part")

        def on_events(self, events: Sequence[Event], state: RoomState) -> None:
            pass

        async def close(self) -> None:
            pass

    class Rules:
        def tick(self, state: RoomState, at: float, last_seen: Mapping[str, float]) -> list[Payload]:
            raise RuntimeError("broken rules")

        def observe(self, state: RoomState) -> None:
            pass

        async def run(self) -> None:
            await asyncio.Event().wait()

    room.parts = [Part()]
    room.facilitator = Rules()
    async with running(room):
        await room.do(person("ann"), PostChat(text="still here"))
        assert starts >= 1
        assert room.state.chat


async def test_a_member_without_a_sign_of_life_is_away_and_back_when_they_return(monkeypatch: Any) -> None:
    log = MemoryLog()
    room = await opened(log, "ann", "bob")
    room.attendance.of("bob", now()).seen_at = now() - 120
    async with running(room):
        room.attach(Viewer("ann", log))
        await room.do(person("ann"), PostChat(text="x"))
        assert room.state.members["bob"].presence == "away"
        room.attach(Viewer("bob", log))
        await room.do(person("ann"), PostChat(text="y"))
        assert room.state.members["bob"].presence == "here"


async def test_a_room_that_is_over_still_ends_when_asked() -> None:
    from deliberation.commands import CloseRoom

    class Quiet:
        def tick(self, state: RoomState, at: float, last_seen: Mapping[str, float]) -> list[Payload]:
            return []

        def observe(self, state: RoomState) -> None:
            pass

        async def run(self) -> None:
            await asyncio.Event().wait()

    room = await opened(MemoryLog(), "ann", "bob")
    room.facilitator = Quiet()
    async with running(room):
        await room.do(Actor("f-1", "facilitator"), CloseRoom())


async def test_a_closed_room_refuses_talk_but_still_answers_for_ones_own_words() -> None:
    from deliberation.commands import CloseRoom

    log = MemoryLog()
    room = await opened(log, "ann", "bob")
    async with running(room):
        room.owe(UtteranceFinal(utterance_id="u1", participant_id="ann", started_at=1, ended_at=2, text="hm"), "ann")
        await room.do(Actor("f-1", "facilitator"), CloseRoom())
        with pytest.raises(Conflict):
            await room.do(person("ann"), PostChat(text="too late"))
        await room.do(person("ann"), StrikeUtterance(utterance_id="u1"))
        assert room.state.utterances["u1"].struck


async def test_words_that_are_recognised_after_their_speaker_has_withdrawn_are_seen_by_nobody() -> None:
    log = MemoryLog()
    room = await opened(log, "ann", "bob")
    late = UtteranceFinal(
        utterance_id="u1", participant_id="ann", started_at=now(), ended_at=now(), text="what I said last", words=()
    )
    async with running(room):
        viewer = Viewer("bob", log)
        room.attach(viewer)
        await room.add([ConsentWithdrawn(participant_id="ann", items=("take_part", "record", "quote"))], "ann")
        room.owe(late, "ann")
        await room.do(person("bob"), RaiseHand())
        await room.do(person("bob"), PostChat(text="x"))
    assert "u1" in room.state.utterances
    assert not room.state.utterances["u1"].text
    assert not any("said last" in update.model_dump_json() for update in viewer.updates)
    assert not any("said last" in event.payload.model_dump_json() for event in room.events)
    again = Room("r1", log, room.events)
    assert "said last" not in str(again.state)


async def test_a_command_to_a_room_that_has_ended_is_refused_at_once() -> None:
    log = MemoryLog()
    room = await opened(log, "ann", "bob")
    async with running(room):
        waiting = [asyncio.create_task(room.do(person("ann"), PostChat(text=str(n)))) for n in range(5)]
        await asyncio.sleep(0)
        room.stop()
    async with asyncio.timeout(5):
        await asyncio.gather(*waiting, return_exceptions=True)
        with pytest.raises(Unavailable):
            await room.do(person("ann"), PostChat(text="x"))


async def test_a_room_whose_log_somebody_else_has_written_ends_so_that_it_is_restored() -> None:
    class Moved(MemoryLog):
        async def append(self, room_id: str, first_seq: int, events: Sequence[Event]) -> None:
            if self.broken:
                raise Conflict("log_moved", "Somebody else has written to this room's log.")
            await super().append(room_id, first_seq, events)

    log = Moved()
    room = await opened(log, "ann", "bob")
    task = asyncio.create_task(room.run())
    log.broken = True
    with pytest.raises(Conflict):
        await room.do(person("ann"), PostChat(text="x"))
    async with asyncio.timeout(5):
        await task


async def test_what_fails_after_a_command_is_stored_does_not_refuse_the_command() -> None:
    class Broken:
        def tick(self, *_: Any) -> list[Payload]:
            log.broken = True
            return [ConsentWithdrawn(participant_id="ann", items=("quote",))]

        def observe(self, state: RoomState) -> None: ...

        async def run(self) -> None: ...

    log = MemoryLog()
    room = await opened(log, "ann", "bob")
    room.facilitator = Broken()
    async with running(room):
        await room.do(person("ann"), PostChat(text="once"))
    assert sum(event.kind == "chat.posted" for event in log.events) == 1
