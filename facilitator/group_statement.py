"""A group statement, found the Habermas-machine way (Tessler et al. 2024, doi:10.1126/science.adq2852), as steps.

Candidates from everyone's views → private rankings → Schulze winner → everyone's critique → revised candidates → rankings → winner, with
dissent kept beside it. Pure but for `candidates`, which asks the model; without one, candidates are put together from statements that the
group has voted on, so that the same steps work. Who asks people for rankings and critiques is the caller's business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from deliberation.events import AiCalled
from deliberation.outcomes.ballots import Ranking, schulze
from deliberation.state import RoomState, Statement
from facilitator import prompts
from facilitator.llm import LanguageModel, Question, ask
from facilitator.text import count_words, support

CANDIDATES = 4
MAX_WORDS = 90
MIN_SUPPORT = 0.5  # share of a candidate's content words that views and critiques hold


class StatementCandidates(BaseModel):
    """The model's answer."""

    model_config = ConfigDict(extra="forbid")

    statements: list[str] = Field(max_length=8)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One candidate text. `statements` are the voted statements it was put together from, where no model wrote it."""

    candidate_id: str
    text: str
    statements: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidates:
    """What may be ranked. `method` is `model` or `votes`; `rejected` counts texts that held what nobody had said."""

    candidates: tuple[Candidate, ...]
    method: str
    call: AiCalled | None = None
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class Dissent:
    """What stands beside the winner: a member's critique, and whether that member ranked the winner last."""

    participant_id: str
    text: str
    ranked_last: bool


@dataclass(frozen=True, slots=True)
class Chosen:
    """The outcome of one ranking. `first` and `last` count the members who ranked the winner first, and last."""

    winner: Candidate
    ranked: int
    first: int
    last: int
    dissent: tuple[Dissent, ...]


async def candidates(
    state: RoomState,
    views: Mapping[str, str],
    model: LanguageModel | None,
    new_id: Callable[[], str],
    clock: Callable[[], float],
    *,
    before: Candidate | None = None,
    critiques: Mapping[str, str] | None = None,
) -> Candidates:
    """Return what the group may rank: from everyone's views, and in the second round from the critiques of `before` too.

    Without a usable answer the candidates come from the votes; in the second round `before` itself is always among them, so that a
    revision can lose.
    """
    kept = (before,) if before else ()
    if model is None or not views:
        return Candidates((*kept, *from_votes(state, new_id)), "votes")
    prompt = prompts.load("group_statement")
    data = {
        "question": state.plan.question,
        "views": [{"member": f"P{n}", "text": text} for n, text in enumerate(views.values(), 1)],
        "statement": before.text if before else None,
        "critiques": [{"member": f"P{n}", "text": text} for n, text in enumerate((critiques or {}).values(), 1)],
    }
    question = Question(
        purpose="group_statement",
        prompt=prompt,
        system=prompt.filled(count=CANDIDATES, language=state.plan.language),
        data=prompts.quoted(data),
        answer=StatementCandidates,
        first_seq=1,
        last_seq=state.seq,
    )
    answer = await ask(model, question, new_id(), clock)
    said = answer.value.statements if answer.value else []
    wanted = list(dict.fromkeys(" ".join(text.split()) for text in said))
    sources = (*views.values(), *(critiques or {}).values(), before.text if before else "")
    good = [
        text
        for text in wanted
        if text and count_words(text) <= MAX_WORDS and support(text, sources, state.plan.language) >= MIN_SUPPORT
    ]
    if not good:
        return Candidates((*kept, *from_votes(state, new_id)), "votes", answer.call, len(wanted))
    made = tuple(Candidate(new_id(), text) for text in good[:CANDIDATES])
    return Candidates((*kept, *made), "model", answer.call, len(wanted) - len(good))


def from_votes(state: RoomState, new_id: Callable[[], str]) -> tuple[Candidate, ...]:
    """Return candidates put together from voted statements: all with a majority, those nobody opposed, the two most agreed."""
    voted = [s for s in state.statements.values() if s.votes and not s.withdrawn]
    voted.sort(key=lambda s: (-_agreement(s), s.at))
    majority = [s for s in voted if _agreement(s) > 0]
    unopposed = [s for s in majority if -1 not in s.votes.values()]
    sets: dict[tuple[str, ...], str] = {}
    for chosen in (majority, unopposed, majority[:2]):
        if chosen:
            sets[tuple(s.statement_id for s in chosen)] = " ".join(s.text for s in chosen)
    return tuple(Candidate(new_id(), text, ids) for ids, text in sets.items())


def choose(
    options: Sequence[Candidate], rankings: Mapping[str, Ranking], critiques: Mapping[str, str] | None = None
) -> Chosen:
    """Return the Schulze winner of the members' private rankings (tied: the one that was put first), with dissent kept beside it.

    Dissent is the critique of everyone who ranked the winner under something else, who ranked it last coming first. Raises `InvalidInput`
    (from the count) for a ranking of something that is not an option.
    """
    assert options, "there is something to choose from"
    count = schulze(list(rankings.values()), [option.candidate_id for option in options])
    winner = next(option for option in options if option.candidate_id in count.winners)
    first = [who for who, ranking in rankings.items() if ranking and winner.candidate_id in ranking[0]]
    last = {who for who, ranking in rankings.items() if _is_last(winner.candidate_id, ranking, len(options))}
    said = [
        Dissent(who, text, who in last) for who, text in (critiques or {}).items() if text.strip() and who not in first
    ]
    return Chosen(winner, len(rankings), len(first), len(last), tuple(sorted(said, key=lambda d: not d.ranked_last)))


def _is_last(option: str, ranking: Ranking, options: int) -> bool:
    named = [name for group in ranking for name in group]
    if option not in named:
        return bool(named)
    return len(ranking) > 1 and len(named) == options and option in ranking[-1]


def _agreement(statement: Statement) -> float:
    votes = list(statement.votes.values())
    return (votes.count(1) - votes.count(-1)) / len(votes)
