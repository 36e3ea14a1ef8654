"""Safety: words that call a human, words that ask the others whether they were all right, and participants' reports.

Bypasses the budget and the design's mode: it holds wherever `Facilitation.safety.enabled` does. Words are matched whole, case and accents
folded, from the catalogue of the language that was spoken plus the design's own lists. The group decides, a human overrules; nothing
here hides or removes anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from deliberation.state import RoomState
from facilitator.floor import latest, newest_first
from facilitator.moves import AskOthers, CallHuman, Move, Say
from facilitator.text import fold_word, language_words, tokens

LOOK_BACK_SECONDS = 120.0  # older words have been judged, or the transcription was two minutes late
AGAIN_SECONDS = 120.0  # one call for a person's distress in this time


def decide(state: RoomState, now: float) -> list[Move]:
    """Return what safety asks for now: distress first, then reports, then one question about possible insults."""
    if not state.facilitation.safety.enabled:
        return []
    return _distress(state, now) or _reports(state) or _insults(state, now)


def _distress(state: RoomState, now: float) -> list[Move]:
    extra = state.facilitation.safety.distress
    for who, _, at, text, language in _recent(state, now):
        if not matches(text, language, "distress", extra):
            continue
        told = latest(state, "safety.distress", about=who)
        if told is not None and (told.at >= at or now - told.at < AGAIN_SECONDS):
            continue
        card = Say(
            "safety.distress", "safety", (who,), who, numbers={"heard_at": at}, actions=("call_human", "decline")
        )
        call = [] if state.help else [CallHuman(who, "words of distress were heard")]
        return [*call, card]
    return []


def _reports(state: RoomState) -> list[Move]:
    for index, report in enumerate(state.reports):
        who = report.participant_id
        known = (i for i in state.interventions.values() if i.rule == "safety.report")
        if any(i.numbers.get("report") == index for i in known):
            continue
        moves: list[Move] = [] if state.help else [CallHuman(who, "a participant reported a problem")]
        subject = state.utterances.get(report.about) or state.chat.get(report.about)
        if subject is not None and subject.participant_id != who:
            moves += _ask(state, subject.participant_id, report.about, "reported by a participant", but=who)
        moves.append(Say("safety.report", "safety", (who,), who, numbers={"report": float(index)}))
        return moves
    return []


def _insults(state: RoomState, now: float) -> list[Move]:
    extra = state.facilitation.safety.insults
    undecided = {case.participant_id for case in state.safety.values() if case.verdict is None}
    for who, subject_id, _, text, language in _recent(state, now):
        if who not in undecided and matches(text, language, "insults", extra):
            moves = _ask(state, who, subject_id, "possible insult")
            if moves:
                return moves if state.help else [CallHuman(None, "a possible insult; the others are asked"), *moves]
    return []


def _ask(state: RoomState, culprit: str, subject_id: str, why: str, but: str | None = None) -> list[Move]:
    if any(case.subject_id == subject_id for case in state.safety.values()):
        return []
    asked = tuple(m.participant_id for m in state.present if m.participant_id not in (culprit, but))
    return [AskOthers(culprit, subject_id, asked, why)] if asked else []


def _recent(state: RoomState, now: float) -> Iterator[tuple[str, str, float, str, str]]:
    """Yield (who, id, when, text, language) of what was said and written lately, newest first."""
    for u in newest_first(state.utterances):
        if now - u.ended_at > LOOK_BACK_SECONDS:
            break
        if u.usable:
            yield u.participant_id, u.utterance_id, u.ended_at, u.text, u.language
    for m in newest_first(state.chat):
        if now - m.at > LOOK_BACK_SECONDS:
            break
        writer = state.members.get(m.participant_id)
        if m.text and not m.struck and not m.hidden and writer is not None:
            yield m.participant_id, m.message_id, m.at, m.text, writer.language


@lru_cache(maxsize=4096)
def matches(text: str, language: str, kind: str, extra: tuple[str, ...] = ()) -> bool:
    """Tell whether a text holds one of the words or phrases of a list, as whole words in this order."""
    said = [fold_word(word) for word in tokens(text)]
    return any(_within(phrase, said) for phrase in _phrases(language, kind, extra))


@lru_cache(maxsize=64)
def _phrases(language: str, kind: str, extra: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    phrases: Iterable[str] = (*language_words(language, kind), *extra)
    return tuple(tuple(fold_word(word) for word in tokens(phrase)) for phrase in phrases)


def _within(phrase: tuple[str, ...], said: list[str]) -> bool:
    size = len(phrase)
    return size > 0 and any(tuple(said[i : i + size]) == phrase for i in range(len(said) - size + 1))
