"""Who is in touch with a room right now: the Protocol an attendee speaks, and when each seat was last heard of.

Owns ephemeral presence only (sockets, devices, heartbeats); whether a member counts as away is an event, decided from this by `due`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from deliberation.events import MemberAway, MemberReturned, Payload
from deliberation.payload import Role
from deliberation.state import RoomState
from server.signalling.messages import LiveMember, ServerMessage


class Attendee(Protocol):
    """Anybody a room talks to: a page's socket, a monitor, a bot."""

    @property
    def role(self) -> Role:
        """What the attendee's link allows."""
        ...

    @property
    def member_id(self) -> str:
        """The participant's id; for facilitators an id of this page, unique in the room."""
        ...

    @property
    def participant_id(self) -> str | None:
        """The participant's id, None for others."""
        ...

    @property
    def devices(self) -> tuple[bool, bool]:
        """Whether microphone and camera are on, as last told; a page may tell before it has a room."""
        ...

    def send(self, message: ServerMessage) -> None:
        """Queue a message; never blocks. A slow attendee loses ephemeral messages, then the socket."""
        ...


def end(attendee: Attendee, reason: str) -> None:
    """Close an attendee that is a page: bye, for this reason."""
    close = getattr(attendee, "end", None)
    if close is not None:
        close(reason)


@dataclass(slots=True)
class Presence:
    """One member's devices, connection and last sign of life."""

    seen_at: float
    microphone: bool = False
    camera: bool = False
    connection: str = "new"
    sockets: int = 0

    def view(self) -> LiveMember:
        """Return the wire form."""
        return LiveMember(microphone=self.microphone, camera=self.camera, connection=self.connection)


@dataclass(slots=True)
class Attendance:
    """All members' presence in one room."""

    members: dict[str, Presence] = field(default_factory=dict)

    def of(self, member_id: str, now: float) -> Presence:
        """Return a member's presence, made when first asked for."""
        return self.members.setdefault(member_id, Presence(seen_at=now))

    def seen(self, member_id: str, now: float) -> None:
        """Note a sign of life: a heartbeat, a command, media."""
        self.of(member_id, now).seen_at = now

    def last_seen(self) -> dict[str, float]:
        """Return when each member last gave a sign of life."""
        return {member_id: presence.seen_at for member_id, presence in self.members.items()}

    def due(self, state: RoomState, now: float) -> list[Payload]:
        """Return who has gone away or come back.

        Away: no sign of life for the design's `absence.ask_seconds`, plus its grace while a socket is still open (a throttled tab deserves
        the question first; a closed socket cannot answer it).
        """
        if not state.open:
            return []
        absence = state.facilitation.absence
        payloads: list[Payload] = []
        for member in state.seated:
            presence = self.of(member.participant_id, now)
            limit = absence.ask_seconds + (absence.grace_seconds if presence.sockets else 0.0)
            silent = now - presence.seen_at
            if member.present and silent >= limit:
                payloads.append(MemberAway(participant_id=member.participant_id))
            elif not member.present and presence.sockets and silent < limit:
                payloads.append(MemberReturned(participant_id=member.participant_id))
        return payloads

    def view(self, state: RoomState) -> Mapping[str, LiveMember]:
        """Return the wire form for everybody who is seated."""
        return {m.participant_id: p.view() for m in state.seated if (p := self.members.get(m.participant_id))}
