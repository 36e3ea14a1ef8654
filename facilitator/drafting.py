"""Drafting statements: from what was said to claims a group can vote on, always with the utterances they come from.

Two makers, one gate: the model's drafts and the extracted ones are both checked (`_gate`) for form, citations and sameness before anybody
sees them. Pure but for `draft`, which asks the model. Called by `agent` when a statements stage starts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from deliberation.events import AiCalled
from deliberation.state import RoomState, Utterance
from facilitator import prompts
from facilitator.citations import check
from facilitator.extraction import MAX_WORDS, MIN_WORDS, Spoken, choose, claims, discussed, is_same
from facilitator.llm import LanguageModel, Question, ask
from facilitator.text import contains_any, content_stems, count_words, fold_word, overlap, sentences, support, tokens

MIN_SUPPORTING = 0.55  # share of a statement's content words that another utterance holds to support it
MIN_CONTESTING = 0.3  # the same for one that says it disagrees


@dataclass(frozen=True, slots=True)
class Draft:
    """One statement and the utterances that support and contest it."""

    text: str
    supports: tuple[str, ...]
    contests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Drafts:
    """What drafting gave. `method` is `model` or `extraction`; `fallback` tells that the model was asked in vain."""

    drafts: tuple[Draft, ...]
    method: str
    call: AiCalled | None = None
    fallback: bool = False
    rejected: int = 0


class DraftedStatement(BaseModel):
    """One statement in the model's answer; numbers are those of `prompts.numbered`."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(max_length=300)
    supports: list[int] = Field(max_length=12)
    contests: list[int] = Field(default_factory=list, max_length=12)


class StatementDraft(BaseModel):
    """The model's answer."""

    model_config = ConfigDict(extra="forbid")

    statements: list[DraftedStatement] = Field(max_length=16)


async def draft(
    state: RoomState, model: LanguageModel | None, new_id: Callable[[], str], clock: Callable[[], float]
) -> Drafts:
    """Draft up to `drafted_statements` statements from everything discussed so far."""
    count = state.facilitation.drafted_statements
    said = discussed(state)
    if count == 0 or not said:
        return Drafts((), "extraction")
    if model is None or state.facilitation.mode != "model":
        return Drafts(tuple(extracted(state, count)), "extraction")
    prompt = prompts.load("statements", state.facilitation.prompts)
    fitting = fit(state, said, model.max_input_chars)
    question = Question(
        purpose="statements",
        prompt=prompt,
        system=prompt.filled(count=count, language=state.plan.language),
        data=prompts.quoted({"question": state.plan.question, "speech": prompts.numbered(state, fitting)}),
        answer=StatementDraft,
        first_seq=1,
        last_seq=state.seq,
        max_tokens=100 + 120 * count,
    )
    answer = await ask(model, question, new_id(), clock)
    wanted = answer.value.statements if answer.value else []
    good = _gate(state, [_located(state, item) for item in wanted], count)
    if not good:
        return Drafts(tuple(extracted(state, count)), "extraction", answer.call, True, len(wanted))
    return Drafts(tuple(good), "model", answer.call, False, len(wanted) - len(good))


def extracted(state: RoomState, count: int) -> list[Draft]:
    """Return statements taken from what was said, without a model: whole sentences, cleaned, distinct, from everybody."""
    said = discussed(state)
    ranked = claims(said, names_of(state))
    taken = [s.text for s in state.statements.values() if not s.withdrawn]
    picked = choose(ranked, count * 2, taken=taken)
    best = sorted(choose(picked, count, taken=taken), key=lambda c: c.order)
    return [_sourced(claim, said) for claim in best]


def fit(state: RoomState, said: Sequence[Utterance], max_chars: int) -> list[Utterance]:
    """Return what of the speech fits into so many characters: all, or the utterances with the strongest claims, in order."""
    if sum(len(u.text) + 40 for u in said) <= max_chars:
        return list(said)
    score = dict.fromkeys((u.utterance_id for u in said), 0.0)
    for claim in claims(said, names_of(state)):
        for key in claim.utterances:
            score[key] = max(score[key], claim.score)
    kept: set[str] = set()
    left = max_chars
    for u in sorted(said, key=lambda u: -score[u.utterance_id]):
        if len(u.text) + 40 <= left:
            kept.add(u.utterance_id)
            left -= len(u.text) + 40
    return [u for u in said if u.utterance_id in kept]


def names_of(state: RoomState) -> frozenset[str]:
    """Return the folded words of all members' names."""
    return frozenset(fold_word(part) for m in state.members.values() for part in tokens(m.name or ""))


def contesting(text: str, speaker: str, said: Sequence[Utterance]) -> tuple[str, ...]:
    """Return the utterances by others that speak of the same and say that they disagree."""
    return tuple(
        u.utterance_id
        for u in said
        if u.participant_id != speaker
        and contains_any(" ".join(sentences(u.text)[:2]), u.language, "disagreement")
        and _likeness(text, u) >= MIN_CONTESTING
    )


def _sourced(claim: Spoken, said: Sequence[Utterance]) -> Draft:
    contests = contesting(claim.text, claim.participant_id, said)
    others = [
        u.utterance_id
        for u in said
        if u.utterance_id not in claim.utterances
        and u.utterance_id not in contests
        and _likeness(claim.text, u) >= MIN_SUPPORTING
        and contains_any(claim.text, u.language, "negation") == contains_any(u.text, u.language, "negation")
    ]
    return Draft(claim.text, (*claim.utterances, *others), contests)


def _likeness(text: str, utterance: Utterance) -> float:
    """Return the share of a text's content words that the closest sentence of an utterance holds; 0 for too few words."""
    if len(content_stems(text, utterance.language)) < 3:
        return 0.0
    return max((support(text, [part], utterance.language) for part in sentences(utterance.text)), default=0.0)


def _located(state: RoomState, item: DraftedStatement) -> Draft:
    supports = [u.utterance_id for n in item.supports if (u := prompts.utterance_at(state, n)) is not None and u.usable]
    contests = [u.utterance_id for n in item.contests if (u := prompts.utterance_at(state, n)) is not None and u.usable]
    return Draft(" ".join(item.text.split()), tuple(supports), tuple(c for c in contests if c not in supports))


def _gate(state: RoomState, drafts: Sequence[Draft], count: int) -> list[Draft]:
    """Return the drafts that may be shown: fitting form, no names, held by their citations, different from each other."""
    language = state.plan.language
    names = names_of(state)
    taken = [s.text for s in state.statements.values() if not s.withdrawn]
    good: list[Draft] = []
    for item in drafts:
        words = [fold_word(word) for word in tokens(item.text)]
        formed = MIN_WORDS <= count_words(item.text) <= MAX_WORDS and len(sentences(item.text)) == 1
        if not formed or "?" in item.text or "؟" in item.text or names & set(words):
            continue
        if any(is_same(item.text, text, language) for text in (*taken, *(g.text for g in good))):
            continue
        verdict = check(state, item.text, item.supports, (), language)
        if verdict.holds:
            contests = tuple(c for c in item.contests if overlap_with(state, item.text, c, language) > 0)
            good.append(Draft(item.text, verdict.utterances, contests))
    return good[:count]


def overlap_with(state: RoomState, text: str, utterance_id: str, language: str) -> float:
    """Return how much a text and an utterance share, 0..1."""
    return overlap(content_stems(text, language), content_stems(state.utterances[utterance_id].text, language))
