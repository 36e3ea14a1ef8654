"""A ballot as a stage of its own: options named in the design, or the statements that the group has voted on, chosen between by a voting rule.

Owns the stage's settings, its two events, its command, what a room remembers of it, what is allowed, and what each viewer sees: one's own
ballot, how many have voted, and the count only once the stage is over. The rules are counted by `outcomes.ballots` and nowhere else. Pure;
listed by `design`, `events`, `commands`, `state`, `room` and `view`, called by `agenda` and `commands`.

Invariants: a person's latest ballot counts; a ballot names only what stands on the paper; what is withdrawn later leaves every ballot.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from deliberation.command import CommandBase, Id
from deliberation.errors import Conflict, InvalidInput
from deliberation.outcomes import ballots
from deliberation.outcomes.ballots import Rule
from deliberation.outcomes.record import Ballot
from deliberation.payload import PayloadBase, ViewBase

if TYPE_CHECKING:
    from deliberation.design import Stage
    from deliberation.state import RoomState

MAX_OPTIONS = 20
Ranking = tuple[tuple[str, ...], ...]


class BallotSettings(BaseModel):
    """How a ballot stage is held.

    `options`: what stands on the paper; without any, the statements of earlier stages, at most `longest`, those that most agree with first.
    `seats`: how many options win. `budget`: credits to spread (weighted; quadratic, where n votes for an option cost n² credits).
    `power`: voting power by the value of the segment `power_by`; 1 for everybody else.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: Rule = "approval"
    options: tuple[Annotated[str, Field(min_length=1, max_length=200)], ...] = Field((), max_length=MAX_OPTIONS)
    longest: int = Field(8, ge=2, le=MAX_OPTIONS)
    seats: int = Field(1, ge=1, le=MAX_OPTIONS)
    budget: int = Field(25, ge=1, le=1000)
    power_by: str | None = None
    power: dict[str, Annotated[float, Field(gt=0, le=100)]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if len(self.options) == 1 or len(set(self.options)) < len(self.options):
            raise ValueError("ballot: name at least two options, each once, or none at all")
        if self.options and self.seats >= len(self.options):
            raise ValueError("ballot: seats has to be less than the number of options")
        if bool(self.power) != (self.power_by is not None):
            raise ValueError("ballot: power and power_by come together")
        return self


# -- events


class BallotOpened(PayloadBase):
    """A ballot stage began; `options` are what stands on its paper: ids of statements, or `option_id` of the design's options."""

    owner_field = None
    kind: Literal["ballot.opened"] = "ballot.opened"
    stage_id: str
    options: tuple[str, ...]


class BallotCast(PayloadBase):
    """A participant's ballot; a later one replaces it. Which field counts depends on the rule; all empty is a blank ballot.

    `ranking`: groups from best to worst; `approves`; `allocation`: credits by option.
    """

    kind: Literal["ballot.cast"] = "ballot.cast"
    stage_id: str
    participant_id: str
    ranking: Ranking = ()
    approves: tuple[str, ...] = ()
    allocation: dict[str, int] = Field(default_factory=dict)


# -- the command


class CastBallot(CommandBase):
    """Vote in a ballot stage; changeable until the stage ends."""

    type: Literal["ballot.cast"] = "ballot.cast"
    stage_id: Id
    ranking: tuple[Annotated[tuple[Id, ...], Field(max_length=MAX_OPTIONS)], ...] = Field((), max_length=MAX_OPTIONS)
    approves: tuple[Id, ...] = Field((), max_length=MAX_OPTIONS)
    allocation: dict[Id, Annotated[int, Field(ge=0, le=1000)]] = Field(default_factory=dict, max_length=MAX_OPTIONS)


# -- state


@dataclass(frozen=True, slots=True)
class Choice:
    """What one person put on their ballot; `allocation` holds pairs of option and credits."""

    ranking: Ranking = ()
    approves: tuple[str, ...] = ()
    allocation: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class StageBallot:
    """One ballot stage's paper and what has been cast, by participant."""

    stage_id: str
    options: tuple[str, ...] = ()
    cast: Mapping[str, Choice] = field(default_factory=dict)


def option_id(stage_id: str, number: int) -> str:
    """Return the id of a design's option, counted from 1."""
    return f"{stage_id}-option-{number}"


def open_paper(state: RoomState, stage: Stage) -> BallotOpened:
    """Return the paper of a ballot stage that begins now."""
    if stage.ballot.options:
        return BallotOpened(stage_id=stage.id, options=tuple(option_id(stage.id, n + 1) for n in range(len(stage.ballot.options))))
    standing = [s for s in state.statements.values() if not s.withdrawn]
    liked = sorted(standing, key=lambda s: -sum(value == 1 for value in s.votes.values()))
    chosen = {s.statement_id for s in liked[: stage.ballot.longest]}
    return BallotOpened(stage_id=stage.id, options=tuple(s.statement_id for s in standing if s.statement_id in chosen))


def fold(held: Mapping[str, StageBallot], payload: BallotOpened | BallotCast) -> dict[str, StageBallot]:
    """Return a room's ballots after one more event."""
    ballot = held.get(payload.stage_id, StageBallot(payload.stage_id))
    if isinstance(payload, BallotOpened):
        ballot = replace(ballot, options=payload.options)
    else:
        choice = Choice(payload.ranking, payload.approves, tuple(sorted(payload.allocation.items())))
        ballot = replace(ballot, cast={**ballot.cast, payload.participant_id: choice})
    return {**held, payload.stage_id: ballot}


def paper(state: RoomState, stage_id: str) -> dict[str, str]:
    """Return the options of a ballot that still stand, by id, with their words."""
    stage = state.plan.stage(stage_id)
    named = {option_id(stage_id, n): text for n, text in enumerate(stage.ballot.options, 1)}
    standing = {s.statement_id: s.text for s in state.statements.values() if not s.withdrawn}
    known = named or standing
    return {option: known[option] for option in state.ballots[stage_id].options if option in known}


def decide(state: RoomState, me: str, command: CastBallot) -> list[BallotCast]:
    """Return the event of a ballot. Raises `Conflict("stage_over")` outside its stage and `InvalidInput` where it does not fit the rule."""
    stage = state.current_stage
    held = state.ballots.get(command.stage_id)
    if stage is None or stage.id != command.stage_id or held is None:
        raise Conflict("stage_over", "Voting on this ballot is over.")
    standing = paper(state, stage.id)
    allocation = {option: credits for option, credits in command.allocation.items() if credits}
    ranked = [option for group in command.ranking for option in group]
    named = [*ranked, *command.approves, *allocation]
    rule = stage.ballot.rule
    fields = {"approval": command.approves, "weighted": allocation, "quadratic": allocation}
    if len(fields.get(rule, ranked)) != len(named):
        raise InvalidInput("bad_ballot", "This ballot does not fit the voting rule of this stage.")
    if set(named) - set(standing):
        raise InvalidInput("unknown_option", "This ballot names something that is not on the paper.")
    if len(set(named)) != len(named):
        raise InvalidInput("ranked_twice", "This ballot names an option twice.")
    if rule == "plurality" and len(named) > 1:
        raise InvalidInput("one_choice", "Choose one option.")
    if sum(allocation.values()) > stage.ballot.budget:
        raise InvalidInput("over_budget", f"There are {stage.ballot.budget} credits to spread.")
    ranking = tuple(group for group in command.ranking if group)
    if held.cast.get(me) == Choice(ranking, command.approves, tuple(sorted(allocation.items()))):
        return []
    return [BallotCast(stage_id=stage.id, participant_id=me, ranking=ranking, approves=command.approves, allocation=allocation)]


# -- counting


def count(state: RoomState, stage_id: str) -> ballots.Count | None:
    """Count one room's ballots; None where nothing stands on the paper."""
    settings = state.plan.stage(stage_id).ballot
    options = tuple(paper(state, stage_id))
    if not options:
        return None
    cast = tuple((choice, power_of(settings, state, person)) for person, choice in sorted(state.ballots[stage_id].cast.items()))
    return _count(settings.rule, settings.seats, options, cast)


def power_of(settings: BallotSettings, state: RoomState, participant_id: str) -> float:
    """Return somebody's voting power."""
    member = state.members.get(participant_id)
    own = member.segments.get(settings.power_by or "", "") if member else ""
    return settings.power.get(own, 1.0)


def narrowed(choice: Choice, options: frozenset[str], participant: str, *, paper: str = "", power: float = 1.0) -> Ballot:
    """Return a ballot on these options alone."""
    groups = (tuple(option for option in group if option in options) for group in choice.ranking)
    return Ballot(
        participant,
        ranking=tuple(group for group in groups if group),
        approves=tuple(option for option in choice.approves if option in options),
        allocation={option: float(credits) for option, credits in choice.allocation if option in options},
        power=power,
        paper=paper,
    )


@lru_cache(maxsize=256)
def _count(rule: Rule, seats: int, options: tuple[str, ...], cast: tuple[tuple[Choice, float], ...]) -> ballots.Count:
    """Count once, however many look."""
    on_paper = frozenset(options)
    papers = [narrowed(choice, on_paper, str(n), power=power) for n, (choice, power) in enumerate(cast)]
    return ballots.count(papers, ballots.Settings(rule, "given", options, seats))


# -- view


class OptionView(ViewBase):
    """One option on the paper."""

    id: str
    text: str


class ChoiceView(ViewBase):
    """One's own ballot."""

    ranking: Ranking
    approves: tuple[str, ...]
    allocation: dict[str, int]


class StandingView(ViewBase):
    """One option's place in the result: `place` from 1, ties share a place; `score` as the rule has it."""

    id: str
    place: int
    score: float
    won: bool


class BallotResultView(ViewBase):
    """The count, once the stage is over: `people` cast a ballot that says something."""

    people: int
    standings: tuple[StandingView, ...]


class BallotView(ViewBase):
    """A ballot stage: the paper, the viewer's own ballot, how many of the members have voted, and afterwards the result."""

    stage_id: str
    title: str
    rule: Rule
    seats: int
    budget: int
    power_by: str | None
    my_power: float
    options: tuple[OptionView, ...]
    open: bool
    cast: int
    mine: ChoiceView | None
    result: BallotResultView | None


def view(state: RoomState, participant_id: str | None) -> dict[str, BallotView]:
    """Return the ballots of a room as one viewer may see them."""
    shown = {}
    for stage_id, held in state.ballots.items():
        stage = state.plan.stage(stage_id)
        settings, mine = stage.ballot, held.cast.get(participant_id or "")
        is_open = state.runs(stage_id)
        shown[stage_id] = BallotView(
            stage_id=stage_id,
            title=stage.title,
            rule=settings.rule,
            seats=settings.seats,
            budget=settings.budget,
            power_by=settings.power_by,
            my_power=power_of(settings, state, participant_id or ""),
            options=tuple(OptionView(id=option, text=text) for option, text in paper(state, stage_id).items()),
            open=is_open,
            cast=len(held.cast),
            mine=ChoiceView(ranking=mine.ranking, approves=mine.approves, allocation=dict(mine.allocation)) if mine else None,
            result=None if is_open else _result(state, stage_id),
        )
    return shown


def _result(state: RoomState, stage_id: str) -> BallotResultView | None:
    counted = count(state, stage_id)
    if counted is None:
        return None
    places = {option: place for place, tied in enumerate(counted.order, 1) for option in tied}
    standings = [
        StandingView(id=one.option, place=places.get(one.option, len(places) + 1), score=round(one.score, 2), won=one.option in counted.winners)
        for one in counted.scores
    ]
    return BallotResultView(people=counted.people, standings=tuple(sorted(standings, key=lambda s: s.place)))
