"""The budget: what keeps the facilitator sparing with words.

Binds every unsolicited message, whatever rule wants it: time between any two, time between two of a kind, and never two in the same
speaker's turn. Stage cards, time remarks and other interface are no messages; safety bypasses it. The word limit is `wording`'s.
Thresholds: `Facilitation.budget`. Heavier moderation lowers perceived legitimacy (arXiv 1901.10720).
"""

from __future__ import annotations

from collections.abc import Iterator

from deliberation.state import Intervention, RoomState
from facilitator.floor import holder, newest_first

UNBOUND = ("welcome", "stage", "time.", "late.", "safety.", "absence", "voted", "drafted.", "group.")


def bound(rule: str) -> bool:
    """Tell whether a rule's messages are bound by the budget."""
    return not rule.startswith(UNBOUND)


def messages(state: RoomState) -> Iterator[Intervention]:
    """Yield the AI's unsolicited messages, newest first."""
    for made in newest_first(state.interventions):
        if made.by == "ai" and not made.solicited and bound(made.rule):
            yield made


def is_open(state: RoomState, now: float) -> bool:
    """Tell whether any message may be sent now."""
    last = next(messages(state), None)
    if last is None:
        return True
    if now - last.at < state.facilitation.budget.any_seconds:
        return False
    floor = holder(state, now)
    return floor is None or last.at < floor[1]


def allows(state: RoomState, rule: str, now: float) -> bool:
    """Tell whether a message of this rule may be sent now."""
    if not is_open(state, now):
        return False
    last = next((made for made in messages(state) if made.rule == rule), None)
    return last is None or now - last.at >= state.facilitation.budget.same_kind_seconds
