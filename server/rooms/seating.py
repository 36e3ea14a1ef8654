"""Who sits where: pages and the seats they hold, lobbies and the groups formed out of them, late joiners, moves and withdrawals.

Called by the signalling handlers, by lobbies, and by the HTTP API (as `LiveRooms`). Owns the pages and the lobbies of this node; rooms are the
registry's, and what concerns a room of another node is done there, by the methods in `calls`.

Invariants: a participant has at most one page (a newcomer needs `takeover`); a person who comes back goes to the room they were seated in.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from deliberation.commands import AnswerPoll
from deliberation.decisions import poll_answered
from deliberation.design import Design
from deliberation.errors import Conflict, NotAllowed, NotFound, ParleyError, TooMany
from deliberation.events import (
    SYSTEM,
    ConsentGiven,
    ConsentWithdrawn,
    MemberJoined,
    MemberLeft,
    MemberReturned,
    Payload,
    RoomClosed,
    RoomOpened,
)
from deliberation.state import RoomState
from server.bus import Bus, Message
from server.clock import now
from server.ids import new_id
from server.rooms.attendance import Attendee, end
from server.rooms.lobby import Lobby
from server.rooms.placement import lobby_key
from server.rooms.room import Room
from server.rooms.rounds import Past, goes_on
from server.storage.records import ParticipantRecord
from server.storage.store import Store

if TYPE_CHECKING:
    from server.rooms.registry import Registry, Running

log = structlog.get_logger()

PRACTICE_ROOMS = 16  # at a time on one node: each has a process for its partner
PAGES = "pages"  # topic: pages to end, on whichever node they are


class Page(Attendee, Protocol):
    """A session, as its seat sees it."""

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


class Partner(Protocol):
    """Starts a simulated partner for a practice room."""

    async def __call__(self, participant_id: str, deliberation_id: str) -> None:
        """Raise `practice_busy` where there are too many."""
        ...


def practice_busy() -> TooMany:
    """Return the refusal of one more practice room."""
    return TooMany("practice_busy", "All practice partners are busy just now.", "You go on waiting for your group; try again in a minute.")


class Seating:
    """One node's pages and lobbies."""

    def __init__(self, registry: Registry, store: Store, start_partner: Partner, bus: Bus | None = None) -> None:
        """`bus` is needed where pages may be at other nodes."""
        self._registry = registry
        self._store = store
        self._start_partner = start_partner
        self._bus = bus
        self._pages: dict[str, Page] = {}
        self._lobbies: dict[str, Lobby] = {}
        self._pasts: dict[str, Past] = {}
        self.calls: dict[str, Callable[..., Awaitable[Any]]] = {
            "admit": self._admit_here,
            "dismiss": self._dismiss_here,
            "withdraw": self._withdraw_here,
            "begin": self._begin_here,
            "rebalance": self._rebalance_here,
        }

    def start(self) -> None:
        """Hear of pages that other nodes want ended."""
        if self._bus is not None:
            self._bus.subscribe(PAGES, self._on_pages)

    def stop(self) -> None:
        """Tell all pages to come back later; end the lobbies."""
        for page in tuple(self._pages.values()):
            page.end("stopping")
        for lobby in self._lobbies.values():
            lobby.stop()

    def lose_lobby(self, deliberation_id: str) -> None:
        """Let go of a lobby that another node has taken; its pages come back and are led there."""
        lobby = self._lobbies.pop(deliberation_id, None)
        if lobby is None:
            return
        lobby.stop()
        for page in tuple(self._pages.values()):
            if page.seat is not None and page.seat.running is None and page.seat.deliberation_id == deliberation_id:
                page.end("moved")

    # -- pages

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
        ahead = await self.ahead(record)
        if ahead is not None:
            self._wait(page, record, await self._lobby(deliberation_id), ahead)
            return
        running = await self._registry.running(record.room_id) if record.room_id is not None else None
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
        self._registry.overviews.remove(page)

    def holds(self, page: Attendee) -> bool:
        """Say whether this page has its participant's seat still."""
        return page.participant_id is not None and self._pages.get(page.participant_id) is page

    def send_back(self, page: Attendee) -> None:
        """Have a page come back in a moment, to be led to where its participant sits by then."""
        end(page, "stopping")

    def waiting(self, deliberation_id: str) -> int:
        """Return how many people wait for a group."""
        lobby = self._lobbies.get(deliberation_id)
        return len(lobby.waiting) if lobby else 0

    async def _lobby(self, deliberation_id: str) -> Lobby:
        lobby = self._lobbies.get(deliberation_id)
        if lobby is None:
            record = await self._store.deliberation(deliberation_id)
            await self._registry.placement.hold(lobby_key(deliberation_id))
            lobby = self._lobbies.get(deliberation_id) or Lobby(
                deliberation_id, record.design, self._registry, self, self.past(deliberation_id)
            )
            if deliberation_id not in self._lobbies:
                self._lobbies[deliberation_id] = lobby
                self._registry.spawn(lobby.run())
        return lobby

    async def ahead(self, person: ParticipantRecord) -> int | None:
        """Return the round that somebody waits for whose room of an earlier one is over."""
        if person.room_id is None:
            return None
        return await self.past(person.deliberation_id).next_round(person.participant_id, person.room_id)

    def past(self, deliberation_id: str) -> Past:
        """Return what is known of a deliberation's earlier rounds."""
        return self._pasts.setdefault(deliberation_id, Past(deliberation_id, self._store))

    def round_over(self, room: Room) -> None:
        """Take the pages of those who have another round ahead back to the lobby: they come back at once, and `enter` lets them wait."""
        for attendee in room.attendees:
            if attendee.participant_id is not None and goes_on(room.state, attendee.participant_id):
                end(attendee, "moved")

    # -- groups (called by lobbies)

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
        people = [p for p in [await self._store.participant(p.participant_id) for p in people] if p.withdrawn_at is None]
        room_id = new_id()
        number = 1 + len([r for r in await self._store.rooms(deliberation_id) if r.meeting])
        seed = int.from_bytes(room_id.encode()[-4:])
        arms = design.facilitation.arms
        opened = RoomOpened(
            deliberation_id=deliberation_id,
            room_id=room_id,
            number=0 if practice else number,
            round=round_,
            design=design.model_dump(mode="json"),
            arm=arms[random.Random(seed).randrange(len(arms))].name if arms and not practice else "",
            seed=seed,
            practice=practice,
        )
        arrivals = [p for seat, person in enumerate(people, 1) for p in arrival(person, seat, design)]
        running = await self._registry.open(room_id, [opened, *arrivals], here=practice)
        for person in people:
            await self._place(person, room_id, running, practice=practice)
            await self._withdrawn_meanwhile(person.participant_id, room_id)
        if running is None:
            with contextlib.suppress(ParleyError):  # its first page would start it too
                await self._registry.at("run", room_id)
        log.info("room opened", room=room_id, deliberation=deliberation_id, people=len(people), practice=practice)
        return room_id

    async def fill(self, room_id: str, person: ParticipantRecord) -> None:
        """Give a late joiner an open place in a room. Raises `Conflict("room_full")`."""
        await self._registry.at("admit", room_id, participant_id=person.participant_id)
        await self._place(person, room_id, self._registry.here(room_id))
        await self._withdrawn_meanwhile(person.participant_id, room_id)

    async def _withdrawn_meanwhile(self, participant_id: str, room_id: str) -> None:
        """Take out again who withdrew while they were given a seat: the withdrawal cannot have known of this room."""
        if (await self._store.participant(participant_id)).withdrawn_at is not None:
            await self._registry.at("withdraw", room_id, participant_id=participant_id)

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
        me = await self._store.participant(page.participant_id)
        if not (me.simulated or (await self._registry.design(deliberation_id)).practice):
            raise NotAllowed("no_practice", "This deliberation has no practice room.")
        if sum(running.room.state.practice and running.room.state.open for running in self._registry.rooms) >= PRACTICE_ROOMS:
            raise practice_busy()
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

    # -- moves and withdrawals

    async def move(self, participant_id: str, room_id: str) -> None:
        """Move a person to another room of the same deliberation."""
        person = await self._store.participant(participant_id)
        if (await self._store.room(room_id)).deliberation_id != person.deliberation_id:
            raise NotFound("no_such_room", "There is no such room in this deliberation.")
        if person.room_id == room_id:
            return
        await self._registry.at("admit", room_id, participant_id=participant_id)
        if person.room_id is not None:
            await self._registry.at("dismiss", person.room_id, participant_id=participant_id)
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
        surveys = {r.room_id for r in await self._store.rooms((await self._store.participant(participant_id)).deliberation_id) if r.survey}
        for room_id in await self._store.rooms_of(participant_id):
            if room_id in surveys:
                continue  # the store's to erase: it runs nowhere
            await self._registry.at("withdraw", room_id, participant_id=participant_id)

    async def begin(self, deliberation_id: str) -> int:
        """Have groups formed at once of those who wait; return how many wait."""
        return int(await self._registry.at_lobby("begin", deliberation_id))

    async def rebalance(self, deliberation_id: str) -> int:
        """Dissolve groups that have become too small into others; return how many people were moved."""
        return int(await self._registry.at_lobby("rebalance", deliberation_id))

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
        pages = {id(page): page for page in (*self._pages.values(), *self._registry.overviews.pages)}
        for running in self._registry.rooms:
            pages |= {id(a): a for a in running.room.attendees}
        for attendee in pages.values():
            link = getattr(attendee, "link", None)
            if link is not None and link.link_id == message["link_id"]:
                end(attendee, message["reason"])

    # -- what is done on a room's own node, asked for by any (`calls`)

    async def _begin_here(self, room_id: str) -> int:
        return (await self._lobby(room_id)).begin()  # these two are asked of a lobby: the id is its deliberation's

    async def _rebalance_here(self, room_id: str) -> int:
        return await (await self._lobby(room_id)).rebalance()

    async def _admit_here(self, room_id: str, participant_id: str) -> None:
        """Give somebody a place, or the one they had. Raises `Conflict("room_full")`."""
        running = await self._registry.running(room_id)
        person = await self._store.participant(participant_id)
        if person.withdrawn_at is not None:
            raise Conflict("withdrawn", "This person has withdrawn from the deliberation.")
        await running.room.ask(lambda state: _admission(state, person))

    async def _dismiss_here(self, room_id: str, participant_id: str) -> None:
        """Note that somebody was moved away."""
        room = (await self._registry.running(room_id)).room
        if participant_id in room.state.voters:
            await room.add([MemberLeft(participant_id=participant_id, reason="moved")], SYSTEM)

    async def _withdraw_here(self, room_id: str, participant_id: str) -> None:
        room = (await self._registry.running(room_id)).room
        await room.ask(lambda state: _withdrawal(state, participant_id), participant_id)


def _admission(state: RoomState, person: ParticipantRecord) -> list[Payload]:
    """Return what gives somebody a place. Raises `Conflict("room_full")`."""
    member = state.members.get(person.participant_id)
    others = [m for m in state.seated if m is not member]
    if not state.open or len(others) >= state.plan.groups.max_size:
        raise Conflict("room_full", "That room is over, or has no free place.")
    if member is not None:
        return [MemberReturned(participant_id=person.participant_id)]
    return arrival(person, _next_seat(state), state.plan)


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


def _next_seat(state: RoomState) -> int:
    return 1 + max((member.seat for member in state.members.values()), default=0)


def arrival(person: ParticipantRecord, seat: int, design: Design) -> list[Payload]:
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
