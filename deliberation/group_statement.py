"""A statement that the whole group can stand behind, found the Habermas-machine way (Tessler et al. 2024, doi:10.1126/science.adq2852).

A stage of its own: candidates drafted from everyone's views → private ranking → Schulze winner → everyone's critique → candidates revised
by it → private ranking again → the group's statement, which each member stands behind or not; the words of those who do not are kept beside it.

Owns the stage's events, commands, what a room remembers of it, when a step is over, who may do what, and what each viewer sees. Never writes
a candidate: `facilitator.group_statement` does, when the step is `drafting` or `revising`. Pure; listed by `events`, `commands`, `state`,
`room` and `view`, called by `agenda` (at a stage's end), by the room's clock (`due`) and by `commands`.

Invariants: rankings and critics are nobody's to see but their own; critiques are shown without their writers once they are in; a person's
latest ranking, critique and stance count; every sentence of a candidate cites.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, StringConstraints

from deliberation.command import CommandBase, Id
from deliberation.errors import Conflict, InvalidInput
from deliberation.outcomes.ballots import schulze
from deliberation.payload import PayloadBase, Personal, Sentence, Text, ViewBase

if TYPE_CHECKING:
    from deliberation.state import RoomState

KIND = "group-statement"
MAX_CANDIDATES = 8
STEP_SHARES = {("ranking", 1): 0.3, ("critique", 1): 0.3, ("ranking", 2): 0.2}  # of the stage's length that a step may take
MIN_STEP_SECONDS = 45.0

Step = Literal["drafting", "ranking", "critique", "revising", "final", "empty"]
Own = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)]


# -- events


class CandidateProposed(PayloadBase):
    """One text that the group may choose; every sentence cites utterances, statements or critiques. `method`: who put it together."""

    subject_field = "candidate_id"
    owner_field = None
    kind: Literal["group_statement.proposed"] = "group_statement.proposed"
    candidate_id: str
    stage_id: str
    round: int
    sentences: Annotated[tuple[Sentence, ...] | None, Personal]
    method: Literal["model", "extraction", "kept"]
    call_id: str | None = None


class RankingOpened(PayloadBase):
    """All candidates of a round are there; `dropped` texts or sentences held what nobody had said."""

    owner_field = None
    kind: Literal["group_statement.opened"] = "group_statement.opened"
    stage_id: str
    round: int
    dropped: int = 0


class CandidatesRanked(PayloadBase):
    """A member's private ranking, best first; candidates left out come last."""

    kind: Literal["group_statement.ranked"] = "group_statement.ranked"
    stage_id: str
    round: int
    participant_id: str
    order: tuple[str, ...]


class CandidateChosen(PayloadBase):
    """The Schulze winner of `ranked` rankings; `first` and `last` put it there. `final`: it is the group's statement."""

    owner_field = None
    kind: Literal["group_statement.chosen"] = "group_statement.chosen"
    stage_id: str
    round: int
    candidate_id: str
    ranked: int
    first: int
    last: int
    final: bool


class CandidateCritiqued(PayloadBase):
    """What a member would change in the winner; an empty text: nothing."""

    subject_field = "critique_id"
    kind: Literal["group_statement.critiqued"] = "group_statement.critiqued"
    critique_id: str
    stage_id: str
    participant_id: str
    text: Text


class RevisionBegun(PayloadBase):
    """The critiques are in; candidates that take them up are being written."""

    owner_field = None
    kind: Literal["group_statement.revising"] = "group_statement.revising"
    stage_id: str


class StanceTaken(PayloadBase):
    """A member stands behind the group's statement (1) or does not (-1); `text` is what they want kept beside it."""

    kind: Literal["group_statement.stood"] = "group_statement.stood"
    stage_id: str
    participant_id: str
    value: Literal[-1, 1]
    text: Text = None


GroupStatementPayload = (
    CandidateProposed
    | RankingOpened
    | CandidatesRanked
    | CandidateChosen
    | CandidateCritiqued
    | RevisionBegun
    | StanceTaken
)


# -- commands


class RankCandidates(CommandBase):
    """Rank the candidates, best first; changeable until the ranking closes."""

    type: Literal["group_statement.rank"] = "group_statement.rank"
    stage_id: Id
    order: tuple[Id, ...] = Field(min_length=1, max_length=MAX_CANDIDATES)


class CritiqueCandidate(CommandBase):
    """Say what to change in the winner; an empty text says that it may stay as it is."""

    type: Literal["group_statement.critique"] = "group_statement.critique"
    stage_id: Id
    text: Own = ""


class TakeStance(CommandBase):
    """Stand behind the group's statement, or not; with words to be kept beside it."""

    type: Literal["group_statement.stand"] = "group_statement.stand"
    stage_id: Id
    value: Literal[-1, 1]
    text: Own = ""


GroupStatementCommand = RankCandidates | CritiqueCandidate | TakeStance


# -- state


@dataclass(frozen=True, slots=True)
class Candidate:
    """One text, sentence by sentence."""

    candidate_id: str
    round: int
    sentences: tuple[Sentence, ...]
    method: str
    call_id: str | None = None

    @property
    def text(self) -> str:
        """The whole text; what was erased is missing."""
        return " ".join(s.text for s in self.sentences if s.text)


@dataclass(frozen=True, slots=True)
class Critique:
    """One member's critique; `text` is empty where nothing is to change, or once erased."""

    critique_id: str
    participant_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Stance:
    """Whether a member stands behind the result, and their words."""

    participant_id: str
    value: int
    text: str


@dataclass(frozen=True, slots=True)
class GroupStatement:
    """How far one stage's search has come. `since` is when the step began; `rankings` are of the current round, by participant."""

    stage_id: str
    step: Step = "drafting"
    round: int = 1
    since: float = 0.0
    candidates: tuple[Candidate, ...] = ()
    rankings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    critiques: Mapping[str, Critique] = field(default_factory=dict)
    chosen: CandidateChosen | None = None
    stances: Mapping[str, Stance] = field(default_factory=dict)
    dropped: int = 0

    @property
    def options(self) -> tuple[Candidate, ...]:
        """The candidates of the current round."""
        return tuple(c for c in self.candidates if c.round == self.round)

    @property
    def winner(self) -> Candidate | None:
        """The candidate that was chosen last."""
        if self.chosen is None:
            return None
        return next((c for c in self.candidates if c.candidate_id == self.chosen.candidate_id), None)


def fold(
    held: Mapping[str, GroupStatement], payload: GroupStatementPayload, at: float
) -> dict[str, GroupStatement]:
    """Return a room's group statements after one more event."""
    one = held.get(payload.stage_id, GroupStatement(payload.stage_id))
    match payload:
        case CandidateProposed() as e:
            made = Candidate(e.candidate_id, e.round, e.sentences or (), e.method, e.call_id)
            one = replace(one, candidates=(*one.candidates, made))
        case RankingOpened() as e:
            one = replace(one, step="ranking", round=e.round, since=at, rankings={}, dropped=one.dropped + e.dropped)
            one = one if one.options else replace(one, step="empty")
        case CandidatesRanked() as e:
            one = replace(one, rankings={**one.rankings, e.participant_id: e.order})
        case CandidateChosen() as e:
            one = replace(one, step="final" if e.final else "critique", since=at, chosen=e)
        case CandidateCritiqued() as e:
            made_ = Critique(e.critique_id, e.participant_id, e.text or "")
            one = replace(one, critiques={**one.critiques, e.critique_id: made_})
        case RevisionBegun():
            one = replace(one, step="revising", since=at)
        case StanceTaken() as e:
            stance = Stance(e.participant_id, e.value, e.text or "")
            one = replace(one, stances={**one.stances, e.participant_id: stance})
    return {**held, payload.stage_id: one}


def running(state: RoomState) -> GroupStatement | None:
    """Return the search of the stage that runs now; None in any other kind of stage."""
    stage = state.current_stage
    if not state.open or stage is None or stage.kind != KIND or state.stage is None:
        return None
    fresh = GroupStatement(stage.id, since=state.stage.started_at)
    return state.group_statements.get(stage.id, fresh)


def closes_at(state: RoomState, one: GroupStatement) -> float | None:
    """Return when a step that people take is over at the latest; None where it waits for everybody (or nobody is asked)."""
    share = STEP_SHARES.get((one.step, one.round))
    clock = state.stage
    if share is None or clock is None or clock.stage_id != one.stage_id or clock.ends_at is None:
        return None
    return min(clock.ends_at, one.since + max(MIN_STEP_SECONDS, share * (clock.ends_at - clock.started_at)))


def due(state: RoomState, now: float) -> list[GroupStatementPayload]:
    """Return what ends the step that runs: everybody present has answered, or somebody has and the step's time is over."""
    one = running(state)
    here = {member.participant_id for member in state.present}
    if one is None or not here:
        return []
    limit = closes_at(state, one)
    over = limit is not None and now >= limit
    if one.step == "ranking":
        if len(one.options) == 1 or here <= one.rankings.keys() or (over and one.rankings):
            return [choose(one, final=one.round == 2)]
    elif one.step == "critique":
        asked = here <= {c.participant_id for c in one.critiques.values()}
        if asked or over:
            wanted = any(c.text for c in one.critiques.values())
            return [RevisionBegun(stage_id=one.stage_id)] if wanted else [_settled(one)]
    return []


def closing(state: RoomState) -> list[GroupStatementPayload]:
    """Return what is left to decide when the stage ends: the best that the group has got to becomes its statement."""
    one = running(state)
    if one is None or one.step in ("final", "empty", "drafting"):
        return []
    if one.step == "ranking" and one.rankings:
        return [choose(one, final=True)]
    return [_settled(one)] if one.chosen is not None else []


def choose(one: GroupStatement, *, final: bool) -> CandidateChosen:
    """Return the Schulze winner of the private rankings; of tied candidates the one that was put first."""
    names = [option.candidate_id for option in one.options]
    assert names, "there is something to choose from"
    orders = list(one.rankings.values())
    count = schulze([tuple((name,) for name in order) for order in orders], names)
    winner = next((name for name in names if name in count.winners), names[0])
    return CandidateChosen(
        stage_id=one.stage_id,
        round=one.round,
        candidate_id=winner,
        ranked=len(orders),
        first=sum(order[0] == winner for order in orders),
        last=sum(len(names) > 1 and _is_last(winner, order, len(names)) for order in orders),
        final=final,
    )


def _is_last(name: str, order: Sequence[str], options: int) -> bool:
    return name not in order if len(order) < options else order[-1] == name


def _settled(one: GroupStatement) -> CandidateChosen:
    assert one.chosen is not None, "something was chosen before"
    return one.chosen.model_copy(update={"final": True})


def decide(
    state: RoomState, me: str, command: GroupStatementCommand, new_id: Callable[[], str]
) -> list[GroupStatementPayload]:
    """Return the event of a command. Raises `Conflict("step_over")` outside its step, `InvalidInput` for an order that does not fit."""
    one = running(state)
    wanted = {RankCandidates: "ranking", CritiqueCandidate: "critique", TakeStance: "final"}[type(command)]
    if one is None or one.stage_id != command.stage_id or one.step != wanted:
        raise Conflict("step_over", "This step is over.", "The page shows what the group does now.")
    match command:
        case RankCandidates():
            names = {option.candidate_id for option in one.options}
            if len(set(command.order)) != len(command.order) or set(command.order) - names:
                raise InvalidInput("bad_ranking", "A ranking names each of the texts once.")
            if one.rankings.get(me) == command.order:
                return []
            return [
                CandidatesRanked(stage_id=one.stage_id, round=one.round, participant_id=me, order=command.order)
            ]
        case CritiqueCandidate():
            mine = _critique_of(one, me)
            if mine is not None and mine.text == command.text:
                return []
            known = mine.critique_id if mine else new_id()
            return [
                CandidateCritiqued(critique_id=known, stage_id=one.stage_id, participant_id=me, text=command.text)
            ]
        case TakeStance():
            held = one.stances.get(me)
            if held is not None and (held.value, held.text) == (command.value, command.text):
                return []
            return [
                StanceTaken(stage_id=one.stage_id, participant_id=me, value=command.value, text=command.text or None)
            ]


def _critique_of(one: GroupStatement, participant_id: str | None) -> Critique | None:
    return next((c for c in one.critiques.values() if c.participant_id == participant_id), None)


# -- view


class CandidateSentenceView(ViewBase):
    """One sentence and what it rests on; `flagged` where that was taken back since."""

    text: str
    utterances: tuple[str, ...]
    statements: tuple[str, ...]
    critiques: tuple[str, ...]
    flagged: bool


class CandidateView(ViewBase):
    """One text that may be chosen."""

    candidate_id: str
    sentences: tuple[CandidateSentenceView, ...]
    method: str
    call_id: str | None


class GroupStatementView(ViewBase):
    """The search of one stage. `options` are there while they are ranked, `winner` from the first choice on.

    `answered` of the `asked` members have done the step that runs; `critiques` (by id, without their writers) are there once all are in;
    `dissent` are the words of those who do not stand behind the result.
    """

    stage_id: str
    title: str
    step: Step
    round: int
    open: bool
    closes_at: float | None
    answered: int
    asked: int
    options: tuple[CandidateView, ...]
    winner: CandidateView | None
    ranked: int
    first: int
    critiques: dict[str, str]
    behind: int
    against: int
    dissent: tuple[str, ...]
    dropped: int
    my_order: tuple[str, ...]
    my_critique: str | None
    my_stance: int | None
    my_words: str


def view(state: RoomState, participant_id: str | None) -> dict[str, GroupStatementView]:
    """Return the group statements of a room as one viewer may see them, the one that is just being drafted included."""
    now = running(state)
    held = {**state.group_statements, **({now.stage_id: now} if now else {})}
    return {stage_id: _one(state, one, participant_id) for stage_id, one in held.items()}


def _one(state: RoomState, one: GroupStatement, me: str | None) -> GroupStatementView:
    is_open = state.runs(one.stage_id)
    critics = {c.participant_id for c in one.critiques.values()}
    done: Mapping[str, set[str]] = {"ranking": set(one.rankings), "critique": critics, "final": set(one.stances)}
    mine, stance = _critique_of(one, me), one.stances.get(me or "")
    options = one.options if one.step == "ranking" else ()
    reader = state.members.get(me or "")
    turn = reader.seat % len(options) if reader and options else 0  # nobody's first candidate is everybody's first
    return GroupStatementView(
        stage_id=one.stage_id,
        title=next((stage.title for stage in state.plan.agenda if stage.id == one.stage_id), ""),
        step=one.step,
        round=one.round,
        open=is_open,
        closes_at=closes_at(state, one) if is_open else None,
        answered=len(done.get(one.step, ())),
        asked=len({m.participant_id for m in state.present} | done.get(one.step, set())),
        options=tuple(_shown(state, option) for option in (*options[turn:], *options[:turn])),
        winner=_shown(state, one.winner) if one.winner else None,
        ranked=one.chosen.ranked if one.chosen else 0,
        first=one.chosen.first if one.chosen else 0,
        critiques={} if one.step == "critique" else {c.critique_id: c.text for c in one.critiques.values() if c.text},
        behind=sum(s.value == 1 for s in one.stances.values()),
        against=sum(s.value == -1 for s in one.stances.values()),
        dissent=tuple(sorted(s.text for s in one.stances.values() if s.value == -1 and s.text)),
        dropped=one.dropped,
        my_order=one.rankings.get(me or "", ()),
        my_critique=mine.text if mine else None,
        my_stance=stance.value if stance else None,
        my_words=stance.text if stance else "",
    )


def _shown(state: RoomState, candidate: Candidate) -> CandidateView:
    gone = {u.utterance_id for u in state.utterances.values() if not u.usable}
    return CandidateView(
        candidate_id=candidate.candidate_id,
        method=candidate.method,
        call_id=candidate.call_id,
        sentences=tuple(
            CandidateSentenceView(
                text=s.text,
                utterances=s.utterances,
                statements=s.statements,
                critiques=s.critiques,
                flagged=bool(gone & set(s.utterances)),
            )
            for s in candidate.sentences
            if s.text
        ),
    )
