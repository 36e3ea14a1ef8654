"""Candidates for a group's statement: from everyone's views, and in the second round from the critiques of what was chosen.

Two makers, one gate: the model's texts are cut into sentences, each is given the sources that hold it and has to pass the citation check; what
fails is dropped and counted. Without a usable model the candidates are put together from statements the group has voted on, or from what
each member said, cited by construction; a revision then sets the critiques beside the text in their writers' words. The winner of the first
round always stands again, so that a revision can lose. Who ranks, critiques and decides when: `deliberation.group_statement`. Called by `agent`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from deliberation.events import AiCalled, Payload
from deliberation.group_statement import CandidateProposed, GroupStatement, RankingOpened
from deliberation.payload import Sentence
from deliberation.state import RoomState, Statement
from facilitator import prompts
from facilitator.citations import cited
from facilitator.drafting import extracted
from facilitator.extraction import discussed
from facilitator.llm import LanguageModel, Question, ask
from facilitator.text import contains_any, count_words, sentences, shorten
from facilitator.wording import phrase

CANDIDATES = 4
MAX_WORDS = 90
EXTRACTED_POINTS = 6  # what was said, where nothing has been voted on
CRITIQUE_WORDS = 30  # of a critique that is set beside a text without a model

Text = tuple[Sentence, ...]


class StatementCandidates(BaseModel):
    """The model's answer."""

    model_config = ConfigDict(extra="forbid")

    statements: list[str] = Field(max_length=8)


@dataclass(frozen=True, slots=True)
class Proposals:
    """What may be ranked. `method` is `model` or `extraction`; `fallback` tells that the model was asked in vain; `dropped` counts sentences."""

    payloads: tuple[Payload, ...]
    count: int
    method: str
    call: AiCalled | None = None
    fallback: bool = False
    dropped: int = 0


async def propose(
    state: RoomState,
    one: GroupStatement,
    model: LanguageModel | None,
    new_id: Callable[[], str],
    clock: Callable[[], float],
) -> Proposals:
    """Return the candidates of the round that begins: the first while `one` is being drafted, the second while it is being revised."""
    before = one.winner if one.step == "revising" else None
    critiques = {c.critique_id: c.text for c in one.critiques.values() if c.text} if before else {}
    kept = [before.sentences] if before else []
    texts: list[Text] = []
    call, dropped, asked = None, 0, False
    views = views_of(state)
    if model is not None and state.facilitation.mode == "model" and views:
        asked = True
        call, said = await _ask(state, views, before.text if before else "", critiques, model, new_id, clock)
        for text in said[:CANDIDATES]:
            good, lost = _gated(state, text, critiques)
            dropped += lost
            if good and good not in texts:
                texts.append(good)
    method = "model" if texts else "extraction"
    if not texts:
        texts = revised(state, before.sentences, critiques) if before else from_votes(state) or from_talk(state)
    round_ = 2 if before else 1
    options = [(text, "kept") for text in kept] + [(text, method) for text in texts if text not in kept]
    payloads: list[Payload] = [call] if call else []
    payloads += [
        CandidateProposed(
            candidate_id=new_id(),
            stage_id=one.stage_id,
            round=round_,
            sentences=text,
            method=how,
            call_id=call.call_id if call and how == "model" else None,
        )
        for text, how in options
    ]
    payloads.append(RankingOpened(stage_id=one.stage_id, round=round_, dropped=dropped))
    return Proposals(tuple(payloads), len(options), method, call, asked and method != "model", dropped)


def views_of(state: RoomState) -> dict[str, list[str]]:
    """Return what each member has said, written and put to the vote, by seat (`P1`, …); attempts to instruct a machine are left out."""
    views: dict[str, list[str]] = {}

    def add(participant_id: str | None, language: str, text: str) -> None:
        member = state.members.get(participant_id or "")
        if member is not None and text and not contains_any(text, language, "machine"):
            views.setdefault(f"P{member.seat}", []).append(text)

    for u in discussed(state):
        add(u.participant_id, u.language, u.text)
    for c in state.chat.values():
        if not c.struck and not c.hidden:
            add(c.participant_id, state.plan.language, c.text)
    for s in state.statements.values():
        if not s.withdrawn:
            add(s.participant_id, state.plan.language, s.text)
    return views


async def _ask(
    state: RoomState,
    views: dict[str, list[str]],
    before: str,
    critiques: dict[str, str],
    model: LanguageModel,
    new_id: Callable[[], str],
    clock: Callable[[], float],
) -> tuple[AiCalled, list[str]]:
    prompt = prompts.load("group_statement", state.facilitation.prompts)
    room = model.max_input_chars - len(before) - sum(map(len, critiques.values())) - len(state.plan.question)
    each = max(200, room // len(views))
    data: dict[str, object] = {
        "question": state.plan.question,
        "views": [{"member": who, "text": _newest(said, each)} for who, said in views.items()],
    }
    if before:
        data |= {"statement": before, "critiques": list(critiques.values())}
    question = Question(
        purpose="group_statement",
        prompt=prompt,
        system=prompt.filled(count=min(CANDIDATES, max(2, len(views))), language=state.plan.language),
        data=prompts.quoted(data),
        answer=StatementCandidates,
        first_seq=1,
        last_seq=state.seq,
        max_tokens=100 + 150 * CANDIDATES,
    )
    answer = await ask(model, question, new_id(), clock)
    return answer.call, answer.value.statements if answer.value else []


def _newest(said: Sequence[str], limit: int) -> str:
    """Return the last of somebody's words that fit into so many characters."""
    kept: list[str] = []
    for text in reversed(said):
        if kept and sum(map(len, kept)) + len(text) > limit:
            break
        kept.append(text[:limit])
    return " ".join(reversed(kept))


def _gated(state: RoomState, text: str, critiques: dict[str, str]) -> tuple[Text, int]:
    """Return the sentences of a text that what was said holds, each with its sources, and how many were dropped; all of a text that is too long."""
    parts = sentences(text)
    good = [s for part in parts if (s := cited(state, part, critiques)) is not None]
    if sum(count_words(s.text) for s in good) > MAX_WORDS:
        return (), len(parts)
    return tuple(good), len(parts) - len(good)


def from_votes(state: RoomState) -> list[Text]:
    """Return candidates put together from voted statements: all with a majority, those nobody opposed, the most agreed; and with the difference named."""
    voted = [s for s in state.statements.values() if s.votes and not s.withdrawn]
    voted.sort(key=lambda s: (-_agreement(s), s.at))
    majority = [s for s in voted if _agreement(s) > 0]
    divided = next((s for s in voted if {1, -1} <= set(s.votes.values())), None)
    sets: list[Text] = [
        tuple(_voted(s) for s in majority),
        tuple(_voted(s) for s in majority if -1 not in s.votes.values()),
        tuple(_voted(s) for s in majority[:2]),
        tuple(_voted(s) for s in majority[:1]),
    ]
    if divided is not None:
        agreed = tuple(_voted(s) for s in majority if s is not divided)[:3]
        differ = phrase(state.plan.language, "text.differ", quote=divided.text.rstrip("."))
        sets.insert(1, (*agreed, _voted(divided).model_copy(update={"text": differ})))
    return _distinct(sets)


def from_talk(state: RoomState) -> list[Text]:
    """Return candidates put together from what was said: everybody's strongest point, the points with most support, each of the two strongest alone."""
    drafts = extracted(state, EXTRACTED_POINTS)
    points = [Sentence(text=d.text, utterances=d.supports) for d in drafts]
    carried = sorted(points, key=lambda p: -len(p.utterances))
    return _distinct([tuple(points), tuple(carried[:2]), tuple(carried[:1]), tuple(carried[1:2])])


def revised(state: RoomState, before: Text, critiques: dict[str, str]) -> list[Text]:
    """Return a text with all critiques set beside it, and with each alone where there are several."""
    language = state.plan.language
    beside = [
        Sentence(text=phrase(language, "text.critique", quote=shorten(text, CRITIQUE_WORDS)), critiques=(key,))
        for key, text in critiques.items()
    ]
    return _distinct([(*before, *beside), *((*before, one) for one in beside)])


def _distinct(texts: Sequence[Text]) -> list[Text]:
    """Return texts that differ from each other, cut to the words that a statement may have."""
    found: list[Text] = []
    for text in texts:
        cut: list[Sentence] = []
        for sentence in text:
            if cut and sum(count_words(s.text) for s in cut) + count_words(sentence.text) > MAX_WORDS:
                break
            cut.append(sentence)
        if cut and tuple(cut) not in found:
            found.append(tuple(cut))
    return found[:CANDIDATES]


def _voted(statement: Statement) -> Sentence:
    text = statement.text if statement.text.endswith((".", "!", "؟", "…")) else f"{statement.text}."
    return Sentence(text=text, utterances=statement.supports, statements=(statement.statement_id,))


def _agreement(statement: Statement) -> float:
    votes = list(statement.votes.values())
    return (votes.count(1) - votes.count(-1)) / len(votes)
