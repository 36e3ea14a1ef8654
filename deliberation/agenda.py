"""The agenda: which stage runs, when it ends, and when the room is over.

Pure: state and time in, payloads out. Called by the room once a second and after each event.
"""

from __future__ import annotations

from deliberation import group_statement, values
from deliberation.balloting import open_paper
from deliberation.events import Payload, RoomClosed, StageEnded, StageExtended, StageStarted, StatementAdded
from deliberation.state import RoomState

ABANDONED_SECONDS = 600.0  # a room in which nobody has been present for this long is closed


def start_stage(state: RoomState, index: int, now: float) -> list[Payload]:
    """Return the start of the agenda's stage `index`, with what the design puts to the vote in it."""
    stage = state.plan.agenda[index]
    ends_at = now + stage.minutes * 60 if stage.minutes is not None else None
    seeds = [
        StatementAdded(statement_id=f"{stage.id}-seed-{number}", participant_id=None, text=text, origin="seed")
        for number, text in enumerate(stage.seed_statements, 1)
    ]
    papers = [open_paper(state, stage)] if stage.kind == "ballot" else []
    cards = values.seeds(stage) if stage.kind == "values" else []
    return [StageStarted(stage_id=stage.id, index=index, ends_at=ends_at), *seeds, *papers, *cards]


def next_stage(state: RoomState, now: float, why: str) -> list[Payload]:
    """Return the end of the current stage and the start of the next, or the end of the room."""
    assert state.stage is not None
    ended = [*group_statement.closing(state), StageEnded(stage_id=state.stage.stage_id, why=why)]
    following = state.stage.index + 1
    if following >= len(state.plan.agenda):
        return [*ended, RoomClosed(reason="finished")]
    return [*ended, *start_stage(state, following, now)]


def majority(count: int, of: int) -> bool:
    """Tell whether `count` is more than half of `of`."""
    return of > 0 and 2 * count > of


def may_extend(state: RoomState) -> bool:
    """Tell whether the group may still extend this stage."""
    return (
        state.stage is not None
        and state.stage.ends_at is not None
        and state.stage.extensions < state.facilitation.time.max_extensions
    )


def given_back(state: RoomState, seconds: float) -> list[Payload]:
    """Return what moves the running stage's end by time that was lost to everybody; nothing where the stage has no end."""
    clock = state.stage
    if not state.open or clock is None or clock.ends_at is None or seconds <= 0:
        return []
    ends_at = clock.ends_at + seconds
    return [StageExtended(stage_id=clock.stage_id, seconds=round(seconds, 1), ends_at=ends_at, why="pause")]


def back_from_downtime(state: RoomState, now: float) -> list[Payload]:
    """Return what gives a room that is served again the time that its server was away: all since the last event of its log.

    A room in which nobody was then counts its pause itself, until somebody returns.
    """
    return given_back(state, now - state.at) if state.present else []


def due(state: RoomState, now: float, served_since: float = 0.0) -> list[Payload]:
    """Return what the agenda makes happen at `now`, in a room that has been served since `served_since`.

    The first stage starts as soon as the smallest group is present. A stage ends when more than half of those present are ready and it is
    old enough; when its time is over it ends after who was speaking then (who begins later does not prolong it), at the latest after the overtime grace. Time in which nobody was
    present is given back to a stage when somebody returns; nobody present for ten minutes, in which they could have come back, closes the room.
    """
    if not state.open:
        return []
    present = {member.participant_id for member in state.present}
    if not present:
        gone = [m.away_since for m in state.members.values() if m.away_since is not None]
        since = max(gone, default=state.opened_at)
        return [RoomClosed(reason="abandoned")] if now - max(since, served_since) >= ABANDONED_SECONDS else []
    clock = state.stage
    if clock is None:
        enough = 1 if state.practice else state.plan.groups.min_size
        return start_stage(state, 0, now) if len(present) >= enough or now - state.opened_at >= 60 else []
    if clock.lost > 0 and (back := given_back(state, clock.lost)):
        return back
    time = state.facilitation.time
    if majority(len(state.ready & present), len(present)) and now - clock.started_at >= time.min_stage_seconds:
        return next_stage(state, now, "ready")
    if majority(len(state.more_time & present), len(present)) and clock.ends_at is not None and may_extend(state):
        ends_at = max(clock.ends_at, now) + time.extension_seconds
        return [StageExtended(stage_id=clock.stage_id, seconds=time.extension_seconds, ends_at=ends_at, why="group")]
    if clock.ends_at is not None and now >= clock.ends_at:
        finishing = any(who in present and began <= clock.ends_at for who, began in state.speaking.items())
        if not finishing or now >= clock.ends_at + time.overtime_grace_seconds:
            return next_stage(state, now, "time")
    return []
