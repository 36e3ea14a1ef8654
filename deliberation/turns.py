"""The speaker queue and turn timers: whose turn it is, when it is warned and when it ends.

Pure: state and time in, payloads out. Called by the room once a second and after each event.
"""

from __future__ import annotations

from deliberation.equity import spoken_seconds
from deliberation.events import Payload, TurnEnded, TurnStarted, TurnWarned
from deliberation.state import Hand, RoomState


def ordered_queue(state: RoomState, now: float) -> tuple[Hand, ...]:
    """Return the queue in speaking order: least talk time first, then first come.

    Talk time is compared in whole tens of seconds, so that a breath does not decide; members who are away keep their place but are passed
    over until they are back.
    """
    spoken = spoken_seconds(state, now)
    return tuple(sorted(state.queue, key=lambda h: (spoken.get(h.participant_id, 0.0) // 10, h.raised_at)))


def due(state: RoomState, now: float) -> list[Payload]:
    """Return what the turn clock makes happen at `now`: a warning, an end, a next turn."""
    settings = state.facilitation.turns
    if not state.open or state.stage is None or settings.seconds is None:
        return []
    turn = state.turn
    if turn is not None:
        if now >= turn.ends_at + settings.grace_seconds and now - turn.started_at >= settings.protected_seconds:
            return [TurnEnded(participant_id=turn.participant_id, why="time", muted=settings.mute_overtime)]
        if now >= turn.ends_at and not turn.overtime:
            return [TurnWarned(participant_id=turn.participant_id, overtime=True)]
        if now >= turn.ends_at - settings.warn_seconds and not turn.warned and not turn.short:
            return [TurnWarned(participant_id=turn.participant_id)]
        return []
    head = next((h for h in ordered_queue(state, now) if state.members[h.participant_id].present), None)
    if head is None:
        return []
    seconds = settings.short_seconds if head.short else settings.seconds
    return [TurnStarted(participant_id=head.participant_id, ends_at=now + seconds, short=head.short)]
