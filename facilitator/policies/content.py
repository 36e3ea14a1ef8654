"""Content moves: off topic, talking past each other, one-sidedness, early agreement, two camps, a point nobody took up.

The label comes from the model (`classify`), through the room's own log: `decide` reads the newest ledger entry, so the same log always
gives the same move. The model chooses one of these labels and points at utterances; the words shown are the catalogue's, never the
model's. Thresholds: `Facilitation.content`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deliberation.state import LedgerEntry, RoomState, Utterance
from facilitator.floor import interrupts, newest_first, talking_stage
from facilitator.moves import Say
from facilitator.text import contains_any, shorten

PURPOSE = "content"
QUOTE_WORDS = 9
MOVES = ("off_topic", "talking_past", "one_sided", "early_agreement", "two_camps", "unheard_point")


class ContentLabel(BaseModel):
    """What the model answers. `evidence` are the numbers that the prompt gave the utterances."""

    model_config = ConfigDict(extra="forbid")

    label: Literal["fine", "off_topic", "talking_past", "one_sided", "early_agreement", "two_camps", "unheard_point"]
    confidence: float = Field(ge=0, le=1)
    evidence: list[int] = Field(default_factory=list, max_length=8)


def decide(state: RoomState, now: float) -> Say | None:
    """Return the move that the newest label calls for, when it is fresh, sure, backed by what was said, and not yet used."""
    if state.facilitation.mode != "model" or not talking_stage(state) or interrupts(state, now):
        return None
    entry = newest(state)
    settings = state.facilitation.content
    if entry is None or entry.outcome not in ("ok", "repaired") or now - entry.at > settings.every_seconds:
        return None
    if state.stage is None or entry.at < state.stage.started_at:
        return None
    if any(made.call_id == entry.call_id for made in state.interventions.values()):
        return None
    try:
        label = ContentLabel.model_validate_json(entry.output)
    except ValidationError:
        return None
    cited = evidence(state, label)
    if label.label == "fine" or label.confidence < settings.min_confidence or not _backed(label, cited):
        return None
    numbers = {"confidence": label.confidence, "limit": settings.min_confidence, "evidence": float(len(cited))}
    words: dict[str, str | int] = {"confidence": round(label.confidence * 100)}
    about = None
    if label.label == "unheard_point":
        words["quote"] = shorten(cited[0].text, QUOTE_WORDS)
        about = cited[0].participant_id
    return Say(f"content.{label.label}", about=about, words=words, numbers=numbers, call_id=entry.call_id)


def _backed(label: ContentLabel, cited: Sequence[Utterance]) -> bool:
    """Tell whether enough was said to show it: by one person for a point nobody took up, else by two, none of it addressed to a machine."""
    people = {u.participant_id for u in cited}
    return len(people) >= (1 if label.label == "unheard_point" else 2)


def newest(state: RoomState) -> LedgerEntry | None:
    """Return the last classification in the ledger."""
    entries = newest_first(state.ledger)
    return next((entry for entry in entries if entry.purpose == PURPOSE), None)


def evidence(state: RoomState, label: ContentLabel) -> list[Utterance]:
    """Return the utterances that a label points at and that may back it; number n is the room's n-th utterance."""
    said = list(state.utterances.values())
    return [said[n - 1] for n in label.evidence if 1 <= n <= len(said) and may_back(said[n - 1])]


def may_back(utterance: Utterance) -> bool:
    """Tell whether an utterance may be looked at for a label: it is usable and is not an attempt to instruct the model."""
    return utterance.usable and not contains_any(utterance.text, utterance.language, "machine")
