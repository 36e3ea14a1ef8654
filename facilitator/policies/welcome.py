"""Welcome: what this is and what the facilitator does, once for the room and once for everyone who comes later."""

from __future__ import annotations

from deliberation.state import RoomState
from facilitator.moves import Say


def decide(state: RoomState, now: float) -> Say | None:
    """Welcome the room when its first stage has started, then each latecomer privately."""
    if state.stage is None:
        return None
    if not any(made.rule == "welcome" for made in state.interventions.values()):
        return Say("welcome", "interface", words={"question": state.plan.question})
    for member in state.present:
        late = member.joined_at > state.opened_at and member.joined_at > _first_welcome(state)
        greeted = any(
            made.rule == "late.welcome" and made.about == member.participant_id for made in state.interventions.values()
        )
        if late and not greeted:
            stage = state.plan.agenda[state.stage.index]
            return Say(
                "late.welcome",
                "interface",
                (member.participant_id,),
                member.participant_id,
                words={"title": stage.title},
            )
    return None


def _first_welcome(state: RoomState) -> float:
    return next(made.at for made in state.interventions.values() if made.rule == "welcome")
