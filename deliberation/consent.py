"""Itemised, versioned, revocable consent: what people agree to, and what must be erased when they take it back.

Owns the items, the check of a consent that is given, and erasure as a pure operation on a room's events. The store applies the same
operation to its rows (server/storage/store.py), so what is gone from a page is gone from the database. Pure.

Four things can be erased, each known by ids alone, so that the list of erasures may be kept for good:

    subject  the text of one utterance, message or statement, taken back by who said it
    words    everything one participant said and wrote, their name and segments (`on_withdraw: erase`)
    name     a participant's name and segments; what they said stays (`on_withdraw: pseudonymise`)
    audio    a participant's recordings (files; nothing in the events)

What was made of erased words goes with them: statements that the AI drafted from nothing else, sentences of the summary that cite them, and
whatever repeats any of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from deliberation.design import Consent
from deliberation.errors import Conflict, InvalidInput
from deliberation.events import (
    ChatStruck,
    ConsentGiven,
    ConsentWithdrawn,
    Event,
    MemberJoined,
    Payload,
    StatementAdded,
    StatementWithdrawn,
    SummaryProposed,
    UtteranceFinal,
    UtteranceStruck,
)
from deliberation.group_statement import CandidateCritiqued, CandidateProposed
from deliberation.names import Masker
from deliberation.redactor import mask_payload
from deliberation.translations import TextTranslated
from deliberation.values import CardAdded, CardWithdrawn

ITEMS = ("take_part", "record", "quote")
REQUIRED = ("take_part",)
ECHO_WORDS = 5  # a run of this many words in common is taken for a quotation


def consent_given(
    participant_id: str, ticked: Mapping[str, bool], version: str, language: str, text: Consent
) -> ConsentGiven:
    """Check what somebody ticked against the consent text `text`, and return the event.

    Items that are not named count as not ticked. Raises `Conflict("consent_changed")` for an older version of the text,
    `InvalidInput("consent_missing")` without the required items.
    """
    if version != text.version:
        raise Conflict("consent_changed", "The consent text has changed.", "Please read and answer it again.")
    unknown = set(ticked) - set(ITEMS)
    if unknown:
        raise InvalidInput("consent_unknown", f"There is no such consent item: {', '.join(sorted(unknown))}.")
    items = {item: bool(ticked.get(item, False)) for item in ITEMS}
    if not all(items[item] for item in REQUIRED):
        raise InvalidInput("consent_missing", "Taking part needs your agreement to do so with an AI facilitator.")
    return ConsentGiven(participant_id=participant_id, items=items, version=version, language=language)


@dataclass(frozen=True, slots=True)
class Erasure:
    """One thing to be erased: an id of an utterance or message for `subject`, of a participant otherwise."""

    what: Literal["subject", "words", "name", "audio"]
    id: str


def erasures_of(payload: Payload, on_withdraw: Literal["erase", "pseudonymise"]) -> tuple[Erasure, ...]:
    """Return what an event erases. Taking part being withdrawn takes the recordings along in either case: a voice is a name."""
    match payload:
        case UtteranceStruck():
            return (Erasure("subject", payload.utterance_id),)
        case ChatStruck():
            return (Erasure("subject", payload.message_id),)
        case StatementWithdrawn() if payload.by != "facilitator":
            return (Erasure("subject", payload.statement_id),)
        case CardWithdrawn() if payload.by == "author":
            return (Erasure("subject", payload.card_id),)
        case ConsentWithdrawn() if "take_part" in payload.items:
            what: Literal["words", "name"] = "words" if on_withdraw == "erase" else "name"
            return (Erasure(what, payload.participant_id), Erasure("audio", payload.participant_id))
        case ConsentWithdrawn() if "record" in payload.items:
            return (Erasure("audio", payload.participant_id),)
    return ()


def erase(events: Iterable[Event], erasure: Erasure) -> dict[int, Payload]:
    """Return, by seq, the payloads that an erasure changes, as they are to be kept from now on.

    Besides the thing itself, what was made of it goes (`_made_of`), and what the facilitator wrote where it repeats any of these words
    (`ECHO_WORDS` in a row, or all of them): whole texts, and in summaries single sentences. With somebody's name, it goes from what the
    others said too.
    """
    events = tuple(events)
    changed = {event.seq: _blank(event.payload) for event in events if _hit(event.payload, erasure)}
    gone = [text for event in events if event.seq in changed for text in _texts(event.payload)]
    if gone or erasure.what in ("subject", "words"):
        made, texts = _made_of(events, changed)
        changed |= made
        gone += texts
    if gone:
        for event in events:
            kept = changed.get(event.seq) or event.payload
            rewritten = _without_echoes(kept, gone) if kept.owner is None else None
            if rewritten is not None:
                changed[event.seq] = rewritten
    subjects = {event.payload.subject for event in events if event.seq in changed}
    for event in events:  # a translation goes with what it translates
        if isinstance(event.payload, TextTranslated) and event.payload.subject_id.partition(":")[0] in subjects:
            changed[event.seq] = _blank(event.payload)
    spoken = [
        (e.payload.name, f"Participant {e.payload.seat}")
        for e in events
        if isinstance(e.payload, MemberJoined) and e.payload.name and e.seq in changed
    ]
    if spoken:
        masker = Masker(spoken)
        for event in events:
            before = changed.get(event.seq) or event.payload
            after = mask_payload(before, masker)
            if after != before:
                changed[event.seq] = after
    return {seq: payload for seq, payload in changed.items() if payload is not None}


def _made_of(events: Sequence[Event], changed: Mapping[int, Payload | None]) -> tuple[dict[int, Payload | None], list[str]]:
    """Return what rests on words that are gone, without its text, and those texts.

    A statement that the AI drafted goes when all that it rests on has gone; a sentence of a summary or of a group's text, when anything that
    it cites has.
    """
    gone: set[str] = set()
    made: dict[int, Payload | None] = {}
    texts: list[str] = []
    for event in events:
        payload = event.payload
        erased_here = event.seq in changed
        if isinstance(payload, UtteranceFinal | StatementAdded | CandidateCritiqued) and (erased_here or payload.text is None):
            gone.add(payload.subject or "")
        elif isinstance(payload, StatementAdded) and payload.origin == "ai" and payload.supports and gone.issuperset(payload.supports):
            made[event.seq] = _blank(payload)
            texts.append(payload.text or "")
            gone.add(payload.statement_id)
        elif isinstance(payload, SummaryProposed | CandidateProposed) and payload.sentences is not None:
            cites = [bool(s.text) and not gone.isdisjoint((*s.utterances, *s.statements, *s.critiques)) for s in payload.sentences]
            if any(cites):
                texts += [s.text for s, hit in zip(payload.sentences, cites, strict=True) if hit]
                kept = tuple(s.model_copy(update={"text": ""}) if hit else s for s, hit in zip(payload.sentences, cites, strict=True))
                made[event.seq] = payload.model_copy(update={"sentences": kept})
    return made, [text for text in texts if text]


def erased(events: Sequence[Event], erasures: Iterable[Erasure]) -> list[Event]:
    """Return the events after some erasures."""
    kept = list(events)
    for erasure in erasures:
        changed = erase(kept, erasure)
        kept = [Event(e.seq, e.at, e.actor, changed.get(e.seq, e.payload)) for e in kept]
    return kept


def _hit(payload: Payload, erasure: Erasure) -> bool:
    if erasure.what == "subject":
        return payload.subject == erasure.id
    if erasure.what == "words":
        return payload.owner == erasure.id
    return erasure.what == "name" and isinstance(payload, MemberJoined) and payload.owner == erasure.id


def _blank(payload: Payload) -> Payload | None:
    """Return the payload without its personal fields; None where it has none."""
    fields = payload.personal_fields()
    return payload.model_copy(update=dict.fromkeys(fields)) if fields else None


def _texts(payload: Payload) -> list[str]:
    if isinstance(payload, MemberJoined):
        return []
    if isinstance(payload, CardAdded):
        return [text for text in (payload.title, payload.story, *(payload.attends or ())) if text]
    return [text for text in (getattr(payload, "text", None),) if text]


def _without_echoes(payload: Payload, gone: Iterable[str]) -> Payload | None:
    """Return the payload without what repeats one of the erased texts; None where it repeats nothing."""
    if isinstance(payload, SummaryProposed | CandidateProposed):
        if payload.sentences is None:
            return None
        sentences = tuple(
            s.model_copy(update={"text": ""}) if any(echoes(s.text, text) for text in gone) else s
            for s in payload.sentences
        )
        return None if sentences == payload.sentences else payload.model_copy(update={"sentences": sentences})
    for name in payload.personal_fields():
        value = getattr(payload, name)
        if isinstance(value, str) and any(echoes(value, text) for text in gone):
            return _blank(payload)
    return None


def echoes(text: str, original: str) -> bool:
    """Say whether `text` repeats `original`: `ECHO_WORDS` of its words in a row, or all of them if there are fewer (but two at least)."""
    run, words = _words(original), f" {' '.join(_words(text))} "
    length = min(ECHO_WORDS, len(run))
    if length < 2:
        return False
    return any(f" {' '.join(run[i : i + length])} " in words for i in range(len(run) - length + 1))


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())
