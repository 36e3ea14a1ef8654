"""All rooms of one node: makes them, restores them from their logs, runs them, and puts them away. Who sits in them is `seating`'s.

Where a room or lobby lives is `placement`'s word; what concerns a room of another node is done there (`at`), by the methods in `calls`.

Called by the signalling handlers, by `seating` and by other nodes. Owns the tasks of rooms and lobbies: each runs in the registry's TaskGroup
and contains its own failures.

Invariant: a room runs at most once, on the node that holds it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog
from pydantic import TypeAdapter

from deliberation.agenda import back_from_downtime
from deliberation.command import Actor
from deliberation.commands import FacilitatorCommand, Listen
from deliberation.design import Design
from deliberation.errors import InvalidInput, NotAllowed, NotFound, ParleyError
from deliberation.events import ListenerChanged, Payload, RecordingChanged, SpeechEnded
from deliberation.grouping import OpenRoom
from deliberation.payload import Role
from deliberation.state import RoomState
from deliberation.survey import taken_back
from server import metrics
from server.bus import Bus
from server.clock import now
from server.http.auth import Link
from server.rooms.attendance import end
from server.rooms.copies import Copies
from server.rooms.media import RoomMedia
from server.rooms.neighbours import Description, Joinable, Neighbours
from server.rooms.overview import Overviews, room_card
from server.rooms.placement import Placement, lobby_key
from server.rooms.room import Room
from server.rooms.rounds import RoundKeeper
from server.rooms.seating import Page, Partner, Seating
from server.storage.store import Store

log = structlog.get_logger()

IDLE_ROOM_SECONDS = 300.0  # a closed room that nobody looks at is put away after this


@dataclass(slots=True)
class Running:
    """A room with its media, as it runs on this node."""

    room: Room
    media: RoomMedia
    task: asyncio.Task[None] | None = None
    idle_since: float | None = None
    partners: list[str] = field(default_factory=list)


class Others(Protocol):
    """The other nodes. server/peers.py is one."""

    async def call(self, node_id: str, name: str, arguments: Mapping[str, Any]) -> Any:
        """Have another node do something."""
        ...


_COMMAND: TypeAdapter[FacilitatorCommand] = TypeAdapter(FacilitatorCommand)
STARTING_SECONDS = 5.0  # how long a node waits for those that start beside it before it shares out the open rooms


class Registry:
    """One node's rooms. `run` it in a task of the application; everything else may be called while it runs."""

    def __init__(
        self,
        store: Store,
        equip: Callable[[Room], RoomMedia],
        start_partner: Partner,
        placement: Placement | None = None,
        others: Others | None = None,
        bus: Bus | None = None,
        nodes: int = 1,
    ) -> None:
        """Without `placement` the server is a single node; `others` and `bus` are needed where there are more, `nodes` start together."""
        self._store = store
        self._equip = equip
        self._rooms: dict[str, Running] = {}
        self._loading: dict[str, asyncio.Lock] = {}
        self._group: asyncio.TaskGroup | None = None
        self._stopping = asyncio.Event()
        self.placement = placement or Placement.alone()
        self._others = others
        self._nodes = nodes
        self.neighbours = Neighbours(bus, self.placement.node_id, self._describe)
        self.overviews = Overviews(self)
        self.seating = Seating(self, store, start_partner, bus)
        self.calls: dict[str, Callable[..., Awaitable[Any]]] = {
            "run": self._run_here,
            "command": self._command_here,
            "take_back": self._take_back_here,
            **self.seating.calls,
        }

    @property
    def load(self) -> tuple[int, int]:
        """How many rooms are open here, and how many people sit in them."""
        states = [running.room.state for running in self._rooms.values() if running.room.state.open]
        return len(states), sum(len(state.present) for state in states)

    # -- life

    async def run(self, ready: asyncio.Event) -> None:
        """Restore the open rooms, then keep rooms and lobbies until `stop`."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            await self.placement.join(self._nodes, STARTING_SECONDS)
            await self._adopt()
            self.seating.start()
            beside = [
                group.create_task(self.placement.run(self._lost, self._adopt)),
                group.create_task(self.neighbours.run()),
            ]
            group.create_task(self.overviews.run())
            group.create_task(self._put_away())
            ready.set()
            await self._stopping.wait()
            self.seating.stop()
            for running in self._rooms.values():
                for attendee in running.room.attendees:
                    end(attendee, "stopping")
                running.room.stop()
            self.overviews.stop()
            await asyncio.gather(*(r.task for r in self.rooms if r.task is not None), return_exceptions=True)
            for task in beside:
                task.cancel()
            await self.placement.leave()

    def stop(self) -> None:
        """Tell all pages to come back later, flush all rooms, end."""
        self._stopping.set()

    @property
    def rooms(self) -> Sequence[Running]:
        """Everything that runs on this node."""
        return tuple(self._rooms.values())

    async def _adopt(self) -> None:
        """Restore the open rooms that are nobody's and fall to this node: at the start, and when a node has disappeared."""
        try:
            records = await self._store.open_rooms()
        except ParleyError as error:
            log.warning("open rooms could not be restored", code=error.code)
            return
        for record in records:
            key = lobby_key(record.deliberation_id) if record.practice else record.room_id
            try:
                if record.room_id not in self._rooms and await self.placement.owner(key) == self.placement.node_id:
                    await self.running(record.room_id)
            except ParleyError as error:
                log.warning("an open room could not be restored", room=record.room_id, code=error.code)
            except Exception as error:  # one broken log must not keep the others, or the server, from starting
                metrics.FAILURES.labels(part="room").inc()
                log.error("an open room could not be restored", room=record.room_id, error=type(error).__name__)

    def _lost(self, key: str) -> None:
        """Let go of what another node has taken; its pages come back and are led there."""
        running = self._rooms.get(key)
        if running is not None:
            for attendee in running.room.attendees:
                end(attendee, "moved")
            running.room.stop()
        if key.startswith("lobby:"):
            self.seating.lose_lobby(key.removeprefix("lobby:"))

    # -- finding

    async def home(self, link: Link, room_id: str | None) -> str:
        """Return the key of what a page is to be led to: a room, or the lobby (of practice rooms and monitors too)."""
        deliberation_id = await self.deliberation_of(link, room_id)
        if link.participant_id is not None:
            record = await self._store.participant(link.participant_id)
            room_id = record.room_id if await self.seating.ahead(record) is None else None
        return await self._key(room_id) if room_id is not None else lobby_key(deliberation_id)

    async def in_deliberation(self, room_id: str, deliberation_id: str) -> None:
        """Raise `NotFound` unless the room belongs to the deliberation."""
        running = self._rooms.get(room_id)
        its = running.room.state if running is not None else await self._store.room(room_id)
        if its.deliberation_id != deliberation_id:
            raise NotFound("no_such_room", "There is no such room in this deliberation.")

    async def _key(self, room_id: str) -> str:
        """Return the key under which a room is placed."""
        if self.placement.is_alone:
            return room_id
        record = await self._store.room(room_id)
        return lobby_key(record.deliberation_id) if record.practice else room_id

    async def at(self, name: str, room_id: str, **arguments: Any) -> Any:
        """Have a room's own node do one of `calls`."""
        node_id = await self.placement.owner(await self._key(room_id))
        if node_id == self.placement.node_id:
            return await self.calls[name](room_id, **arguments)
        assert self._others is not None, "there are other nodes only where they can be called"
        return await self._others.call(node_id, name, {"room_id": room_id, **arguments})

    async def at_lobby(self, name: str, deliberation_id: str) -> Any:
        """Have the node that holds a deliberation's lobby do one of `calls`."""
        node_id = await self.placement.owner(lobby_key(deliberation_id))
        if node_id == self.placement.node_id:
            return await self.calls[name](deliberation_id)
        assert self._others is not None, "there are other nodes only where they can be called"
        return await self._others.call(node_id, name, {"room_id": deliberation_id})

    async def design(self, deliberation_id: str) -> Design:
        """Return a deliberation's design. Raises `NotFound`."""
        return (await self._store.deliberation(deliberation_id)).design

    async def deliberation_of(self, link: Link, room_id: str | None) -> str:
        """Return the deliberation a page asks for, checked against its link. Raises `NotAllowed`, `NotFound`."""
        if room_id is not None:
            record = await self._store.room(room_id)
            if link.deliberation_id not in (None, record.deliberation_id):
                raise NotAllowed("wrong_deliberation", "This link does not open that room.")
            return record.deliberation_id
        if link.deliberation_id is None:
            raise InvalidInput("no_deliberation", "An administrator's link needs a room.")
        return link.deliberation_id

    async def running(self, room_id: str) -> Running:
        """Return a running room, restoring it from its log if need be. Raises `NotFound`."""
        running = self._rooms.get(room_id)
        if running is not None:
            return running
        async with self._loading.setdefault(room_id, asyncio.Lock()):
            running = self._rooms.get(room_id)
            if running is None:
                events = await self._store.events(room_id)
                if not events:
                    raise NotFound("no_such_room", "There is no such room.")
                room = Room(room_id, self._store, events)
                if not (room.state.practice or room.state.number):
                    raise NotFound("no_such_room", "That is a survey: nobody meets there.")
                await self.placement.hold(_key_of(room.state))
                for payload in _cut_off(room.state, now()):
                    room.owe(payload)
                running = self._start(room)
            return running

    async def open(self, room_id: str, payloads: Sequence[Payload], *, here: bool) -> Running | None:
        """Store a new room, and start it where it is placed here: `here`, or on the least loaded node. None: another node is to run it."""
        this = self.placement.node_id
        node_id = this if here else await self.placement.choose(room_id)
        room = Room(room_id, self._store)
        async with self._loading.setdefault(room_id, asyncio.Lock()):  # `_adopt` may see it before it is started
            await room.open(payloads)
            return self._start(room) if node_id == this else None

    def here(self, room_id: str) -> Running | None:
        """Return a room that runs on this node."""
        return self._rooms.get(room_id)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something for as long as the registry does; it contains its own failures."""
        assert self._group is not None, "the registry runs before rooms and lobbies are started"
        return self._group.create_task(work)

    def _start(self, room: Room) -> Running:
        running = Running(room, self._equip(room))
        if not room.state.practice:
            room.parts.append(Copies(room, self._store, self))
        if room.state.plan.rounds > 1 and not room.state.practice:
            past = self.seating.past(room.state.deliberation_id)
            room.parts.append(RoundKeeper(room, past, self.seating.round_over))
        running.task = self.spawn(self._keep(running))
        self._rooms[room.room_id] = running
        metrics.ROOMS_OPEN.set(len(self._rooms))
        return running

    async def _keep(self, running: Running) -> None:
        """Run a room; one that breaks is restored from its log, with its people told to come back."""
        room = running.room
        try:
            await room.run()
        except Exception:
            metrics.FAILURES.labels(part="room").inc()
            log.exception("a room broke; it will be restored from its log", room=room.room_id)
        finally:
            self._rooms.pop(room.room_id, None)
            metrics.ROOMS_OPEN.set(len(self._rooms))
            if not room.state.practice:
                await self.placement.release(room.room_id)
            if not self._stopping.is_set():
                for attendee in room.attendees:
                    end(attendee, "stopping")

    async def _put_away(self) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(30):
                    await self._stopping.wait()
            for running in self.rooms:
                busy = running.room.state.open or running.room.attendees
                running.idle_since = None if busy else running.idle_since or now()
                if running.idle_since is not None and now() - running.idle_since > IDLE_ROOM_SECONDS:
                    running.room.stop()

    async def watch(self, page: Page, deliberation_id: str) -> None:
        """Show a facilitator all rooms of a deliberation."""
        await self._store.deliberation(deliberation_id)
        self.overviews.add(page, deliberation_id)

    async def command(self, deliberation_id: str, room_id: str, actor: Actor, command: FacilitatorCommand) -> None:
        """Carry out a facilitator's command in any room of their deliberation."""
        await self.at(
            "command",
            room_id,
            deliberation_id=deliberation_id,
            actor=[actor.id, actor.role],
            command=command.model_dump(mode="json"),
        )

    # -- what is done on a room's own node, asked for by any (`calls`)

    async def _run_here(self, room_id: str) -> None:
        await self.running(room_id)

    async def _take_back_here(self, room_id: str, statement_ids: Sequence[str]) -> None:
        room = (await self.running(room_id)).room
        await room.ask(lambda state: taken_back(state, statement_ids))

    async def _command_here(
        self, room_id: str, deliberation_id: str, actor: tuple[str, Role], command: Mapping[str, Any]
    ) -> None:
        running = await self.running(room_id)
        if running.room.state.deliberation_id != deliberation_id:
            raise NotFound("no_such_room", "There is no such room in this deliberation.")
        wanted = _COMMAND.validate_python(command)
        member_id, role = actor
        await running.room.do(Actor(member_id, role), wanted)
        if isinstance(wanted, Listen) and wanted.state != "speaking":
            await running.media.disconnect(member_id)  # who listens on connects anew, sending nothing

    def _describe(self, deliberation_id: str) -> Description:
        """Return the cards of this node's rooms and those that may be joined, for other nodes."""
        at = now()
        states = ((r.room, r.room.state) for r in self.rooms)
        rooms = [room for room, state in states if state.deliberation_id == deliberation_id and not state.practice]
        cards = {room.room_id: room_card(room, at).model_dump(mode="json") for room in rooms}
        return cards, self.open_rooms(deliberation_id)

    def open_rooms(self, deliberation_id: str) -> list[Joinable]:
        """Return the rooms of this node that late joiners may still be seated in."""
        states = (running.room.state for running in self.rooms)
        return [
            Joinable(s.round, OpenRoom(s.room_id, s.opened_at, {m.participant_id: dict(m.segments) for m in s.seated}))
            for s in states
            if s.open
            and s.present  # nobody is led into a room that the others have deserted
            and not s.practice
            and s.deliberation_id == deliberation_id
            and (s.stage is None or s.plan.agenda[s.stage.index].kind == "discussion")
        ]


def _key_of(state: RoomState) -> str:
    return lobby_key(state.deliberation_id) if state.practice else state.room_id


def _cut_off(state: RoomState, at: float) -> list[Payload]:
    """Return the ends of what a server that died could not end (speech, recordings, facilitators who listened in), and the time lost."""
    if not state.open:
        return []
    return [
        *(
            SpeechEnded(participant_id=p, started_at=since, ended_at=max(since, state.at))
            for p, since in state.speaking.items()
        ),
        *(RecordingChanged(participant_id=p, recording=False) for p in sorted(state.recording)),
        *(RecordingChanged(participant_id=p, recording=False, picture=True) for p in sorted(state.filming)),
        *(ListenerChanged(listener_id=k, name=v.name, state="gone") for k, v in state.listeners.items()),
        *back_from_downtime(state, at),
    ]
