"""Silence: a gentle question after a while, an offer to move on after a longer one; once for each silence.

Thresholds: `Facilitation.silence`. Writing in the chat is no silence.
"""

from __future__ import annotations

from deliberation.state import RoomState
from facilitator.floor import last_talk, latest, talking_stage
from facilitator.moves import Say


def decide(state: RoomState, now: float) -> Say | None:
    """Ask, or offer to move on, when nobody speaks or writes in a discussion."""
    if not talking_stage(state) or state.stage is None or state.speaking or state.turn:
        return None
    since = last_talk(state)
    silent = now - since
    settings = state.facilitation.silence
    numbers = {"silent_seconds": round(silent, 1)}
    words: dict[str, str | int] = {"seconds": round(silent)}
    old_enough = now - state.stage.started_at >= state.facilitation.time.min_stage_seconds
    if silent >= settings.move_on_seconds and old_enough:
        if _asked_since(state, "silence.move_on", since):
            return None
        return Say("silence.move_on", words=words, numbers=numbers, actions=("move_on",))
    if silent >= settings.ask_seconds and not _asked_since(state, "silence.", since):
        return Say("silence.ask", words=words, numbers=numbers)
    return None


def _asked_since(state: RoomState, rule: str, since: float) -> bool:
    made = latest(state, rule)
    return made is not None and made.at >= since
