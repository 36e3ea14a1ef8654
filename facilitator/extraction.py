"""Extraction: finds the sentences worth showing among what was said, without any model.

TextRank (Mihalcea & Tarau 2004) over sentences, weighted by how much a sentence is a claim that stands on its own, then chosen so that
they differ and that everybody who said something of substance is there. Cited by construction: a `Spoken` carries the ids it comes from.
Pure; used by `drafting` and `summary` as their own method and as what they fall back to.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from deliberation.state import RoomState, Utterance
from facilitator.text import (
    contains_any,
    content_stems,
    count_words,
    fold_word,
    language_words,
    overlap,
    sentences,
    tokens,
)

MIN_WORDS = 5
MAX_WORDS = 30
JOIN_SECONDS = 3.0  # a speaker's next utterance within this time goes on with an unfinished sentence
TOO_SIMILAR = 0.4
DAMPING = 0.85
PAUSES = ",.;:…–—-،؛"
MIN_FITNESS = 0.45  # below this a sentence is talk, not a claim
_ENDS = re.compile(r"[.!?؟…][\"”’)]*$")
_STUTTER = re.compile(r"\b(\w+)([ ,]+\1\b)+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Spoken:
    """One sentence, cleaned of fillers, and where it was said. `score` is 0 until ranked."""

    text: str
    utterances: tuple[str, ...]
    participant_id: str
    language: str
    stage_id: str
    order: int
    whole: bool = True
    confidence: float = 1.0
    score: float = 0.0


def discussed(state: RoomState, stage_id: str | None = None) -> list[Utterance]:
    """Return the usable utterances, oldest first, of one stage or of all."""
    said = (u for u in state.utterances.values() if u.usable and stage_id in (None, u.stage_id))
    return sorted(said, key=lambda u: u.started_at)


def claims(utterances: Iterable[Utterance], names: Collection[str] = ()) -> list[Spoken]:
    """Return the sentences that can stand as claims, ranked scores included, in the order in which they were said."""
    candidates = [part for spoken in _spoken(utterances) for part in _parts(spoken)]
    fit = [(c, fitness(c, names)) for c in candidates]
    kept = [(c, f) for c, f in fit if f >= MIN_FITNESS]
    ranks = textrank([c.text for c, _ in kept], [c.language for c, _ in kept])
    return [replace(c, score=f * (0.5 + r)) for (c, f), r in zip(kept, ranks, strict=True)]


def choose(ranked: Sequence[Spoken], count: int, *, taken: Sequence[str] = ()) -> list[Spoken]:
    """Choose up to `count` claims that differ from each other and from `taken`, in spoken order.

    Everybody's best claim comes first, then the best of the rest, so that one talkative person cannot fill the list.
    """
    by_score = sorted(ranked, key=lambda c: (-c.score, c.order))
    chosen: list[Spoken] = []
    heard: dict[str, int] = {}
    rounds = 0
    while len(chosen) < count and rounds < count:
        rounds += 1
        for claim in by_score:
            if len(chosen) == count:
                break
            if heard.get(claim.participant_id, 0) >= rounds or claim in chosen:
                continue
            if any(is_same(claim.text, text, claim.language) for text in (*taken, *(c.text for c in chosen))):
                continue
            chosen.append(claim)
            heard[claim.participant_id] = heard.get(claim.participant_id, 0) + 1
    return sorted(chosen, key=lambda c: c.order)


def fitness(claim: Spoken, names: Collection[str] = ()) -> float:
    """Return how well a sentence can be voted on, 0 (not at all) .. about 1.5: a whole, self-contained claim of fitting length."""
    text, language = claim.text, claim.language
    words = tokens(text)
    size = len(words)
    if size < MIN_WORDS or size > MAX_WORDS or text.rstrip('"”»’)').endswith(("?", "؟")):
        return 0.0
    if contains_any(text, language, "machine"):  # an instruction to a machine is no claim
        return 0.0
    first = fold_word(words[0])
    value = 1.0 if claim.whole else 0.5
    value *= 0.75 if size < 7 or size > 25 else 1.0
    if contains_any(text, language, "strong_claim"):
        value *= 1.5
    elif not contains_any(text, language, "claim"):
        value *= 0.55
    if first in _first_words(language, "deictic") or first.partition("'")[0] in _first_words(language, "deictic"):
        value *= 0.3
    if first in _first_words(language, "subordinate"):
        value *= 0.3
    if any(fold_word(w) in _first_words(language, "first_person") for w in words):
        value *= 0.6
    if any(fold_word(w) in names for w in words):
        value *= 0.3
    if len(content_stems(text, language)) < 3:
        value *= 0.4
    return value * (1.0 if claim.confidence >= 0.5 else 0.6)


def textrank(texts: Sequence[str], languages: Sequence[str]) -> list[float]:
    """Return how central each text is, 0..1 (1: the most central), by PageRank over word overlap; damping 0.85."""
    size = len(texts)
    if size == 0:
        return []
    stems = [content_stems(text, language) for text, language in zip(texts, languages, strict=True)]
    weights = np.zeros((size, size))
    for i in range(size):
        for j in range(i + 1, size):
            shared = len(stems[i] & stems[j])
            if shared:
                norm = math.log(len(stems[i]) + 1) + math.log(len(stems[j]) + 1)
                weights[i, j] = weights[j, i] = shared / norm
    out = weights.sum(axis=1)
    flow = np.divide(weights, out[:, None], out=np.zeros_like(weights), where=out[:, None] > 0)
    rank = np.full(size, 1 / size)
    for _ in range(60):
        rank = (1 - DAMPING) / size + DAMPING * (rank @ flow)
    return [float(value) for value in rank / rank.max()]


def clean(text: str, language: str) -> str:
    """Return a sentence without fillers, stutters and lead-ins ("well, I think that …"), with a capital and a full stop."""
    text = _STUTTER.sub(r"\1", text.strip().strip('"“”«»'))
    while (rest := _without_opener(text, language)) is not None:
        text = rest
    text = re.sub(
        r"^(?:i (?:dis)?agree|estoy de acuerdo) (?:with|con) \w+(?: (?:that|en que))?[,:]? ",
        "",
        text,
        flags=re.IGNORECASE,
    )
    for noise in ("um", "uh", "erm", "er", "hmm"):
        text = re.sub(rf",? \b{noise}\b,?", "", text, flags=re.IGNORECASE)
    text = text.strip(" ,;:-–—")
    text = text[:1].upper() + text[1:]
    return text if not text or _ENDS.search(text) else text + "."


def _without_opener(text: str, language: str) -> str | None:
    """Return the text without its first filler or lead-in, None if it has none or would be left with nothing.

    A word that may carry meaning ("no", "right", "claro") is a filler only where the speaker paused after it.
    """
    for kind, pause in (("lead_in", False), ("opener", False), ("filler", True)):
        for opener in sorted(language_words(language, kind), key=len, reverse=True):
            if text[: len(opener)].casefold() != opener or count_words(text) <= count_words(opener) + 2:
                continue
            rest = text[len(opener) :]
            if rest[:1] and (rest[0] in PAUSES or (rest[0] == " " and not pause)):
                return rest.lstrip(" " + PAUSES)
    return None


def _spoken(utterances: Iterable[Utterance]) -> Iterable[Spoken]:
    """Yield what was said sentence by sentence; an unfinished end goes on in the same speaker's next utterance."""
    unfinished: dict[str, tuple[Spoken, float]] = {}
    order = 0
    for u in utterances:
        open_part, ended_at = unfinished.pop(u.participant_id, (None, 0.0))
        if open_part is not None and u.started_at - ended_at > JOIN_SECONDS:
            yield open_part
            open_part = None
        parts = sentences(f"{open_part.text} {u.text}" if open_part else u.text)
        for index, part in enumerate(parts):
            order += 1
            cited = (*open_part.utterances, u.utterance_id) if open_part and index == 0 else (u.utterance_id,)
            whole = _ENDS.search(part) is not None
            spoken = Spoken(part, cited, u.participant_id, u.language, u.stage_id, order, whole, u.confidence)
            if whole or index < len(parts) - 1:
                yield spoken
            else:
                unfinished[u.participant_id] = (spoken, u.ended_at)
    for spoken, _ in unfinished.values():
        yield spoken


def _parts(spoken: Spoken) -> list[Spoken]:
    """Split a sentence at its contrasts ("…, but …"), so that each part is one claim, and clean the parts."""
    contrast = "|".join(re.escape(word) for word in language_words(spoken.language, "contrast"))
    halves = re.split(rf"(?:[,;]|\s[–—])\s+(?:{contrast})\b,?\s+|;\s+", spoken.text, flags=re.IGNORECASE)
    if any(count_words(half) < MIN_WORDS for half in halves):
        halves = [spoken.text]
    cleaned = (clean(half, spoken.language) for half in halves)
    return [replace(spoken, text=text, order=spoken.order * 10 + i) for i, text in enumerate(cleaned) if text]


def is_same(some: str, other: str, language: str) -> bool:
    """Tell whether two texts say so much of the same that only one of them is worth showing."""
    stems, others = content_stems(some, language), content_stems(other, language)
    smaller = min(len(stems), len(others))
    return overlap(stems, others) > TOO_SIMILAR or (smaller > 0 and len(stems & others) / smaller >= 0.75)


def _first_words(language: str, kind: str) -> frozenset[str]:
    return frozenset(fold_word(word) for word in language_words(language, kind))
