"""Cross-pollination: which statement of another group a group should hear next.

Between rounds a group receives the one statement that would most divide or stretch it and that it has not seen; its votes go back to the
source. Pure. Called by whoever opens the next round; the carried statement keeps its source room.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from deliberation.events import StatementAdded
from deliberation.state import RoomState, Statement
from facilitator.extraction import discussed, is_same
from facilitator.text import content_stems, overlap

MIN_BACKING = 0.5  # share of its own group that must have agreed: a view somebody holds, not a stray line
MIN_LIKENESS = 0.1  # statements less alike say nothing about how the group would vote


@dataclass(frozen=True, slots=True)
class Carried:
    """A statement chosen for a group. `division` and `stretch` are 0..1: how split its vote is expected to be, how new it is."""

    statement: Statement
    source_room: str
    division: float
    stretch: float

    def added(self, statement_id: str) -> StatementAdded:
        """Return the event that puts it to the vote in the receiving room."""
        return StatementAdded(
            statement_id=statement_id,
            participant_id=None,
            text=self.statement.text,
            origin="carried",
            source_room=self.source_room,
            source_statement=self.statement.statement_id,
        )


def choose(receiver: RoomState, others: Iterable[RoomState]) -> Carried | None:
    """Return the statement to carry over, or None when every backed statement of the others is known already."""
    known = [s.text for s in receiver.statements.values()]
    options = [
        Carried(s, other.room_id, division(receiver, s.text), stretch(receiver, s.text))
        for other in others
        if other.room_id != receiver.room_id
        for s in other.statements.values()
        if not s.withdrawn and _backing(s) >= MIN_BACKING and not _known(s.text, known, receiver.plan.language)
    ]
    return max(options, key=lambda c: (c.division + c.stretch, c.statement.statement_id), default=None)


def division(receiver: RoomState, text: str) -> float:
    """Return how split the group's vote is expected to be, 0..1: each member votes as on the statements most like it.

    0.5 where nothing they voted on is like it at all.
    """
    language = receiver.plan.language
    stems = content_stems(text, language)
    alike = [(overlap(stems, content_stems(s.text, language)), s) for s in receiver.statements.values() if s.votes]
    alike = [(likeness, s) for likeness, s in alike if likeness >= MIN_LIKENESS]
    expected = []
    for who in receiver.voters:
        cast = [(likeness, s.votes[who]) for likeness, s in alike if who in s.votes]
        if cast:
            expected.append(sum(likeness * vote for likeness, vote in cast) / sum(likeness for likeness, _ in cast))
    if not expected:
        return 0.5
    return 1 - abs(sum(expected)) / len(expected)


def stretch(receiver: RoomState, text: str) -> float:
    """Return how new a statement is to what the group said and voted on, 0 (said already) .. 1 (nothing like it)."""
    language = receiver.plan.language
    stems = content_stems(text, language)
    heard = (*(u.text for u in discussed(receiver)), *(s.text for s in receiver.statements.values()))
    shared = max((len(stems & content_stems(h, language)) / len(stems) for h in heard if stems), default=0.0)
    return 1 - shared


def _backing(statement: Statement) -> float:
    votes = list(statement.votes.values())
    return votes.count(1) / len(votes) if votes else 0.0


def _known(text: str, known: Sequence[str], language: str) -> bool:
    return any(is_same(text, other, language) for other in known)
