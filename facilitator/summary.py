"""Summaries: what a group said and voted, every sentence with what it cites, nothing that its citations do not hold.

Per discussion stage the points that were made (by the model, or extracted), then the votes (always counted here, never by a model). The
citation check drops and counts what fails; whoever said something of substance and was left out gets a sentence of their own, so that
minority views keep their place. Pure but for `summarise`, which asks the model. Called by `agent` when the closing stage starts, and again
(`recheck`) after words were struck.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from deliberation.events import AiCalled, SummaryProposed
from deliberation.payload import Sentence
from deliberation.state import RoomState, Statement, Utterance
from facilitator import meaning, prompts
from facilitator.citations import check
from facilitator.drafting import contesting, fit, names_of
from facilitator.extraction import Spoken, choose, claims, discussed
from facilitator.llm import LanguageModel, Question, ask
from facilitator.meaning import Embedder
from facilitator.text import catalogue, support
from facilitator.wording import phrase

MAX_POINTS = 12  # extracted points of all stages: as many as people will check
MANY_SUPPORT = 0.6  # share of a point's content words that makes another person's utterance the same point


class SummarySentence(BaseModel):
    """One sentence in the model's answer; numbers are those of `prompts.numbered`."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(max_length=500)
    utterances: list[int] = Field(max_length=12)
    minority: bool = False


class SummaryDraft(BaseModel):
    """The model's answer."""

    model_config = ConfigDict(extra="forbid")

    sentences: list[SummarySentence] = Field(max_length=24)


@dataclass(frozen=True, slots=True)
class Summarised:
    """A summary and the calls that went into it, the one that wrote it first."""

    sentences: tuple[Sentence, ...]
    method: str
    dropped: int = 0
    calls: tuple[AiCalled, ...] = ()

    def proposed(self, summary_id: str) -> SummaryProposed:
        """Return the event."""
        return SummaryProposed(
            summary_id=summary_id,
            sentences=self.sentences,
            method=self.method,
            dropped=self.dropped,
            call_id=self.calls[0].call_id if self.calls else None,
        )


async def summarise(
    state: RoomState,
    model: LanguageModel | None,
    new_id: Callable[[], str],
    clock: Callable[[], float],
    embedder: Embedder | None = None,
) -> Summarised:
    """Summarise a room: by the model where there is one and its sentences hold, else by extraction.

    `method` is `model:NAME`, `extraction`, or `extraction:OUTCOME` where the model was asked in vain.
    """
    said = discussed(state)
    votes = vote_sentences(state)
    if model is None or state.facilitation.mode != "model" or not said:
        points, dropped = extracted(state)
        return Summarised((*points, *votes), "extraction", dropped)
    prompt = prompts.load("summary", state.facilitation.prompts)
    count = max(6, 2 * len(state.seated))
    question = Question(
        purpose="summary",
        prompt=prompt,
        system=prompt.filled(count=count, language=state.plan.language),
        data=prompts.quoted(
            {
                "question": state.plan.question,
                "speech": prompts.numbered(state, fit(state, said, model.max_input_chars)),
            }
        ),
        answer=SummaryDraft,
        first_seq=1,
        last_seq=state.seq,
        max_tokens=100 + 120 * count,
    )
    answer = await ask(model, question, new_id(), clock)
    wanted = answer.value.sentences if answer.value else []
    alike = await meaning.closest(embedder, [(i.text, _sources(state, i)) for i in wanted], new_id(), clock, state.seq)
    calls = tuple(call for call in (answer.call, alike.call) if call)
    checked = (_checked(state, item, likeness) for item, likeness in zip(wanted, alike.values, strict=True))
    kept = [s for s in checked if s is not None]
    dropped = len(wanted) - len(kept)
    if not kept:
        points, lost = extracted(state)
        outcome = answer.call.outcome if answer.value is None else "unsupported"
        return Summarised((*points, *votes), f"extraction:{outcome}", dropped + lost, calls)
    left_out, lost = extracted(state, beside=kept)
    points = tuple(sorted((*kept, *left_out), key=lambda s: _place(state, s)))
    return Summarised((*points, *votes), f"model:{model.name}", dropped + lost, calls)


def extracted(state: RoomState, beside: Sequence[Sentence] = ()) -> tuple[tuple[Sentence, ...], int]:
    """Return the points of each discussion stage in people's own words, and how many failed the citation check.

    With `beside`, only points of people whom those sentences do not cite.
    """
    covered = {state.utterances[key].participant_id for s in beside for key in s.utterances}
    chosen: list[Sentence] = []
    dropped = turn = 0
    everything = max(1, sum(len(u.text) for u in discussed(state)))
    for stage in state.plan.agenda:
        said = discussed(state, stage.id)
        ranked = [c for c in claims(said, names_of(state)) if c.participant_id not in covered]
        people = len({c.participant_id for c in ranked})
        share = sum(len(u.text) for u in said) / everything
        count = people if beside else max(people, round(MAX_POINTS * share))
        taken = [s.text for s in (*beside, *chosen)]
        for claim in choose(ranked, count, taken=taken):
            sentence = _quoting(state, claim, said, turn)
            turn += 1
            verdict = check(state, sentence.text, sentence.utterances, (), state.plan.language)
            dropped += not verdict.holds
            if verdict.holds:
                chosen.append(sentence)
    return tuple(chosen), dropped


def vote_sentences(state: RoomState) -> tuple[Sentence, ...]:
    """Return how the group voted, one sentence for each statement with votes, most agreed first, dissent in the same sentence.

    Words spoken against a statement that the majority agreed with follow it as a minority's view.
    """
    said = discussed(state)
    voted = [s for s in state.statements.values() if s.votes and not s.withdrawn]
    voted.sort(key=lambda s: (-_balance(s), s.at))
    result: list[Sentence] = []
    for statement in voted:
        result.append(_vote_sentence(state, statement))
        against = [state.utterances[key] for key in statement.contests if state.utterances[key].usable]
        if _balance(statement) > 0 and against:
            result += _dissent(state, statement, against, said)
    return tuple(result)


def recheck(state: RoomState) -> Summarised | None:
    """Return the summary without what no longer holds after words were struck or hidden; None where nothing has changed.

    No model is asked: a sentence stays, loses a citation, or goes. Who was cited only by one that goes is quoted in its place.
    """
    summary = state.summary
    if summary is None or not summary.flagged:
        return None
    kept: list[Sentence] = []
    for sentence in summary.sentences:
        verdict = check(state, sentence.text, sentence.utterances, sentence.statements, state.plan.language)
        if verdict.holds:
            update = {"utterances": verdict.utterances, "statements": verdict.statements}
            kept.append(sentence.model_copy(update=update))
    gone = len(summary.sentences) - len(kept)
    cited = {u for sentence in summary.sentences for u in sentence.utterances}
    heard = {u.participant_id for u in state.utterances.values() if u.utterance_id in cited and u.usable}
    again, _ = extracted(state, beside=kept) if heard else ((), 0)
    kept += [s for s in again if any(state.utterances[u].participant_id in heard for u in s.utterances)]
    return Summarised(tuple(kept), summary.method, summary.dropped + gone)


def _sources(state: RoomState, item: SummarySentence) -> list[str]:
    return [u.text for n in item.utterances if (u := prompts.utterance_at(state, n)) is not None and u.usable]


def _checked(state: RoomState, item: SummarySentence, likeness: float | None) -> Sentence | None:
    cited = [u for n in item.utterances if (u := prompts.utterance_at(state, n)) is not None]
    text = " ".join(item.text.split())
    verdict = check(state, text, [u.utterance_id for u in cited], (), state.plan.language, (), likeness)
    if not verdict.holds:
        return None
    stage_id = state.utterances[verdict.utterances[0]].stage_id
    return Sentence(text=text, utterances=verdict.utterances, stage_id=stage_id, minority=item.minority)


def _quoting(state: RoomState, claim: Spoken, said: Sequence[Utterance], turn: int) -> Sentence:
    language = state.plan.language
    against = contesting(claim.text, claim.participant_id, said)
    same = [
        u
        for u in said
        if u.participant_id != claim.participant_id
        and u.utterance_id not in against
        and support(claim.text, [u.text], language) >= MANY_SUPPORT
    ]
    people = {claim.participant_id, *(u.participant_id for u in same)}
    opponents = {state.utterances[key].participant_id for key in against}
    if len(people) > 1:
        text = phrase(language, "summary.many", count=len(people), quote=claim.text)
    else:
        variants = catalogue(language)["summary.one"]
        text = variants[turn % len(variants)].replace("{quote}", claim.text)
    return Sentence(
        text=text,
        utterances=(*claim.utterances, *(u.utterance_id for u in same)),
        stage_id=claim.stage_id,
        minority=len(opponents) > len(people),
    )


def _balance(statement: Statement) -> float:
    votes = list(statement.votes.values())
    return (votes.count(1) - votes.count(-1)) / len(votes)


def _vote_sentence(state: RoomState, statement: Statement) -> Sentence:
    votes = list(statement.votes.values())
    agree, disagree, passed, of = votes.count(1), votes.count(-1), votes.count(0), len(votes)
    if agree == of and of > 1:
        key = "all_agreed"
    elif agree * 2 > of:
        key = "agreed"
    elif disagree * 2 > of:
        key = "rejected"
    else:
        key = "divided" if min(agree, disagree) > 0 else "open"
    text = phrase(
        state.plan.language,
        f"summary.{key}",
        statement=statement.text,
        agree=agree,
        disagree=disagree,
        passed=passed,
        of=of,
    )
    return Sentence(text=text, statements=(statement.statement_id,), stage_id=statement.stage_id)


def _dissent(
    state: RoomState, statement: Statement, against: Sequence[Utterance], said: Sequence[Utterance]
) -> list[Sentence]:
    ids = {u.utterance_id for u in against}
    ranked = claims([u for u in said if u.utterance_id in ids], names_of(state))
    return [
        Sentence(
            text=phrase(state.plan.language, "summary.against", quote=claim.text),
            utterances=claim.utterances,
            stage_id=statement.stage_id,
            minority=True,
        )
        for claim in choose(ranked, 1)
    ]


def _place(state: RoomState, sentence: Sentence) -> float:
    return min(state.utterances[key].started_at for key in sentence.utterances)
