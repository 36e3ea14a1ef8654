"""Cases to judge as a stage: the design's cases and response templates, each rated by every participant from 1 to 5.

Owns the stage's settings, its event, its command, what a room remembers, what is allowed, and what each viewer sees: one's own ratings and
how many are done, nothing of what the others think, so that judgements stay independent. Who is an expert is not for people to say of
themselves: it is whoever came by an invitation that the organiser made for the experts' cohort. The comparison and the precedents are
`outcomes.cases`'s. Pure; listed by `design`, `events`, `commands`, `state`, `room` and `view`.

Invariant: a later rating of the same template on the same case counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from deliberation.command import CommandBase, Id
from deliberation.errors import Conflict, NotFound
from deliberation.payload import PayloadBase, ViewBase

if TYPE_CHECKING:
    from deliberation.design import Design
    from deliberation.state import RoomState

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Label = Annotated[str, Field(min_length=1, max_length=80)]
Rating = Literal[1, 2, 3, 4, 5]
Ratings = Mapping[str, Mapping[str, Mapping[tuple[str, str], int]]]
"""By stage, then by person, then by case and template: 1 (should never be done) to 5 (should always be done)."""


class Case(BaseModel):
    """One case in words; `varies` names the seed case that it is a variant of, `dimensions` say what is so in this one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Name
    text: Annotated[str, Field(min_length=1, max_length=2000)]
    varies: str = ""
    dimensions: dict[Label, Label] = Field(default_factory=dict, max_length=8)


class Template(BaseModel):
    """One way to respond to a case."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Name
    text: Annotated[str, Field(min_length=1, max_length=400)]


class CasesSettings(BaseModel):
    """What is judged. `experts` is the cohort of those whose judgements are kept apart from lay people's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cases: tuple[Case, ...] = Field((), max_length=30)
    templates: tuple[Template, ...] = Field((), max_length=10)
    experts: str = Field("experts", min_length=1, max_length=60)

    @model_validator(mode="after")
    def _sound(self) -> Self:
        seeds = {case.id for case in self.cases if not case.varies}
        if any(case.varies and case.varies not in seeds for case in self.cases):
            raise ValueError("cases: a variant has to name a seed case of the same stage")
        for listed in (self.cases, self.templates):
            if len({one.id for one in listed}) < len(listed):
                raise ValueError("cases: every id must be different")
        return self


class CaseRated(PayloadBase):
    """A participant's judgement of one response to one case; a later one replaces it."""

    kind: Literal["case.rated"] = "case.rated"
    stage_id: str
    participant_id: str
    case: str
    template: str
    value: Rating


class RateCase(CommandBase):
    """Judge a response to a case; changeable until the stage ends."""

    type: Literal["case.rate"] = "case.rate"
    stage_id: Id
    case: Name
    template: Name
    value: Rating


def fold(held: Ratings, e: CaseRated) -> Ratings:
    """Return a room's ratings after one more event."""
    stage = held.get(e.stage_id, {})
    mine = {**stage.get(e.participant_id, {}), (e.case, e.template): int(e.value)}
    return {**held, e.stage_id: {**stage, e.participant_id: mine}}


def decide(state: RoomState, me: str, command: RateCase) -> list[CaseRated]:
    """Return the event of a rating. Raises `Conflict("stage_over")` outside its stage, `NotFound` for what is not in the design."""
    stage = state.current_stage
    if stage is None or stage.id != command.stage_id or stage.kind != "cases":
        raise Conflict("stage_over", "Judging these cases is over.")
    known = {case.id for case in stage.cases.cases}, {template.id for template in stage.cases.templates}
    if command.case not in known[0] or command.template not in known[1]:
        raise NotFound("no_such_case", "There is no such case, or no such response.")
    if state.ratings.get(stage.id, {}).get(me, {}).get((command.case, command.template)) == command.value:
        return []
    return [CaseRated(participant_id=me, **command.model_dump(exclude={"type"}))]


def expert_cohorts(design: Design) -> frozenset[str]:
    """Return the cohorts whose members a design counts as experts."""
    return frozenset(stage.cases.experts for stage in design.agenda if stage.kind == "cases")


# -- view


class CaseView(ViewBase):
    """A case as its design has it."""

    id: str
    text: str
    varies: str
    dimensions: dict[str, str]


class TemplateView(ViewBase):
    """A response to judge."""

    id: str
    text: str


class CasesView(ViewBase):
    """A stage of cases: `mine` are the viewer's ratings by case and template; `done`: members who have rated everything."""

    stage_id: str
    title: str
    open: bool
    cases: tuple[CaseView, ...]
    templates: tuple[TemplateView, ...]
    mine: dict[str, dict[str, int]]
    done: int


def view(state: RoomState, participant_id: str | None) -> dict[str, CasesView]:
    """Return the stages of cases that have begun, as one viewer may see them."""
    begun = state.stage.index + 1 if state.stage else 0
    shown = {}
    for stage in state.plan.agenda[:begun]:
        if stage.kind != "cases":
            continue
        ratings, settings = state.ratings.get(stage.id, {}), stage.cases
        mine: dict[str, dict[str, int]] = {}
        for (case, template), value in ratings.get(participant_id or "", {}).items():
            mine.setdefault(case, {})[template] = value
        shown[stage.id] = CasesView(
            stage_id=stage.id,
            title=stage.title,
            open=state.runs(stage.id),
            cases=tuple(CaseView(**case.model_dump()) for case in settings.cases),
            templates=tuple(TemplateView(**template.model_dump()) for template in settings.templates),
            mine=mine,
            done=sum(len(rated) == len(settings.cases) * len(settings.templates) for rated in ratings.values()),
        )
    return shown
