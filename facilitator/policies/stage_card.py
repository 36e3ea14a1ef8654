"""Stage card: what the stage that has just begun is for, once a stage."""

from __future__ import annotations

from deliberation.state import RoomState
from facilitator.floor import latest, this_stage
from facilitator.moves import Say


def decide(state: RoomState, now: float) -> Say | None:
    """Explain the stage that has started: its title, its question, its minutes."""
    stage, clock = state.current_stage, state.stage
    if stage is None or clock is None or this_stage(state, latest(state, "stage.")):
        return None
    words: dict[str, str | int] = {"title": stage.title, "prompt": stage.prompt.strip()}
    numbers = {"stage": float(clock.index + 1)}
    if stage.minutes is not None:
        whole, seconds = divmod(round(stage.minutes * 60), 60)
        words["minutes"] = f"{whole}:{seconds:02}" if seconds else f"{whole}"
        numbers["minutes"] = stage.minutes
    timed = "" if stage.minutes is not None else ".untimed"
    return Say(f"stage.{stage.kind}{timed}", "interface", words=words, numbers=numbers)
