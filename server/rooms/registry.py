"""All rooms and lobbies of one node: makes them, restores them from their logs, seats people, and knows which page holds which seat.

Where a room or lobby lives is `placement`'s word; what concerns a room of another node is done there (`_at`), by the methods in `calls`.

Called by the signalling handlers and the HTTP API (as `LiveRooms`). Owns the tasks of rooms and lobbies: each runs in the registry's TaskGroup
and contains its own failures.

Invariants: a room runs at most once, on the node that holds it; a participant has at most one page (a newcomer needs `takeover`); a person who comes back goes to the room
they were seated in.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog
from pydantic import TypeAdapter

from deliberation.command import Actor
from deliberation.commands import AnswerPoll, FacilitatorCommand, Listen, poll_answered
from deliberation.design import Design
from deliberation.errors import Conflict, InvalidInput, NotAllowed, NotFound, ParleyError
from deliberation.events import (
    SYSTEM,
    ConsentGiven,
    ConsentWithdrawn,
    ListenerChanged,
    MemberJoined,
    MemberLeft,
    MemberReturned,
    Payload,
    RecordingChanged,
    RoomClosed,
    RoomOpened,
    SpeechEnded,
)
from deliberation.grouping import OpenRoom
from deliberation.payload import Role
from deliberation.state import RoomState
from server import metrics
from server.bus import Bus, Message
from server.clock import now
from server.http.auth import Link
from server.ids import new_id
from server.rooms.attendance import Attendee
from server.rooms.lobby import Lobby
from server.rooms.media import RoomMedia
from server.rooms.neighbours import Description, Joinable, Neighbours
from server.rooms.overview import Overviews, room_card
from server.rooms.placement import Placement, lobby_key
from server.rooms.room import Room
from server.rooms.rounds import Past, RoundKeeper, goes_on
from server.storage.records import ParticipantRecord
from server.storage.store import Store

log = structlog.get_logger()

IDLE_ROOM_SECONDS = 300.0  # a closed room that nobody looks at is put away after this


class Page(Attendee, Protocol):
    """A session, as the registry sees it."""

    seat: Seat | None

    @property
    def client_id(self) -> str:
        """The page's own name."""
        ...

    def end(self, reason: str, url: str | None = None) -> None:
        """Say bye and close."""
        ...


@dataclass(slots=True)
class Seat:
    """Where a page is: a room, or (None) the lobby or the overview."""

    deliberation_id: str
    running: Running | None = None


@dataclass(slots=True)
class Running:
    """A room with its media, as it runs on this node."""

    room: Room
    media: RoomMedia
    task: asyncio.Task[None] | None = None
    idle_since: float | None = None
    partners: list[str] = field(default_factory=list)


class Partner(Protocol):
    """Starts a simulated partner for a practice room."""

    async def __call__(self, participant_id: str, deliberation_id: str) -> None: ...


class Others(Protocol):
    """The other nodes. server/peers.py is one."""

    async def call(self, node_id: str, name: str, arguments: Mapping[str, Any]) -> Any:
        """Have another node do something."""
        ...


_COMMAND: TypeAdapter[FacilitatorCommand] = TypeAdapter(FacilitatorCommand)
PAGES = "pages"  # topic: pages to end, on whichever node they are
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
        self._start_partner = start_partner
        self._rooms: dict[str, Running] = {}
        self._lobbies: dict[str, Lobby] = {}
        self._pasts: dict[str, Past] = {}
        self._pages: dict[str, Page] = {}
        self._loading: dict[str, asyncio.Lock] = {}
        self._group: asyncio.TaskGroup | None = None
        self._stopping = asyncio.Event()
        self.placement = placement or Placement.alone()
        self._others = others
        self._bus = bus
        self._nodes = nodes
        self.neighbours = Neighbours(bus, self.placement.node_id, self._describe)
        self.overviews = Overviews(self)
        self.calls: dict[str, Callable[..., Awaitable[Any]]] = {
            "run": self._run_here,
            "admit": self._admit_here,
            "dismiss": self._dismiss_here,
            "withdraw": self._withdraw_here,
            "command": self._command_here,
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
            if self._bus is not None:
                self._bus.subscribe(PAGES, self._on_pages)
            beside = [
                group.create_task(self.placement.run(self._lost, self._adopt)),
                group.create_task(self.neighbours.run()),
            ]
            group.create_task(self.overviews.run())
            group.create_task(self._put_away())
            ready.set()
            await self._stopping.wait()
            for page in tuple(self._pages.values()):
                page.end("stopping")
            for running in self._rooms.values():
                for attendee in running.room.attendees:
                    _end(attendee, "stopping")
                running.room.stop()
            for lobby in self._lobbies.values():
                lobby.stop()
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
                _end(attendee, "moved")
            running.room.stop()
        lobby = self._lobbies.pop(key.removeprefix("lobby:"), None)
        if lobby is not None:
            lobby.stop()
            for page in tuple(self._pages.values()):
                if (
                    page.seat is not None
                    and page.seat.running is None
                    and page.seat.deliberation_id == lobby.deliberation_id
                ):
                    page.end("moved")

    # -- finding

    async def home(self, link: Link, room_id: str | None) -> str:
        """Return the key of what a page is to be led to: a room, or the lobby (of practice rooms and monitors too)."""
        deliberation_id = await self.deliberation_of(link, room_id)
        if link.participant_id is not None:
            record = await self._store.participant(link.participant_id)
            room_id = record.room_id if await self._ahead(record) is None else None
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

    async def _at(self, name: str, room_id: str, **arguments: Any) -> Any:
        """Have a room's own node do one of `calls`."""
        node_id = await self.placement.owner(await self._key(room_id))
        if node_id == self.placement.node_id:
            return await self.calls[name](room_id, **arguments)
        assert self._others is not None, "there are other nodes only where they can be called"
        return await self._others.call(node_id, name, {"room_id": room_id, **arguments})

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
                await self.placement.hold(_key_of(room.state))
                for payload in _cut_off(room.state):
                    room.owe(payload)
                running = self._start(room)
            return running

    def _start(self, room: Room) -> Running:
        assert self._group is not None, "the registry runs before rooms are started"
        running = Running(room, self._equip(room))
        if room.state.plan.rounds > 1 and not room.state.practice:
            room.parts.append(RoundKeeper(room, self._past(room.state.deliberation_id), self._round_over))
        running.task = self._group.create_task(self._keep(running))
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
                    _end(attendee, "stopping")

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

    # -- seats and pages

    def claim(self, page: Page, *, takeover: bool) -> None:
        """Make this page the one that holds the participant's seat.

        Raises `Conflict("seat_taken")` when another page of the same person holds it, unless `takeover`; the same page coming back on a new
        socket needs no asking.
        """
        assert page.participant_id is not None
        holder = self._pages.get(page.participant_id)
        if holder is not None and holder is not page:
            if holder.client_id != page.client_id and not takeover:
                raise Conflict(
                    "seat_taken", "You are in this room in another window.", "Use this window instead, or close it."
                )
            holder.end("takeover" if holder.client_id != page.client_id else "elsewhere")
        self._pages[page.participant_id] = page

    async def enter(self, page: Page, deliberation_id: str) -> None:
        """Take a participant to their room, or to the lobby."""
        assert page.participant_id is not None and page.seat is not None
        record = await self._store.participant(page.participant_id)
        if record.withdrawn_at is not None:
            raise NotAllowed("withdrawn", "You have withdrawn from this deliberation.")
        ahead = await self._ahead(record)
        if ahead is not None:
            self._wait(page, record, await self._lobby(deliberation_id), ahead)
            return
        running = await self.running(record.room_id) if record.room_id is not None else None
        practising = running is not None and running.room.state.practice
        if running is not None and not (practising and not running.room.state.open):
            self._seat(page, running)
        if running is None:
            self._wait(page, record, await self._lobby(deliberation_id))
        elif practising and not record.simulated:
            (await self._lobby(deliberation_id)).add(page, record)

    def _wait(self, page: Page, record: ParticipantRecord, lobby: Lobby, round_: int = 1) -> None:
        """Let somebody wait, unless a group was formed with them while it was looked up where they belong."""
        if page.seat is not None and page.seat.running is None:
            lobby.add(page, record, round_)

    def _seat(self, page: Page, running: Running) -> None:
        hello_seq = getattr(getattr(page, "hello", None), "last_seq", 0)
        page.seat = Seat(running.room.state.deliberation_id, running)
        running.room.attach(page, hello_seq)

    async def leave(self, page: Page) -> None:
        """Forget a page that has closed."""
        if page.participant_id is not None and self._pages.get(page.participant_id) is page:
            del self._pages[page.participant_id]
        for lobby in self._lobbies.values():
            lobby.remove(page)
        self.overviews.remove(page)

    def holds(self, page: Attendee) -> bool:
        """Say whether this page has its participant's seat still."""
        return page.participant_id is not None and self._pages.get(page.participant_id) is page

    def send_back(self, page: Attendee) -> None:
        """Have a page come back in a moment, to be led to where its participant sits by then."""
        _end(page, "stopping")

    async def watch(self, page: Page, deliberation_id: str) -> None:
        """Show a facilitator all rooms of a deliberation."""
        await self._store.deliberation(deliberation_id)
        self.overviews.add(page, deliberation_id)

    def waiting(self, deliberation_id: str) -> int:
        """Return how many people wait for a group."""
        lobby = self._lobbies.get(deliberation_id)
        return len(lobby.waiting) if lobby else 0

    async def _lobby(self, deliberation_id: str) -> Lobby:
        lobby = self._lobbies.get(deliberation_id)
        if lobby is None:
            assert self._group is not None
            record = await self._store.deliberation(deliberation_id)
            await self.placement.hold(lobby_key(deliberation_id))
            lobby = self._lobbies.get(deliberation_id) or Lobby(
                deliberation_id, record.design, self, self._past(deliberation_id)
            )
            if deliberation_id not in self._lobbies:
                self._lobbies[deliberation_id] = lobby
                self._group.create_task(lobby.run())
        return lobby

    async def _ahead(self, person: ParticipantRecord) -> int | None:
        """Return the round that somebody waits for whose room of an earlier one is over."""
        if person.room_id is None:
            return None
        return await self._past(person.deliberation_id).next_round(person.participant_id, person.room_id)

    def _past(self, deliberation_id: str) -> Past:
        return self._pasts.setdefault(deliberation_id, Past(deliberation_id, self._store))

    def _round_over(self, room: Room) -> None:
        """Take the pages of those who have another round ahead back to the lobby: they come back at once, and `enter` lets them wait."""
        for attendee in room.attendees:
            if attendee.participant_id is not None and goes_on(room.state, attendee.participant_id):
                _end(attendee, "moved")

    # -- making rooms (called by lobbies)

    async def form(
        self,
        deliberation_id: str,
        people: Sequence[ParticipantRecord],
        *,
        practice: bool = False,
        round_: int = 1,
    ) -> str:
        """Open a room for these people on the least loaded node and seat them; return its id. Practice rooms stay with their lobby."""
        record = await self._store.deliberation(deliberation_id)
        design = record.design
        room_id = new_id()
        number = 1 + len([r for r in await self._store.rooms(deliberation_id) if not r.practice])
        seed = int.from_bytes(room_id.encode()[-4:])
        arms = design.facilitation.arms
        opened = RoomOpened(
            deliberation_id=deliberation_id,
            room_id=room_id,
            number=0 if practice else number,
            round=round_,
            design=design.model_dump(mode="json"),
            arm=arms[seed % len(arms)].name if arms and not practice else "",
            seed=seed,
            practice=practice,
        )
        here = self.placement.node_id
        node_id = here if practice else await self.placement.choose(room_id)
        room = Room(room_id, self._store)
        arrivals = [p for seat, person in enumerate(people, 1) for p in _arrival(person, seat, design)]
        async with self._loading.setdefault(room_id, asyncio.Lock()):  # `_adopt` may see it before it is started
            await room.open([opened, *arrivals])
            running = self._start(room) if node_id == here else None
        for person in people:
            await self._place(person, room_id, running, practice=practice)
        if running is None:
            with contextlib.suppress(ParleyError):  # its first page would start it too
                await self._at("run", room_id)
        log.info("room opened", room=room_id, deliberation=deliberation_id, people=len(people), practice=practice)
        return room_id

    async def fill(self, room_id: str, person: ParticipantRecord) -> None:
        """Give a late joiner an open place in a room. Raises `Conflict("room_full")`."""
        await self._at("admit", room_id, participant_id=person.participant_id)
        await self._place(person, room_id, self._rooms.get(room_id))

    async def _place(
        self, person: ParticipantRecord, room_id: str, running: Running | None, *, practice: bool = False
    ) -> None:
        """Note where somebody sits and take their page there; out of a practice room first, which is then over.

        To a room of another node (`running` None) the page finds its way by itself.
        """
        page = self._pages.get(person.participant_id)
        if practice and page is not None and page.seat is not None and page.seat.running is not None:
            return  # a real group was formed with them meanwhile
        await self._store.set_room(person.participant_id, room_id)
        lobby = self._lobbies.get(person.deliberation_id)
        if lobby is not None and not practice:
            lobby.forget(person.participant_id)
        page = self._pages.get(person.participant_id)
        if page is None or page.seat is None:
            return
        if page.seat.running is None and running is not None:
            self._seat(page, running)
            return
        earlier = page.seat.running.room if page.seat.running is not None else None
        page.end("moved")
        if earlier is not None and earlier.state.practice and earlier.state.open:
            with contextlib.suppress(ParleyError):  # it ends by itself then, with nobody in it
                await earlier.add([RoomClosed(reason="merged")], SYSTEM)

    async def practice(self, page: Page) -> None:
        """Put somebody who waits alone into a practice room with a simulated partner; they go on waiting for a real group meanwhile."""
        assert page.participant_id is not None and page.seat is not None
        deliberation_id = page.seat.deliberation_id
        if not (await self.design(deliberation_id)).practice:
            raise NotAllowed("no_practice", "This deliberation has no practice room.")
        me = await self._store.participant(page.participant_id)
        partner = ParticipantRecord(
            participant_id=new_id(),
            deliberation_id=deliberation_id,
            joined_at=now(),
            name="Practice partner",
            language=me.language,
            consent={"take_part": True, "record": False, "quote": False},
            consent_version="simulated",
            simulated=True,
        )
        await self._store.add_participant(partner)
        await self.form(deliberation_id, [me, partner], practice=True)
        await self._start_partner(partner.participant_id, deliberation_id)

    # -- what facilitators and people themselves do over HTTP (`LiveRooms`)

    def state(self, room_id: str) -> RoomState | None:
        """Return the state of a room that runs here."""
        running = self._rooms.get(room_id)
        return running.room.state if running else None

    async def move(self, participant_id: str, room_id: str) -> None:
        """Move a person to another room of the same deliberation."""
        person = await self._store.participant(participant_id)
        if (await self._store.room(room_id)).deliberation_id != person.deliberation_id:
            raise NotFound("no_such_room", "There is no such room in this deliberation.")
        if person.room_id == room_id:
            return
        await self._at("admit", room_id, participant_id=participant_id)
        if person.room_id is not None:
            await self._at("dismiss", person.room_id, participant_id=participant_id)
        await self._store.set_room(participant_id, room_id)
        await self._end_pages("moved", participant_id=participant_id)

    async def drop_link(self, link_id: str) -> None:
        """End the pages that were opened with a link that is revoked now."""
        await self._end_pages("revoked", link_id=link_id)

    async def withdraw(self, participant_id: str) -> None:
        """Erase a person's words from their room as the design provides, and end their page."""
        await self.erase_everywhere(participant_id)
        await self._end_pages("left", participant_id=participant_id)

    async def erase_everywhere(self, participant_id: str) -> None:
        """Have every room that a person was ever in erase their words, from what it holds in memory too."""
        for room_id in await self._store.rooms_of(participant_id):
            await self._at("withdraw", room_id, participant_id=participant_id)

    async def command(self, deliberation_id: str, room_id: str, actor: Actor, command: FacilitatorCommand) -> None:
        """Carry out a facilitator's command in any room of their deliberation."""
        await self._at(
            "command",
            room_id,
            deliberation_id=deliberation_id,
            actor=[actor.id, actor.role],
            command=command.model_dump(mode="json"),
        )

    async def _end_pages(self, reason: str, **whose: str) -> None:
        message: Message = {"reason": reason, **whose}
        self._on_pages(PAGES, message)
        if self._bus is not None:
            with contextlib.suppress(ParleyError):
                await self._bus.publish(PAGES, message)

    def _on_pages(self, _topic: str, message: Message) -> None:
        if "participant_id" in message:
            page = self._pages.get(message["participant_id"])
            if page is not None:
                page.end(message["reason"])
            return
        pages = {id(page): page for page in (*self._pages.values(), *self.overviews.pages)}
        for running in self.rooms:
            pages |= {id(a): a for a in running.room.attendees}
        for attendee in pages.values():
            link = getattr(attendee, "link", None)
            if link is not None and link.link_id == message["link_id"]:
                _end(attendee, message["reason"])

    # -- what is done on a room's own node, asked for by any (`calls`)

    async def _run_here(self, room_id: str) -> None:
        await self.running(room_id)

    async def _admit_here(self, room_id: str, participant_id: str) -> None:
        """Give somebody a place, or the one they had. Raises `Conflict("room_full")`."""
        running = await self.running(room_id)
        person = await self._store.participant(participant_id)
        if person.withdrawn_at is not None:
            raise Conflict("withdrawn", "This person has withdrawn from the deliberation.")
        await running.room.ask(lambda state: _admission(state, person))

    async def _dismiss_here(self, room_id: str, participant_id: str) -> None:
        """Note that somebody was moved away."""
        room = (await self.running(room_id)).room
        if participant_id in room.state.voters:
            await room.add([MemberLeft(participant_id=participant_id, reason="moved")], SYSTEM)

    async def _withdraw_here(self, room_id: str, participant_id: str) -> None:
        room = (await self.running(room_id)).room
        await room.ask(lambda state: _withdrawal(state, participant_id), participant_id)

    async def _command_here(
        self, room_id: str, deliberation_id: str, actor: tuple[str, Role], command: Mapping[str, Any]
    ) -> None:
        running = await self.running(room_id)
        if running.room.state.deliberation_id != deliberation_id:
            raise NotFound("no_such_room", "There is no such room in this deliberation.")
        wanted = _COMMAND.validate_python(command)
        member_id, role = actor
        await running.room.do(Actor(member_id, role), wanted)
        if isinstance(wanted, Listen) and wanted.state == "gone":
            await running.media.disconnect(member_id)

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


def _end(attendee: Attendee, reason: str) -> None:
    end = getattr(attendee, "end", None)
    if end is not None:
        end(reason)


def _admission(state: RoomState, person: ParticipantRecord) -> list[Payload]:
    """Return what gives somebody a place. Raises `Conflict("room_full")`."""
    member = state.members.get(person.participant_id)
    others = [m for m in state.seated if m is not member]
    if not state.open or len(others) >= state.plan.groups.max_size:
        raise Conflict("room_full", "That room is over, or has no free place.")
    if member is not None:
        return [MemberReturned(participant_id=person.participant_id)]
    return _arrival(person, _next_seat(state), state.plan)


def _withdrawal(state: RoomState, participant_id: str) -> list[Payload]:
    """Return what takes somebody's consent back; nothing where that has been done, or they never sat here."""
    member = state.members.get(participant_id)
    if member is None:
        return []
    left: list[Payload] = [MemberLeft(participant_id=participant_id, reason="withdrew")]
    if member.consent.get("take_part") is False:
        return left if member.presence != "left" else []
    taken_back = ConsentWithdrawn(participant_id=participant_id, items=("take_part", "record", "quote"))
    return [taken_back, *(left if member.presence != "left" else [])]


def _cut_off(state: RoomState) -> list[Payload]:
    """Return the ends of what a server that died could not end: speech, recordings, facilitators who listened in."""
    if not state.open:
        return []
    return [
        *(
            SpeechEnded(participant_id=p, started_at=since, ended_at=max(since, state.at))
            for p, since in state.speaking.items()
        ),
        *(RecordingChanged(participant_id=p, recording=False) for p in sorted(state.recording)),
        *(ListenerChanged(listener_id=k, name=v.name, state="gone") for k, v in state.listeners.items()),
    ]


def _next_seat(state: RoomState) -> int:
    return 1 + max((member.seat for member in state.members.values()), default=0)


def _arrival(person: ParticipantRecord, seat: int, design: Design) -> list[Payload]:
    """Return what is recorded when somebody takes a seat: who, what they agreed to, how they answered the opening poll."""
    payloads: list[Payload] = [
        MemberJoined(
            participant_id=person.participant_id,
            seat=seat,
            name=person.name,
            language=person.language,
            segments=dict(person.segments),
            mode=person.mode,
            cohort=person.cohort,
            simulated=person.simulated,
        ),
        ConsentGiven(
            participant_id=person.participant_id,
            items=dict(person.consent),
            version=person.consent_version,
            language=person.language,
        ),
    ]
    scales = {question.id: question.scale for question in design.poll}
    answers = {q: v for q, v in person.answers.items() if 1 <= v <= scales.get(q, 0)}  # the poll may have changed since
    if answers:
        state = RoomState(design=design)
        command = AnswerPoll(poll="opening", answers=answers)
        payloads.append(poll_answered(state, person.participant_id, command))
    return payloads
