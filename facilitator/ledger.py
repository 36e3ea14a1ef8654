"""The AI ledger as people read it: every call to a model, what came of it, what was shown, and who found it helpful.

A pure reading of a room's state; the entries themselves are events (`ai.called`). Read by the export; pages join the same
cards to their calls themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

from deliberation.state import LedgerEntry, RoomState


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """One call. `shown` are the texts that people saw because of it; the counts are of those who pressed helpful or not."""

    entry: LedgerEntry
    shown: tuple[str, ...]
    helpful: int
    not_helpful: int


def ledger(state: RoomState) -> tuple[LedgerLine, ...]:
    """Return all calls, oldest first."""
    return tuple(_line(state, entry) for entry in state.ledger.values())


def _line(state: RoomState, entry: LedgerEntry) -> LedgerLine:
    cards = [made for made in state.interventions.values() if made.call_id == entry.call_id]
    shown = [made.text for made in cards]
    if any(made.rule == "drafted.model" for made in cards):
        stage_id = cards[0].stage_id
        shown += [s.text for s in state.statements.values() if s.origin == "ai" and s.stage_id == stage_id]
    if state.summary is not None and state.summary.call_id == entry.call_id:
        shown += [sentence.text for sentence in state.summary.sentences]
    shown += [c.text for one in state.group_statements.values() for c in one.candidates if c.call_id == entry.call_id]
    answers = [answer for made in cards for answer in made.answers.values()]
    return LedgerLine(entry, tuple(shown), answers.count("helpful"), answers.count("not_helpful"))
