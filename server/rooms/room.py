"""One room: its owner task takes requests, stores the events they lead to, folds them, and tells everyone.

Nothing else changes a room's state. Media, transcription, recording and facilitation hang off it and may each fail without taking the room
along; what they produce comes in through the same inbox as people's commands. Called by the registry (life), by sessions (attendees, commands)
and by its own tasks.

Invariants: an event is stored before anybody sees it; `events` is the stored log (with what was erased erased); a request is answered exactly
once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog

from deliberation import agenda, group_statement, turns
from deliberation.command import Actor
from deliberation.commands import Command
from deliberation.consent import Erasure, erased, erasures_of
from deliberation.decisions import decide
from deliberation.errors import Conflict, ParleyError, Unavailable
from deliberation.events import (
    AI,
    SYSTEM,
    AiCalled,
    Event,
    InterventionMade,
    Payload,
)
from deliberation.room import fold_all
from deliberation.state import RoomState
from deliberation.view import merge_patch, room_view, visible_event
from server import metrics
from server.clock import now as clock_now
from server.ids import new_id
from server.rooms.attendance import Attendance, Attendee
from server.signalling.messages import Live, ServerMessage, Update

log = structlog.get_logger()

INBOX = 1000  # requests waiting; beyond it commands are refused (`room_busy`) and the room's own work waits
TICK_SECONDS = 1.0
WIND_UP_SECONDS = 6.0  # while the server stops; a room that is over may take longer
LAST_WORDS_SECONDS = 900.0
MAX_FOLLOW_UPS = 20  # events that clocks and rules may chain onto one request


class Log(Protocol):
    """Where events are kept; the store implements it."""

    async def append(self, room_id: str, first_seq: int, events: Sequence[Event]) -> None:
        """Store events in one transaction, erasing what they erase."""
        ...


class Facilitator(Protocol):
    """What a room needs of its facilitator."""

    def tick(self, state: RoomState, now: float, last_seen: Mapping[str, float]) -> list[Payload]:
        """Return what the rules want to happen at `now`; `last_seen` is when each member last gave a sign of life."""
        ...

    def observe(self, state: RoomState) -> None:
        """Take note of the newest state, for slow work."""
        ...

    async def run(self) -> None:
        """Do the slow work until cancelled."""
        ...


class Part(Protocol):
    """Something that lives beside the room: transcription, media, recording."""

    async def run(self) -> None:
        """Work until cancelled."""
        ...

    def on_events(self, events: Sequence[Event], state: RoomState) -> None:
        """React to what has happened; never blocks."""
        ...

    async def close(self) -> None:
        """Flush and free."""
        ...


@dataclass(slots=True)
class _Request:
    make: Callable[[RoomState, float], list[Payload]]
    actor: str
    done: asyncio.Future[None] | None


@dataclass(slots=True)
class _Viewer:
    attendee: Attendee
    seq: int = 0
    view: dict[str, Any] = field(default_factory=dict)


class Room:
    """A running room. Make it with its stored log (empty for a new one), then `run` it in a task of its owner."""

    def __init__(self, room_id: str, log_store: Log, events: Sequence[Event] = ()) -> None:
        self.room_id = room_id
        self.events: list[Event] = list(events)
        self.state = fold_all(self.events)
        self._erasures = [e for event in self.events for e in self._erased_by(event)]
        self._served_since = clock_now()
        self.attendance = Attendance()
        self.facilitator: Facilitator | None = None
        self.parts: list[Part] = []
        self._log = log_store
        self._inbox: asyncio.Queue[_Request] = asyncio.Queue(INBOX)
        self._owed: deque[tuple[Payload, str]] = deque()
        self._viewers: list[_Viewer] = []
        self._live_sent: dict[str, Any] = {}
        self._closing = asyncio.Event()  # the owner task is to end
        self._over = asyncio.Event()  # the deliberation is over; the room still answers

    # -- what others call

    async def open(self, payloads: Sequence[Payload]) -> None:
        """Store a new room's first events, before its owner task runs."""
        assert self.state.seq == 0, "a room is opened once"
        await self._append(payloads, SYSTEM, clock_now())

    async def do(self, actor: Actor, command: Command) -> None:
        """Carry out a member's command. Returns when its events are stored; raises the `ParleyError` that refuses it."""
        self.attendance.seen(actor.id, clock_now())
        await self._ask(lambda state, at: decide(state, actor, command, at, new_id), actor.id)

    async def add(self, payloads: Sequence[Payload], actor: str = SYSTEM) -> None:
        """Append what the server itself or the AI has to add. Raises `Unavailable` when it cannot be stored."""
        await self._ask(lambda _state, _at: list(payloads), actor)

    async def ask(self, make: Callable[[RoomState], Sequence[Payload]], actor: str = SYSTEM) -> None:
        """Append what `make` finds right in the state of that moment. Raises the `ParleyError` that it refuses with."""
        await self._ask(lambda state, _at: list(make(state)), actor)

    def owe(self, payload: Payload, actor: str = SYSTEM) -> None:
        """Append something that must not be lost (recognised words, say): stored as soon as the store can."""
        self._owed.append((payload, actor))
        self._nudge()

    def attach(self, attendee: Attendee, last_seq: int = 0) -> None:
        """Let an attendee see the room: the whole view now, the events it missed since `last_seq`, then every change."""
        moment = clock_now()
        if attendee.participant_id is not None:
            presence = self.attendance.of(attendee.participant_id, moment)
            presence.sockets += 1
            presence.seen_at = moment
            presence.microphone, presence.camera = attendee.devices
        viewer = _Viewer(attendee)
        self._viewers.append(viewer)
        self._show(viewer, self.events[last_seq:] if 0 < last_seq <= len(self.events) else [])
        attendee.send(Live(members=dict(self.attendance.view(self.state))))
        self.tell_live()
        self._nudge()

    def detach(self, attendee: Attendee) -> None:
        """Forget an attendee. Its seat stays; after a while without a sign of life it counts as away."""
        before = len(self._viewers)
        self._viewers = [viewer for viewer in self._viewers if viewer.attendee is not attendee]
        if attendee.participant_id is not None and len(self._viewers) < before:
            presence = self.attendance.of(attendee.participant_id, clock_now())
            presence.sockets = max(0, presence.sockets - 1)
            if presence.sockets == 0:
                presence.connection = "disconnected"
                self.tell_live()

    @property
    def attendees(self) -> tuple[Attendee, ...]:
        """Everybody who sees the room now."""
        return tuple(viewer.attendee for viewer in self._viewers)

    def broadcast(self, message: ServerMessage) -> None:
        """Send something ephemeral to everybody but those who have left the room."""
        for viewer in self._viewers:
            member = self.state.members.get(viewer.attendee.participant_id or "")
            if member is None or member.presence != "left":
                viewer.attendee.send(message)

    def tell_live(self) -> None:
        """Send everybody the members' devices and connections, if they changed."""
        members = dict(self.attendance.view(self.state))
        if members != self._live_sent:
            self._live_sent = members
            self.broadcast(Live(members=members))

    async def run(self) -> None:
        """Own the room until `stop`, or until cancelled; then flush what its parts still hold."""
        async with asyncio.TaskGroup() as group:
            beside = [group.create_task(self._guard(part.run, type(part).__name__)) for part in self.parts]
            if self.facilitator is not None:
                beside.append(group.create_task(self._guard(self.facilitator.run, "facilitator")))
            winding_up = group.create_task(self._wind_up())
            try:
                await self._serve()
            finally:
                self._over.set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(WIND_UP_SECONDS):
                    await winding_up
            for task in beside:
                task.cancel()
        await self._settle_owed()

    def stop(self) -> None:
        """Ask the owner task to finish what it has and end."""
        self._closing.set()
        self._nudge()

    # -- the owner task

    async def _ask(self, make: Callable[[RoomState, float], list[Payload]], actor: str) -> None:
        if self._closing.is_set():
            raise _restarting()
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            self._inbox.put_nowait(_Request(make, actor, done))
        except asyncio.QueueFull:
            raise Unavailable("room_busy", "This room is too busy right now; please try again.") from None
        await done

    def _nudge(self) -> None:
        with contextlib.suppress(asyncio.QueueFull):
            self._inbox.put_nowait(_Request(lambda _state, _at: [], SYSTEM, None))

    async def _serve(self) -> None:
        try:
            while not self._closing.is_set():
                try:
                    async with asyncio.timeout(TICK_SECONDS):
                        request = await self._inbox.get()
                except TimeoutError:
                    request = _Request(lambda _state, _at: [], SYSTEM, None)
                refused = await self._tried(self._carry_out(request))
                await self._tried(self._go_on())  # its failure does not undo what was asked for, and is not answered
                self._answer(request, refused)
        finally:
            self._closing.set()
            while not self._inbox.empty():
                self._answer(self._inbox.get_nowait(), _restarting())

    async def _tried(self, work: Coroutine[Any, Any, None]) -> ParleyError | None:
        try:
            await work
        except ParleyError as error:
            return error
        except Exception:
            log.exception("room request failed", room=self.room_id)
            return Unavailable("internal", "Something went wrong on the server; nothing was changed.")
        return None

    @staticmethod
    def _answer(request: _Request, error: ParleyError | None) -> None:
        if request.done is None or request.done.done():
            return
        if error is None:
            request.done.set_result(None)
        else:
            request.done.set_exception(error)

    async def _carry_out(self, request: _Request) -> None:
        at = clock_now()
        await self._append(request.make(self.state, at), request.actor, at)

    async def _go_on(self) -> None:
        """Do what follows from the state and the clock, and show it."""
        try:
            await self._settle_owed()
            for _ in range(MAX_FOLLOW_UPS):
                follow = await self._follow(clock_now())
                if not follow:
                    break
        finally:
            self._flush()
            if not self.state.open:
                self._over.set()

    async def _follow(self, at: float) -> bool:
        if not self.state.open:
            return False
        for payloads, actor in (
            (self.attendance.due(self.state, at), SYSTEM),
            (agenda.due(self.state, at, self._served_since), SYSTEM),
            (turns.due(self.state, at), SYSTEM),
            (group_statement.due(self.state, at), SYSTEM),
            (self._rules(at), AI),
        ):
            if payloads:
                await self._append(payloads, actor, at)
                return True
        return False

    def _rules(self, at: float) -> list[Payload]:
        if self.facilitator is None:
            return []
        try:
            return self.facilitator.tick(self.state, at, self.attendance.last_seen())
        except Exception:
            metrics.FAILURES.labels(part="rules").inc()
            log.exception("facilitator rules failed", room=self.room_id)
            return []

    async def _settle_owed(self) -> None:
        while self._owed:
            payload, actor = self._owed[0]
            try:
                await self._append([payload], actor, clock_now())
            except Unavailable:
                return  # tried again at the next tick
            except Exception:
                log.exception("an event could not be added", room=self.room_id, kind=payload.kind)
            self._owed.popleft()

    async def _append(self, payloads: Sequence[Payload], actor: str, at: float) -> None:
        if not payloads:
            return
        first = self.state.seq + 1
        events = [Event(first + index, at, actor, payload) for index, payload in enumerate(payloads)]
        events = erased(events, self._erasures)  # words that come after their speaker has withdrawn are nobody's to see
        state = fold_all(events, self.state)
        try:
            await self._log.append(self.room_id, first, events)
        except Conflict:
            self._closing.set()  # the log is another than the one held here; the room is restored from it
            raise
        self.state = state
        self.events.extend(events)
        for event in events:
            _count(event)
            self._forget(event)
        if self.facilitator is not None:
            self.facilitator.observe(self.state)
        for part in self.parts:
            part.on_events(events, self.state)

    def _forget(self, event: Event) -> None:
        """Erase in memory what the store has just erased."""
        erasures = self._erased_by(event)
        if erasures:
            self._erasures += erasures
            self.events = erased(self.events, erasures)
            self.state = fold_all(self.events)

    def _erased_by(self, event: Event) -> tuple[Erasure, ...]:
        return erasures_of(event.payload, self.state.plan.privacy.on_withdraw)

    def _flush(self) -> None:
        for viewer in self._viewers:
            if viewer.seq < self.state.seq:
                self._show(viewer, self.events[viewer.seq :])
        self.tell_live()

    def _show(self, viewer: _Viewer, events: Sequence[Event]) -> None:
        attendee = viewer.attendee
        view = room_view(self.state, attendee.role, attendee.participant_id).model_dump(mode="json")
        seen = (visible_event(event, self.state, attendee.role, attendee.participant_id) for event in events)
        attendee.send(
            Update(
                room_id=self.room_id,
                from_seq=viewer.seq,
                seq=self.state.seq,
                events=tuple(event for event in seen if event is not None),
                patch=merge_patch(viewer.view, view),
            )
        )
        viewer.view = view
        viewer.seq = self.state.seq

    async def _wind_up(self) -> None:
        """Once the room is over, flush and free its parts; the last words come in through the inbox meanwhile."""
        await self._over.wait()
        await asyncio.gather(*(self._close(part) for part in self.parts))

    async def _close(self, part: Part) -> None:
        try:
            async with asyncio.timeout(LAST_WORDS_SECONDS):
                await part.close()
        except Exception:
            metrics.FAILURES.labels(part=type(part).__name__).inc()
            log.exception("a part of the room did not close", room=self.room_id, part=type(part).__name__)

    async def _guard(self, run: Callable[[], Any], name: str) -> None:
        """Run something beside the room; when it fails, say so and start it again after a moment."""
        while True:
            try:
                await run()
                return
            except asyncio.CancelledError:
                raise
            except Exception:
                metrics.FAILURES.labels(part=name).inc()
                log.exception("a part of the room failed; restarting it", room=self.room_id, part=name)
                await asyncio.sleep(1)


def _restarting() -> Unavailable:
    return Unavailable("room_restarting", "This room is being put away or restarted.", "Please try again in a moment.")


def _count(event: Event) -> None:
    metrics.EVENTS.labels(kind=event.kind).inc()
    match event.payload:
        case InterventionMade() as made:
            metrics.INTERVENTIONS.labels(rule=made.rule).inc()
        case AiCalled() as call:
            metrics.AI_CALLS.labels(purpose=call.purpose, outcome=call.outcome).inc()
