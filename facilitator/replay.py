"""Replay: decide again, from the log alone, everything the rules decided, and compare.

Pure. Called by the tests and by `audit`: a decision that the log does not reproduce is a defect.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from deliberation.events import AI, Event, HelpCalled, InterventionMade, Payload, SafetyAsked
from deliberation.room import fold
from deliberation.state import RoomState
from facilitator.agent import payload_of
from facilitator.policies import decide


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many decisions the log holds, and those (seq, rule) that it does not give again."""

    decisions: int
    missed: tuple[tuple[int, str], ...]

    @property
    def share(self) -> float:
        """The reproduced share, 0..1; 1 where there was nothing to decide."""
        return 1.0 - len(self.missed) / self.decisions if self.decisions else 1.0


def replay(events: Iterable[Event]) -> Replayed:
    """Decide again before each decision of the rules in a log.

    Words that were erased since make a decision that rested on them irreproducible; it is then reported as missed.
    """
    state = RoomState()
    decisions = 0
    missed: list[tuple[int, str]] = []
    for event in events:
        if event.actor == AI and _by_rule(event.payload):
            decisions += 1
            if not _decided_again(state, event):
                missed.append((event.seq, getattr(event.payload, "rule", event.payload.kind)))
        state = fold(state, event)
    return Replayed(decisions, tuple(missed))


def _by_rule(payload: Payload) -> bool:
    """Tell whether a payload is a decision of the rules (a draft's card reports slow work and decides nothing)."""
    if isinstance(payload, InterventionMade):
        return payload.by == "ai" and not payload.rule.startswith(("drafted.", "group."))
    return isinstance(payload, HelpCalled | SafetyAsked)


def _decided_again(state: RoomState, event: Event) -> bool:
    last_seen: dict[str, float] = {}
    if isinstance(event.payload, InterventionMade) and event.payload.rule == "absence" and event.payload.about:
        last_seen[event.payload.about] = event.payload.numbers["last_seen"]
    moves = decide(state, event.at, last_seen)
    return any(_same(payload_of(move, state, lambda: ""), event.payload) for move in moves)


def _same(again: Payload, logged: Payload) -> bool:
    ids = {"intervention_id", "case_id"}
    return again.model_dump(exclude=ids) == logged.model_dump(exclude=ids)
