"""A hand nobody has seen: where no turn timer calls the queue, say aloud who has been waiting.

Threshold: `Facilitation.turns.hand_wait_seconds`; the same time again before the same hand is named a second time.
"""

from __future__ import annotations

from deliberation.state import RoomState
from deliberation.turns import ordered_queue
from facilitator.floor import interrupts, latest, talking_stage
from facilitator.moves import Say


def decide(state: RoomState, now: float) -> Say | None:
    """Name the first of the queue who has waited for long enough, when turns are not timed."""
    settings = state.facilitation.turns
    if settings.seconds is not None or not state.queue or not talking_stage(state) or interrupts(state, now):
        return None
    for hand in ordered_queue(state, now):
        who = hand.participant_id
        waited = now - hand.raised_at
        if waited < settings.hand_wait_seconds or not state.members[who].present or who in state.speaking:
            continue
        named = latest(state, "hand", about=who)
        if named is not None and named.at >= hand.raised_at:
            continue
        return Say("hand", about=who, words={"seconds": round(waited)}, numbers={"waited_seconds": round(waited, 1)})
    return None
