"""When to act: one rule, one module, each pure and each with its thresholds in the design.

`decide` runs them in their order of precedence and binds them to the budget. State and time in, moves out: the same log gives the same
moves, which `facilitator.replay` checks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from deliberation.state import RoomState
from facilitator.moves import Move, Say
from facilitator.policies import (
    absence,
    all_voted,
    budget,
    content,
    ease_dominant,
    invite_quiet,
    raised_hand,
    safety,
    silence,
    stage_card,
    time_left,
    welcome,
)

Rule = Callable[[RoomState, float], Say | None]

INTERFACE: tuple[Rule, ...] = (welcome.decide, stage_card.decide, time_left.decide, all_voted.decide)
MESSAGES: tuple[Rule, ...] = (
    absence.small_group,
    raised_hand.decide,
    ease_dominant.decide,
    invite_quiet.decide,
    silence.decide,
    content.decide,
)


def decide(state: RoomState, now: float, last_seen: Mapping[str, float] | None = None) -> list[Move]:
    """Return what the facilitator does at `now`: all that safety and the interface ask for, and at most one message.

    A paused facilitator, or one that the design's arm turned off, keeps to safety. `last_seen`: see `absence.ask_present`.
    """
    if not state.open:
        return []
    moves = safety.decide(state, now)
    if state.facilitation.mode == "off" or state.facilitation_paused:
        return moves
    asked = absence.ask_present(state, now, last_seen or {})
    interface = [move for rule in INTERFACE if (move := rule(state, now)) is not None]
    moves += [asked, *interface] if asked else interface
    message = None if state.stage is None else _message(state, now)
    return [*moves, message] if message else moves


def _message(state: RoomState, now: float) -> Say | None:
    if not budget.is_open(state, now):
        return None
    for rule in MESSAGES:
        move = rule(state, now)
        if move is not None and budget.allows(state, move.rule, now):
            return move
    return None
