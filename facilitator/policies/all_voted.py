"""All voted: when everybody present has voted on every statement, offer to move on; once a stage. Interface."""

from __future__ import annotations

from deliberation.state import RoomState
from facilitator.floor import latest, this_stage
from facilitator.moves import Say


def decide(state: RoomState, now: float) -> Say | None:
    """Offer to move on from a statements stage in which no vote is missing."""
    stage, clock = state.current_stage, state.stage
    if stage is None or clock is None or stage.kind != "statements":
        return None
    if now - clock.started_at < state.facilitation.time.min_stage_seconds or this_stage(state, latest(state, "voted")):
        return None
    open_statements = [s for s in state.statements.values() if s.stage_id == clock.stage_id and not s.withdrawn]
    here = [member.participant_id for member in state.present]
    if not open_statements or not all(who in s.votes for s in open_statements for who in here):
        return None
    numbers = {"statements": float(len(open_statements)), "voters": float(len(here))}
    return Say("voted", "interface", words={"count": len(open_statements)}, numbers=numbers, actions=("move_on",))
