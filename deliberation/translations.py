"""Translations of what a room shows: kept beside their originals, never in their place.

Owns the event, what a room remembers, and which translations a viewer gets. Never translates (`facilitator.translation` does). A translation
goes when its original changes or is taken back. Pure; listed by `events`, `room` and `view`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from deliberation.payload import PayloadBase, Text

if TYPE_CHECKING:
    from deliberation.state import RoomState

Translations = Mapping[str, Mapping[str, str]]
"""Id of what was translated → language → text."""

QUESTION = "question"  # the id of the design's question; a stage's prompt has `stage_text(id)`


class TextTranslated(PayloadBase):
    """A text of this room in another language, by a model; `participant_id` is whose words it is, if a member's.

    `subject_id` names an utterance, a message, a statement, a card, a candidate for the group's statement, a sentence of the summary, the question or a stage's prompt.
    """

    subject_field = "subject_id"
    kind: Literal["text.translated"] = "text.translated"
    subject_id: str
    participant_id: str | None
    language: str
    text: Text
    call_id: str | None = None


@dataclass(frozen=True, slots=True)
class Original:
    """Something that may be translated: its id, whose words it is, its language and its text."""

    subject_id: str
    participant_id: str | None
    language: str
    text: str


def stage_text(stage_id: str) -> str:
    """Return the id under which a stage's prompt is translated."""
    return f"stage:{stage_id}"


def sentence_id(summary_id: str, index: int) -> str:
    """Return the id under which a sentence of a summary is translated; `index` counts from 0."""
    return f"{summary_id}:{index}"


def fold(held: Translations, payload: TextTranslated) -> Translations:
    """Return a room's translations after one more."""
    if payload.text is None:
        return held
    return {**held, payload.subject_id: {**held.get(payload.subject_id, {}), payload.language: payload.text}}


def without(held: Translations, subject_id: str) -> Translations:
    """Return the translations without those of something that has changed or is gone."""
    return {key: by for key, by in held.items() if key != subject_id} if subject_id in held else held


def originals(state: RoomState) -> Iterator[Original]:
    """Yield what the whole room may read now, what matters most first: the question and this stage, then the newest of what was said.

    Private cards are left out: they are in their reader's language.
    """
    home = state.plan.language
    yield Original(QUESTION, None, home, state.plan.question)
    stage = state.current_stage
    if stage is not None and stage.prompt.strip():
        yield Original(stage_text(stage.id), None, home, stage.prompt.strip())
    said = [(u.ended_at, Original(u.utterance_id, u.participant_id, u.language, u.text)) for u in state.utterances.values() if u.usable]
    said += [
        (c.at, Original(c.message_id, c.participant_id, _language(state, c.participant_id), c.text))
        for c in state.chat.values()
        if c.text and not c.struck and not c.hidden
    ]
    said += [
        (s.at, Original(s.statement_id, s.participant_id, _language(state, s.participant_id), s.text))
        for s in state.statements.values()
        if s.text and not s.withdrawn
    ]
    said += [
        (i.at, Original(i.intervention_id, None, home, i.text)) for i in state.interventions.values() if i.to is None and i.text
    ]
    said += [
        (one.since, Original(c.candidate_id, None, home, c.text))
        for one in state.group_statements.values()
        for c in one.candidates
        if c.text
    ]
    if state.summary is not None:
        id = state.summary.summary_id
        said += [(state.summary.at, Original(sentence_id(id, n), None, home, s.text)) for n, s in enumerate(state.summary.sentences) if s.text]
    yield from (original for _, original in sorted(said, key=lambda item: -item[0]))


def _language(state: RoomState, participant_id: str | None) -> str:
    member = state.members.get(participant_id or "")
    return member.language if member else state.plan.language


def view(state: RoomState, participant_id: str | None, until: float) -> dict[str, str]:
    """Return, by id, what a participant reads in translation; nobody else gets any. `until`: see `view._left_at`."""
    reader = state.members.get(participant_id or "")
    if reader is None:
        return {}
    gone = {u.utterance_id for u in state.utterances.values() if not u.usable or u.started_at > until}
    gone |= {c.message_id for c in state.chat.values() if c.hidden or c.struck or c.at > until}
    gone |= {s.statement_id for s in state.statements.values() if s.withdrawn}
    gone |= {i.intervention_id for i in state.interventions.values() if i.at > until}
    return {key: by[reader.language] for key, by in state.translations.items() if reader.language in by and key not in gone}
