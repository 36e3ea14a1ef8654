"""Time remarks: half, the last minutes, over. Interface, so the budget does not bind them.

Thresholds: `Facilitation.time`. A stage too short for a remark to be news gets none.
"""

from __future__ import annotations

from deliberation.agenda import may_extend
from deliberation.state import RoomState
from facilitator.moves import Action, Say


def decide(state: RoomState, now: float) -> Say | None:
    """Remark once per end time that half of it, or only the final minutes, are left, or that it is over."""
    clock = state.stage
    if clock is None or clock.ends_at is None:
        return None
    left, length = clock.ends_at - now, clock.ends_at - clock.started_at
    final = state.facilitation.time.final_seconds
    extend: tuple[Action, ...] = ("more_time",) if may_extend(state) else ()
    actions: tuple[Action, ...] = ()
    numbers = {"ends_at": clock.ends_at, "left_seconds": round(left, 1)}
    if left <= 0:
        rule, actions = "time.over", extend
    elif left <= final and length >= 2 * final:
        rule, actions = "time.final", extend
    elif left <= length / 2 and length / 2 - final >= final / 2 and clock.extensions == 0:
        rule = "time.half"
    else:
        return None
    if any(made.rule == rule and made.numbers.get("ends_at") == clock.ends_at for made in state.interventions.values()):
        return None
    return Say(rule, "interface", words={"left": _clock(left)}, numbers=numbers, actions=actions)


def _clock(seconds: float) -> str:
    whole = max(0, round(seconds))
    return f"{whole // 60}:{whole % 60:02d}"
