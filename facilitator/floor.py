"""Who has the floor and since when: facts about speech that several rules need.

Pure readings of a `RoomState` at a time; decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from deliberation.state import Intervention, RoomState, Speech

V = TypeVar("V")

SCAN = 400  # stretches of speech looked back on; more than any rule's window holds
BACKCHANNEL_SECONDS = 2.0  # "mhm", "yes": a stretch this short takes nobody's turn (Yngve 1970; Heldner & Edlund 2010)


@dataclass(frozen=True, slots=True)
class Run:
    """One person's talk without a longer pause; `ended_at` is `now` while it lasts."""

    participant_id: str
    started_at: float
    ended_at: float

    @property
    def seconds(self) -> float:
        """How long it lasts already."""
        return self.ended_at - self.started_at


def newest_first(mapping: Mapping[str, V]) -> Iterator[V]:
    """Yield a state's entries, newest first (they are kept in the order of the log)."""
    return reversed(list(mapping.values()))


def talk_start(state: RoomState) -> float | None:
    """Return when the room's first speech began."""
    return min((s.started_at for s in state.speech[:SCAN]), default=None)


def last_talk(state: RoomState) -> float:
    """Return when the last of this stage's speech, chat, or the stage's start was; `state.at` or later while somebody speaks."""
    since = state.stage.started_at if state.stage else state.opened_at
    spoken = max((s.ended_at for s in state.speech[-SCAN:] if s.ended_at is not None), default=since)
    written = next((m.at for m in newest_first(state.chat)), since)
    return max(since, spoken, written)


def run_of(state: RoomState, participant_id: str, now: float, pause: float) -> Run | None:
    """Return the talk of a participant that is going on (or paused for at most `pause` seconds), None if there is none."""
    mine = [s for s in state.speech[-SCAN:] if s.participant_id == participant_id]
    mine.sort(key=lambda s: s.started_at, reverse=True)
    if not mine:
        return None
    end = _end(mine[0], now)
    if now - end > pause:
        return None
    start = mine[0].started_at
    for earlier in mine[1:]:
        if start - _end(earlier, now) > pause:
            break
        start = min(start, earlier.started_at)
    return Run(participant_id, start, end)


def holder(state: RoomState, now: float) -> tuple[str, float] | None:
    """Return who holds the floor now and since when: the queue's turn, else who speaks (or paused for less than two seconds).

    A turn begins after the last stretch of speech by anybody else that was longer than a back-channel.
    """
    if state.turn:
        return state.turn.participant_id, state.turn.started_at
    recent = state.speech[-SCAN:]
    current: Speech | None = None
    for speech in recent:
        going = speech.ended_at is None or now - speech.ended_at <= BACKCHANNEL_SECONDS
        if going and (current is None or speech.started_at < current.started_at):
            current = speech
    if current is None:
        return None
    who = current.participant_id
    since = current.started_at
    for speech in reversed(recent):
        if speech.participant_id == who:
            since = min(since, speech.started_at)
        elif _end(speech, now) - speech.started_at > BACKCHANNEL_SECONDS and speech.started_at < since:
            break
    return who, since


def interrupts(state: RoomState, now: float) -> bool:
    """Tell whether a message now would fall into somebody's first, protected seconds; a pause outside of a turn is a good moment."""
    protected = state.facilitation.turns.protected_seconds
    if state.turn is not None:
        return now - state.turn.started_at < protected
    floor = holder(state, now) if state.speaking else None
    return floor is not None and now - floor[1] < protected


def latest(state: RoomState, rule: str, *, about: str | None = None) -> Intervention | None:
    """Return the AI's last intervention by a rule (a prefix that ends in a dot stands for all it begins), about a person if given."""
    for made in newest_first(state.interventions):
        hit = made.rule.startswith(rule) if rule.endswith(".") else made.rule == rule
        if hit and made.by == "ai" and (about is None or made.about == about):
            return made
    return None


def this_stage(state: RoomState, made: Intervention | None) -> bool:
    """Tell whether an intervention belongs to the stage that runs now."""
    return made is not None and state.stage is not None and made.at >= state.stage.started_at


def talking_stage(state: RoomState) -> bool:
    """Tell whether the stage that runs is talk, as opposed to voting or closing."""
    stage = state.current_stage
    return stage is not None and stage.kind == "discussion"


def _end(speech: Speech, now: float) -> float:
    return speech.ended_at if speech.ended_at is not None else now
