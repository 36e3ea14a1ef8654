"""Texts over many rooms: clauses from statements that bridge, and a statement for those whom a slate leaves out.

Two makers of clauses, one gate: the model's texts must each be held by the statements they name (`citations.check`), what fails is dropped
and counted. Without a usable model clauses are put together from the statements themselves: those that say the same become one clause, in
the words of the one with the widest agreement. Only a model writes for those left out; without one there is nothing to add to their own
statements. Called by the server once all rooms are over; the texts are handed to the methods of `deliberation.outcomes`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from deliberation.design import Design
from deliberation.events import AiCalled
from deliberation.outcomes.drafts import Draft
from deliberation.state import RoomState, Statement
from facilitator import prompts
from facilitator.citations import MIN_SOURCE_SUPPORT, check
from facilitator.extraction import is_same
from facilitator.llm import Answer, LanguageModel, Question, ask
from facilitator.text import contains_any, count_words, sentences, support

CLAUSES = 8
MIN_WORDS, MAX_WORDS = 4, 35
TEXT_CHARS = 60  # of JSON around a statement, of what a model may be given


@dataclass(frozen=True, slots=True)
class Voted:
    """One statement of the record and its votes; `agreement` is the lowest share of any segment, 0–1."""

    item: str
    text: str
    agreement: float = 0.0
    agrees: int = 0
    disagrees: int = 0


@dataclass(frozen=True, slots=True)
class Written:
    """What a model wrote and the gate let through; `rejected` counts what it did not."""

    drafts: tuple[Draft, ...]
    call: AiCalled
    rejected: int


class DraftedText(BaseModel):
    """One text in the model's answer, with the numbers of the statements it rests on."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(max_length=400)
    statements: list[int] = Field(max_length=24)


class ClauseDraft(BaseModel):
    """The model's answer."""

    model_config = ConfigDict(extra="forbid")

    clauses: list[DraftedText] = Field(max_length=16)


def extracted_clauses(statements: Sequence[Voted], language: str) -> tuple[Draft, ...]:
    """Make clauses of bridging statements, the most agreed first: each in a statement's own words, with all that say the same."""
    gathered: list[list[Voted]] = []
    for one in sorted(statements, key=lambda s: -s.agreement):
        if contains_any(one.text, language, "machine"):
            continue
        same = next((group for group in gathered if is_same(group[0].text, one.text, language)), None)
        if same is not None:
            same.append(one)
        elif len(gathered) < CLAUSES:
            gathered.append([one])
    return tuple(Draft(group[0].text, tuple(one.item for one in group)) for group in gathered)


async def write_clauses(
    design: Design, statements: Sequence[Voted], model: LanguageModel, new_id: Callable[[], str], clock: Callable[[], float]
) -> Written:
    """Have a model write clauses from bridging statements."""
    prompt = prompts.load("clauses", design.facilitation.prompts)
    given = _fitting(sorted(statements, key=lambda s: -s.agreement), model.max_input_chars - len(design.question))
    data = [{"n": n, "text": one.text, "agree": round(one.agreement, 2)} for n, one in enumerate(given, 1)]
    question = Question(
        purpose="clauses",
        prompt=prompt,
        system=prompt.filled(count=CLAUSES, language=design.language),
        data=prompts.quoted({"question": design.question, "statements": data}),
        answer=ClauseDraft,
        first_seq=0,
        last_seq=0,
        max_tokens=100 + 120 * CLAUSES,
    )
    answer = await ask(model, question, new_id(), clock)
    wanted = answer.value.clauses if answer.value else []
    drafts: list[Draft] = []
    for one in wanted:
        taken = [draft.text for draft in drafts]
        used = {item for draft in drafts for item in draft.items}
        if (draft := _gated(design, one, given, taken, answer, used)) is not None and len(drafts) < CLAUSES:
            drafts.append(draft)
    return Written(tuple(drafts), answer.call, len(wanted) - len(drafts))


async def write_for_left_out(
    design: Design,
    listed: Sequence[str],
    agreed: Sequence[Voted],
    model: LanguageModel,
    new_id: Callable[[], str],
    clock: Callable[[], float],
) -> Written:
    """Have a model write a statement for people whom a slate leaves out, from what most of them agree with (the generative query)."""
    prompt = prompts.load("left_out", design.facilitation.prompts)
    given = _fitting(agreed, model.max_input_chars - len(design.question) - sum(map(len, listed)))
    data = [{"n": n, "text": one.text, "agrees": one.agrees, "disagrees": one.disagrees} for n, one in enumerate(given, 1)]
    question = Question(
        purpose="left_out",
        prompt=prompt,
        system=prompt.filled(language=design.language),
        data=prompts.quoted({"question": design.question, "list": list(listed), "agreed": data}),
        answer=DraftedText,
        first_seq=0,
        last_seq=0,
        max_tokens=250,
    )
    answer = await ask(model, question, new_id(), clock)
    draft = _gated(design, answer.value, given, listed, answer) if answer.value else None
    return Written((draft,) if draft else (), answer.call, int(answer.value is not None and draft is None))


def _fitting(statements: Sequence[Voted], limit: int) -> list[Voted]:
    given: list[Voted] = []
    for one in statements:
        limit -= len(one.text) + TEXT_CHARS
        if limit < 0:
            break
        given.append(one)
    return given


def _gated(
    design: Design, one: DraftedText, given: Sequence[Voted], taken: Sequence[str], answer: Answer[ClauseDraft] | Answer[DraftedText],
    used: Collection[str] = (),
) -> Draft | None:
    """Return a text as a draft, or None where its form is wrong, its statements do not hold it, or it is there already.

    What it names that holds nothing of it, or is `used` by another, is not taken for what it rests on.
    """
    text, language = " ".join(one.text.split()), design.language
    named = list(dict.fromkeys(given[n - 1] for n in one.statements if 1 <= n <= len(given)))
    named = [voted for voted in named if voted.item not in used and support(text, [voted.text], language) >= MIN_SOURCE_SUPPORT]
    formed = MIN_WORDS <= count_words(text) <= MAX_WORDS and len(sentences(text)) == 1 and not text.endswith(("?", "؟"))
    if not formed or not named or any(is_same(text, other, language) for other in taken):
        return None
    verdict = check(_as_a_room(design, named), text, (), [voted.item for voted in named], language)
    if not verdict.holds:
        return None
    return Draft(text, tuple(voted.item for voted in named), "model", answer.call.model, answer.call.prompt)


def _as_a_room(design: Design, statements: Sequence[Voted]) -> RoomState:
    """Return statements in the form that the citation check reads: nobody is there, so no text may claim that all agree."""
    held = {one.item: Statement(one.item, None, one.text, "carried", (), (), "", 0.0) for one in statements}
    return RoomState(design=design, statements=held)
