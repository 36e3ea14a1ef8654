"""Absence: ask "are you there?" before a seat is shown as away, and offer a way out to a group that has become too small.

Thresholds: `Facilitation.absence`, `Groups.min_size`. When somebody was last heard of is ephemeral (heartbeats are not events), so it is
an argument, and the decision records it. Going away and coming back are the room's own events.
"""

from __future__ import annotations

from collections.abc import Mapping

from deliberation.state import RoomState
from facilitator.floor import latest
from facilitator.moves import Say


def ask_present(state: RoomState, now: float, last_seen: Mapping[str, float]) -> Say | None:
    """Ask the first member of whom nothing (media, heartbeat or input) has come for long enough; once for each absence.

    `last_seen` maps participants to room times; somebody who is not in it is taken as heard of.
    """
    limit = state.facilitation.absence.ask_seconds
    for member in state.present:
        who = member.participant_id
        seen = last_seen.get(who, now)
        if now - seen < limit:
            continue
        asked = latest(state, "absence", about=who)
        if asked is not None and asked.at > seen:
            continue
        numbers = {"unseen_seconds": round(now - seen, 1), "last_seen": seen}
        words: dict[str, str | int] = {"seconds": round(now - seen)}
        return Say("absence", "interface", (who,), who, words, numbers, ("here",))
    return None


def small_group(state: RoomState, now: float) -> Say | None:
    """Offer to go on, wait, or be joined with another group, once each time the group falls under its minimum."""
    minimum = state.plan.groups.min_size
    present = len(state.present)
    if state.practice or state.stage is None or not 0 < present < minimum:
        return None
    fell = max((m.away_since for m in state.members.values() if m.away_since is not None), default=None)
    if fell is None or now - fell < state.facilitation.absence.grace_seconds:
        return None
    told = latest(state, "small_group")
    if told is not None and told.at >= fell:
        return None
    numbers = {"present": float(present), "minimum": float(minimum)}
    words: dict[str, str | int] = {"present": present, "minimum": minimum}
    return Say("small_group", words=words, numbers=numbers, actions=("call_human", "move_on"))
