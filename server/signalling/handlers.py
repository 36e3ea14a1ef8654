"""What each message of a page does: the seam between sockets and rooms.

Called by sessions; calls the registry and the rooms. One method per message, all refusals are `ParleyError`s.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import Protocol

from deliberation.command import Actor
from deliberation.commands import FacilitatorCommand, Leave, Listen
from deliberation.errors import Conflict, InvalidInput, NotAllowed, ParleyError
from server import metrics
from server.clock import now
from server.http.auth import Link
from server.media.negotiation import offers_to_send
from server.rooms.media import RoomMedia
from server.rooms.registry import Registry
from server.rooms.seating import Page, Seat
from server.signalling.messages import (
    Ack,
    ClientMessage,
    Do,
    Hello,
    IceServer,
    MediaAnswer,
    MediaCandidate,
    MediaOffer,
    MediaState,
    MediaWant,
    Ping,
    Pong,
    PracticeRequest,
    Welcome,
)


class GuestPage(Page, Protocol):
    """What handlers need of a session."""

    hello: Hello | None
    link: Link | None
    devices: tuple[bool, bool]


class Handlers:
    """Serves all sessions of one node."""

    def __init__(
        self,
        registry: Registry,
        verify: Callable[[str], Awaitable[Link]],
        ice_servers: Callable[[], tuple[IceServer, ...]],
    ) -> None:
        self._registry = registry
        self._verify = verify
        self._ice_servers = ice_servers

    async def elsewhere(self, hello: Hello) -> str | None:
        """Return the node that a page is to be led to; None where it is this one, or where `hello` will refuse it."""
        placement = self._registry.placement
        if placement.is_alone:
            return None
        link = await self._verify(hello.token)
        if link.role in ("researcher", "invitation"):
            return None
        node_id = await placement.owner(await self._registry.home(link, hello.room_id))
        return None if node_id == placement.node_id else node_id

    async def hello(self, page: GuestPage, hello: Hello) -> None:
        """Let a page in: into its room, the lobby, a watched room, or the overview."""
        if page.seat is not None:
            raise Conflict("hello_twice", "This socket has said hello already.")
        link = await self._verify(hello.token)
        if link.seat_role == "researcher":
            raise NotAllowed("role_not_allowed", "This link opens the review page, not the rooms.")
        if link.participant_id is not None and hello.room_id is not None:
            raise NotAllowed("role_not_allowed", "Only facilitators choose a room.")
        deliberation_id = await self._registry.deliberation_of(link, hello.room_id)
        page.link, page.hello = link, hello
        try:
            if link.participant_id is not None:
                self._registry.seating.claim(page, takeover=hello.takeover)
            page.send(await self._welcome(link, deliberation_id))
            page.seat = Seat(deliberation_id)
            if link.participant_id is not None:
                await self._registry.seating.enter(page, deliberation_id)
            elif hello.room_id is not None:
                running = await self._registry.running(hello.room_id)
                page.seat.running = running
                running.room.attach(page, hello.last_seq)
            else:
                await self._registry.watch(page, deliberation_id)
            metrics.SOCKETS.labels(role=page.role).inc()
        except Exception:
            await self._registry.seating.leave(page)
            if page.seat is not None and page.seat.running is not None:
                page.seat.running.room.detach(page)
            page.link = page.hello = page.seat = None
            raise

    async def _welcome(self, link: Link, deliberation_id: str) -> Welcome:
        design = await self._registry.design(deliberation_id)
        return Welcome(
            role=link.seat_role,
            participant_id=link.participant_id,
            server_time=now(),
            ice_servers=self._ice_servers(),
            slots=design.groups.max_size - 1 if link.participant_id else design.groups.max_size,
        )

    async def gone(self, page: GuestPage) -> None:
        """Forget a page that has closed."""
        if page.seat is None:
            return
        metrics.SOCKETS.labels(role=page.role).dec()
        running = page.seat.running
        await self._registry.seating.leave(page)
        if running is not None:
            room = running.room
            room.detach(page)
            if page.participant_id is None and page.member_id in room.state.listeners and room.state.open:
                with contextlib.suppress(ParleyError):  # a room that ends now, or starts anew, forgets who listened
                    await room.do(_actor(page), Listen(state="gone"))
            if not any(other.member_id == page.member_id for other in running.room.attendees):
                await running.media.disconnect(page.member_id)

    async def handle(self, page: GuestPage, message: ClientMessage) -> None:
        """Carry out one message of a page that has said hello."""
        match message:
            case Ping():
                if page.participant_id is not None and page.seat and page.seat.running:
                    page.seat.running.room.attendance.seen(page.participant_id, now())
                page.send(Pong(sent_at=message.sent_at, server_time=now()))
            case Do():
                await self._do(page, message)
            case MediaOffer():
                media, member_id = self._media(page)
                self._may_send(page, message.sdp)
                answer = await media.connect(member_id, message.sdp)
                try:
                    self._media(page)
                    self._may_send(page, message.sdp)
                except ParleyError:  # they left, or were removed, while this was made
                    await media.disconnect(member_id)
                    raise
                page.send(MediaAnswer(id=message.id, sdp=answer))
            case MediaCandidate():
                media, member_id = self._media(page)
                await media.candidate(member_id, message.candidate, message.mid)
            case MediaState():
                page.devices = (message.microphone, message.camera)
                if page.participant_id is None or page.seat is None or page.seat.running is None:
                    return
                room = page.seat.running.room
                presence = room.attendance.of(page.participant_id, now())
                presence.microphone, presence.camera = message.microphone, message.camera
                room.tell_live()
            case MediaWant():
                media, member_id = self._media(page)
                media.want(member_id, message.video)
            case PracticeRequest():
                if page.participant_id is None or page.seat is None or page.seat.running is not None:
                    raise Conflict("not_waiting", "A practice room is for those who wait for a group.")
                await self._registry.seating.practice(page)
            case _:
                raise Conflict("hello_twice", "This socket has said hello already.")

    def _media(self, page: GuestPage) -> tuple[RoomMedia, str]:
        if page.seat is None or page.seat.running is None:
            raise Conflict("no_room", "You are not in a room yet.")
        room = page.seat.running.room
        if not room.state.open:
            raise Conflict("room_closed", "This room is over.")
        if page.participant_id is None and page.member_id not in room.state.listeners:
            raise NotAllowed("listen_first", "Announce that you are listening in first.")
        if page.participant_id is not None and room.state.members[page.participant_id].presence == "left":
            raise NotAllowed("left_room", "You have left this room.")
        return page.seat.running.media, page.member_id

    def _may_send(self, page: GuestPage, sdp: str) -> None:
        """Raise `NotAllowed` where a facilitator who listens in would send sound or pictures: speaking is announced first."""
        if page.participant_id is None and page.seat is not None and page.seat.running is not None:
            listener = page.seat.running.room.state.listeners.get(page.member_id)
            if (listener is None or listener.state != "speaking") and offers_to_send(sdp):
                raise NotAllowed("speak_first", "Announce that you are speaking first.")

    async def _do(self, page: GuestPage, message: Do) -> None:
        seat = page.seat
        assert seat is not None
        if page.participant_id is not None:
            if message.room_ids:
                raise NotAllowed("role_not_allowed", "Only facilitators name rooms.")
            if seat.running is None:
                raise Conflict("no_room", "You are not in a room yet.")
            await seat.running.room.do(_actor(page), message.command)
            if isinstance(message.command, Leave) and message.command.erase:
                await self._registry.seating.erase_everywhere(page.participant_id)  # rooms of earlier rounds hold words too
            page.send(Ack(id=message.id))
            return
        if not isinstance(message.command, FacilitatorCommand):
            raise NotAllowed("role_not_allowed", f"Your link does not allow “{message.command.type}”.")
        room_ids = message.room_ids
        if not room_ids:
            if seat.running is None:
                raise InvalidInput("no_room", "Name at least one room.")
            room_ids = (seat.running.room.room_id,)
        for room_id in room_ids:
            await self._registry.in_deliberation(room_id, seat.deliberation_id)
        for room_id in room_ids:
            await self._registry.command(seat.deliberation_id, room_id, _actor(page), message.command)
        page.send(Ack(id=message.id))


def _actor(page: GuestPage) -> Actor:
    assert page.link is not None
    return Actor(page.participant_id or page.member_id, page.role)
