"""What somebody has answered in a room: votes, ballots, rankings, comparisons, ratings, polls, marks on the summary.

Who leaves a room keeps these: they count as they were given. Who withdraws from a deliberation that erases (`on_withdraw: erase`) has none from
then on, in the room as in what leaves it. Owns what counts as an answer; called by `room.fold` and by `privacy`. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from deliberation.events import ConsentWithdrawn, Payload
from deliberation.state import RoomState

V = TypeVar("V")

ANSWERS = frozenset(
    (
        "vote.cast",
        "ballot.cast",
        "group_statement.ranked",
        "group_statement.stood",
        "values.same",
        "values.wiser",
        "case.rated",
        "poll.answered",
        "summary.marked",
    )
)


def takes_answers_out(state: RoomState, payload: Payload) -> bool:
    """Say whether an event takes somebody's answers out of this room."""
    erases = state.design is not None and state.design.privacy.on_withdraw == "erase"
    return erases and isinstance(payload, ConsentWithdrawn) and "take_part" in payload.items


def without_answers(state: RoomState, participant_id: str) -> RoomState:
    """Return the room as if somebody had answered nothing."""

    def others(by: Mapping[str, V]) -> dict[str, V]:
        return {person: value for person, value in by.items() if person != participant_id}

    summary = state.summary
    if summary is not None:
        summary = replace(summary, marks=tuple(mark for mark in summary.marks if mark.participant_id != participant_id))
    return replace(
        state,
        statements={k: replace(s, votes=others(s.votes)) for k, s in state.statements.items()},
        ballots={k: replace(b, cast=others(b.cast)) for k, b in state.ballots.items()},
        group_statements={
            k: replace(g, rankings=others(g.rankings), stances=others(g.stances)) for k, g in state.group_statements.items()
        },
        values=replace(
            state.values,
            alike={k: replace(a, answers=others(a.answers)) for k, a in state.values.alike.items()},
            wiser=others(state.values.wiser),
        ),
        ratings={k: others(by) for k, by in state.ratings.items()},
        polls={k: others(by) for k, by in state.polls.items()},
        summary=summary,
    )
