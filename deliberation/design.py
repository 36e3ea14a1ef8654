"""A deliberation's design file: what is asked, in which stages, in which groups, under which consent, privacy and facilitation.

Owns the schema and its defaults; every threshold of a rule is a named field here, with its unit in the name and its source in the
docstring. Read by everything; written by organisers (YAML or JSON). `parse_design` is the one way in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Self, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from deliberation.balloting import BallotSettings
from deliberation.casework import CasesSettings
from deliberation.design_mistakes import in_words
from deliberation.errors import InvalidInput
from deliberation.values import ValuesSettings

Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Short = Annotated[str, Field(min_length=1, max_length=200)]
Long = Annotated[str, Field(max_length=20_000)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Groups(_Part):
    """Who meets whom. Sizes in people (3 to 6 advised), waits in seconds."""

    min_size: int = Field(3, ge=2, le=8)
    target_size: int = Field(5, ge=2, le=8)
    max_size: int = Field(6, ge=2, le=8)
    wait_seconds: float = Field(60, ge=0, le=3600)
    late_join_minutes: float = Field(10, ge=0)
    balance_by: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.min_size <= self.target_size <= self.max_size:
            raise ValueError("groups: min_size ≤ target_size ≤ max_size must hold")
        return self


class Stage(_Part):
    """One step of the agenda.

    `discussion` is talk; `statements` drafts and votes on statements; `ballot` chooses between options by a voting rule;
    `group-statement` looks for a text that all can stand behind; `values` collects values cards and `wiser`, later, compares them;
    `cases` has responses to cases judged; `closing` shows the summary and asks the closing poll (it comes
    last and is added when missing). `outcome_methods` say which collective methods later read this stage's votes.
    """

    id: Slug
    kind: Literal["discussion", "statements", "ballot", "group-statement", "values", "wiser", "cases", "closing"] = "discussion"
    title: Short
    prompt: Long = ""
    minutes: float | None = Field(5, gt=0, le=240)
    seed_statements: tuple[Short, ...] = ()
    ballot: BallotSettings = BallotSettings()
    values: ValuesSettings = ValuesSettings()
    cases: CasesSettings = CasesSettings()


class PollQuestion(_Part):
    """One question asked before and after, so that change of opinion is measured; answers are 1..scale."""

    id: Slug
    text: Short
    scale: int = Field(5, ge=2, le=10)
    low: Short = "Strongly disagree"
    high: Short = "Strongly agree"


class Briefing(_Part):
    """One piece of background material: `text` is shown as paragraphs, `url` as a link."""

    title: Short
    text: Long = ""
    url: str | None = Field(None, pattern=r"^https?://")


class Consent(_Part):
    """What people agree to. `version` is stored with each consent; `contact` is whom they can write to.

    `licence` is what contributions are given under: what others may do with them.
    """

    version: Short = "1"
    organiser: Short = "the organisers of this deliberation"
    contact: Short = "the person who invited you"
    purpose: Long = ""
    licence: Short = "CC BY-NC-SA 4.0"


class Privacy(_Part):
    """How names are treated in every page and file, whether sound and picture are recorded, and for how long data is kept."""

    mode: Literal["named", "pseudonym", "chatham-house"] = "pseudonym"
    record_audio: bool = False
    record_video: bool = False
    retention_days: int = Field(365, ge=1, le=36_500)
    on_withdraw: Literal["erase", "pseudonymise"] = "erase"

    @model_validator(mode="after")
    def _audio_in_named_only(self) -> Self:
        if self.record_audio and self.mode != "named":
            raise ValueError("privacy: record_audio needs mode: named, since a voice identifies its speaker")
        if self.record_video and not self.record_audio:
            raise ValueError("privacy: record_video needs record_audio: true, since people agree to both at once")
        return self


class Turns(_Part):
    """The speaker queue. `seconds` None: no turn timer, and who has waited `hand_wait_seconds` is named instead.

    Overtime mutes only with `mute_overtime`.
    """

    seconds: float | None = Field(45, ge=20, le=180)
    short_seconds: float = Field(10, ge=5, le=60)
    warn_seconds: float = Field(10, ge=1)
    grace_seconds: float = Field(10, ge=0)
    protected_seconds: float = Field(30, ge=0)
    mute_overtime: bool = False
    hand_wait_seconds: float = Field(30, ge=5)


class Balance(_Part):
    """When to invite the quiet and ease the talkative.

    Shares carry a prior of `prior_seconds` per person, so that the first minutes do not count for too much.
    """

    prior_seconds: float = Field(60, ge=0)
    quiet_share_of_median: float = Field(0.5, gt=0, le=1)
    quiet_after_seconds: float = Field(180, ge=0)
    quiet_public_after_seconds: float = Field(120, ge=0)
    dominant_share_of_even: float = Field(1.6, ge=1)
    dominant_window_seconds: float = Field(300, gt=0)
    monologue_seconds: float = Field(120, gt=0)
    monologue_pause_seconds: float = Field(2, ge=0)


class Silence(_Part):
    """A gentle question after `ask_seconds` of silence, an offer to move on after `move_on_seconds`."""

    ask_seconds: float = Field(12, gt=0)
    move_on_seconds: float = Field(45, gt=0)


class Time(_Part):
    """Stage clock: when a remark on the remaining time is due, how much `more time` gives, how young a stage may end.

    A stage over time waits for the current speaker, at most `overtime_grace_seconds` (a turn's length, so that nobody is cut off in the first 30 s).
    """

    final_seconds: float = Field(120, ge=0)
    extension_seconds: float = Field(120, gt=0)
    max_extensions: int = Field(2, ge=0)
    min_stage_seconds: float = Field(30, ge=0)
    overtime_grace_seconds: float = Field(45, ge=0)


class Absence(_Part):
    """`are you there?` after `ask_seconds` without media, heartbeat or input; away after `grace_seconds` more."""

    ask_seconds: float = Field(60, gt=0)
    grace_seconds: float = Field(15, ge=0)


class Safety(_Part):
    """Words that raise a private question to the others, and words that call a human; matched as whole words."""

    enabled: bool = True
    insults: tuple[str, ...] = ()
    distress: tuple[str, ...] = ()


class Budget(_Part):
    """Binds all unsolicited AI messages; safety bypasses it."""

    any_seconds: float = Field(30, ge=0)
    same_kind_seconds: float = Field(90, ge=0)
    max_words: int = Field(20, ge=5)


class Content(_Part):
    """Model-made moves (off topic, one-sided, unheard point, …): how often to look and how sure to be."""

    every_seconds: float = Field(60, ge=5)
    min_confidence: float = Field(0.8, ge=0, le=1)


class Arm(_Part):
    """One arm of an experiment: groups are assigned at random by a logged seed."""

    name: Slug
    facilitation: Literal["off", "rules", "model"] = "model"
    overrides: dict[str, Any] = Field(default_factory=dict)


class Facilitation(_Part):
    """The AI facilitator's mandate and every threshold of its rules.

    `prompts` names a variant of the prompts (a folder in `facilitator/prompts`), for the arms of an experiment; empty: the usual ones.
    """

    mode: Literal["off", "rules", "model"] = "model"
    turns: Turns = Turns()
    balance: Balance = Balance()
    silence: Silence = Silence()
    time: Time = Time()
    absence: Absence = Absence()
    safety: Safety = Safety()
    budget: Budget = Budget()
    content: Content = Content()
    drafted_statements: int = Field(5, ge=0, le=12)
    prompts: Slug | Literal[""] = ""
    arms: tuple[Arm, ...] = ()

    def of_arm(self, name: str) -> Facilitation:
        """Return the settings of one arm of the experiment; these themselves for a name that is none. Raises `ValueError` for an override that does not fit."""
        arm = next((a for a in self.arms if a.name == name), None)
        if arm is None:
            return self
        merged = self.model_dump() | {"mode": arm.facilitation}
        for key, value in arm.overrides.items():
            part = merged.get(key)
            merged[key] = part | value if isinstance(part, dict) and isinstance(value, dict) else value
        return Facilitation.model_validate(merged)


class Transcription(_Part):
    """`language` None detects per speaker; `vocabulary` lists names and terms to listen for.

    `translate`: where a language model is configured, everyone reads what is said in their own language too.
    """

    language: str | None = "en"
    vocabulary: tuple[Short, ...] = ()
    translate: bool = True


class Survey(_Part):
    """A survey beside the rooms (`deliberation.survey`): its page asks the design's question and puts up to `statements` to the vote.

    An answer under `vague_words` words that agrees is asked about once. From `min_responders` on, what is shown of the answers follows the
    true share by at most `max_change` per answer.
    """

    statements: int = Field(12, ge=0, le=50)
    vague_words: int = Field(6, ge=0, le=50)
    min_responders: int = Field(10, ge=5)
    max_change: float = Field(0.02, gt=0, le=1)


class Design(_Part):
    """A whole deliberation, as its organiser wrote it.

    `targets` are the shares that each value of a segment has among those who are to be represented, `recruitment` says how people were
    found; both stand on the process card.
    """

    id: Slug
    title: Short
    question: Annotated[str, Field(min_length=1, max_length=1000)]
    language: Literal["en", "es", "ar"] = "en"
    briefing: tuple[Briefing, ...] = ()
    groups: Groups = Groups()
    stages: tuple[Stage, ...] = Field(min_length=1, max_length=20)
    poll: tuple[PollQuestion, ...] = ()
    consent: Consent = Consent()
    privacy: Privacy = Privacy()
    facilitation: Facilitation = Facilitation()
    transcription: Transcription = Transcription()
    rounds: int = Field(1, ge=1, le=10)
    opens_at: str | None = None
    practice: bool = True
    survey: Survey | None = None
    outcome_methods: tuple[str, ...] = ("opinion-groups", "agreement")
    segments: dict[str, tuple[Short, ...]] = Field(default_factory=dict)
    targets: dict[str, dict[str, Annotated[float, Field(ge=0, le=1)]]] = Field(default_factory=dict)
    recruitment: Long = ""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        ids = [stage.id for stage in self.stages]
        if len(set(ids)) != len(ids):
            raise ValueError("stages: every id must be different")
        kinds = [stage.kind for stage in self.stages]
        if self.opens_at is not None:
            try:
                datetime.fromisoformat(self.opens_at)
            except ValueError:
                raise ValueError("opens_at: a date and time such as 2027-03-01T18:00+01:00 is needed") from None
        for index, stage in enumerate(self.stages):
            self._check_ballot(stage, "statements" in kinds[:index])
            self._check_material(stage, "values" in kinds[:index])
        arms = [arm.name for arm in self.facilitation.arms]
        if len(set(arms)) != len(arms):
            raise ValueError("facilitation: every arm needs a name of its own")
        for name in arms:
            try:
                self.facilitation.of_arm(name)
            except ValidationError as error:
                where = ".".join(str(part) for part in error.errors()[0]["loc"])
                raise ValueError(f"facilitation: the arm “{name}” overrides “{where}” with something that does not fit") from None
        if "closing" in kinds[:-1]:
            raise ValueError("stages: a closing stage must be the last")
        if len({question.id for question in self.poll}) != len(self.poll):
            raise ValueError("poll: every id must be different")
        for segment, shares in self.targets.items():
            if set(shares) - set(self.segments.get(segment, ())):
                raise ValueError(f"targets: “{segment}” must name values of that segment")
            if abs(sum(shares.values()) - 1) > 0.01:
                raise ValueError(f"targets: the shares of “{segment}” must sum to 1")
        return self

    def _check_ballot(self, stage: Stage, after_statements: bool) -> None:
        ballot = stage.ballot
        if stage.kind == "ballot" and not ballot.options and not after_statements:
            raise ValueError(f"stages: the ballot “{stage.id}” needs options, or a statements stage before it")
        if ballot.power_by is not None and set(ballot.power) - set(self.segments.get(ballot.power_by, ())):
            raise ValueError(f"stages: power in “{stage.id}” must name values of the segment “{ballot.power_by}”")
        if ballot.power_by is not None and self.privacy.mode == "chatham-house":
            raise ValueError(f"stages: power by segment in “{stage.id}” would tell who is who under the Chatham House Rule")

    def _check_material(self, stage: Stage, after_values: bool) -> None:
        if stage.kind == "values" and not stage.values.contexts:
            raise ValueError(f"stages: “{stage.id}” needs values with at least one context")
        if stage.kind == "wiser" and not after_values:
            raise ValueError(f"stages: “{stage.id}” compares values, which takes a values stage before it")
        if stage.kind == "cases" and not (stage.cases.cases and stage.cases.templates):
            raise ValueError(f"stages: “{stage.id}” needs cases and templates to judge")
        if stage.kind == "cases" and any(case.id in self._cases_before(stage) for case in stage.cases.cases):
            raise ValueError("stages: every case needs an id of its own")

    def _cases_before(self, stage: Stage) -> set[str]:
        earlier = self.stages[: self.stages.index(stage)]
        return {case.id for one in earlier if one.kind == "cases" for case in one.cases.cases}

    @property
    def agenda(self) -> tuple[Stage, ...]:
        """The stages, ended by a closing stage."""
        if self.stages[-1].kind == "closing":
            return self.stages
        return (*self.stages, Stage(id="closing-stage", kind="closing", title="Closing", minutes=10))

    def stage(self, stage_id: str) -> Stage:
        """Return a stage of the agenda; the id must be of one."""
        return next(stage for stage in self.agenda if stage.id == stage_id)


def parse_design(source: str | bytes | Mapping[str, Any]) -> Design:
    """Read a design from YAML or JSON text, or from a mapping.

    Raises `InvalidInput("design_invalid")` whose message names the line or the field and what is wrong with it.
    """
    if isinstance(source, str | bytes):
        try:
            data = yaml.safe_load(source)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f" in line {mark.line + 1}" if mark else ""
            problem = getattr(error, "problem", None) or "not valid YAML"
            raise InvalidInput("design_invalid", f"The design is not valid YAML{where}: {problem}.") from None
    else:
        data = dict(source)
    if not isinstance(data, dict):
        raise InvalidInput("design_invalid", "A design is a mapping with at least title, question and stages.")
    if "id" not in data and isinstance(data.get("title"), str):
        data["id"] = re.sub(r"[^a-z0-9]+", "-", data["title"].lower()).strip("-")[:60] or "deliberation"
    try:
        return Design.model_validate(data)
    except ValidationError as error:
        written = source if isinstance(source, str | bytes) else None
        problems = in_words(error.errors(include_url=False), written, _fields(Design))
        raise InvalidInput("design_invalid", problems) from None


def _fields(model: type[BaseModel]) -> set[str]:
    """Return the names of all fields of a model and of the models in it."""
    found = set(model.model_fields)
    for field in model.model_fields.values():
        for part in (field.annotation, *get_args(field.annotation)):
            if isinstance(part, type) and issubclass(part, BaseModel):
                found |= _fields(part)
    return found
