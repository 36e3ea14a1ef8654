"""Linked consultations: video rooms, on-site groups, chat and survey cohorts answering the same questions, side by side.

Owns: joining records of several cohorts (in any order, with the same outcome), what all cohorts hold and what each holds alone, which
answers are too vague and call for a follow-up question, and shares that move only so fast as answers arrive (Rappler's aiDialogue).
Never mixes cohorts into one number: every figure stays with its cohort and mode. Pure; called by `registry` and by the survey's server.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from deliberation.errors import InvalidInput
from deliberation.outcomes.record import VOTED_KINDS, Record, unite

VERSION = "1"
_Thing = TypeVar("_Thing")


@dataclass(frozen=True, slots=True)
class Settings:
    """`holds`: a cohort holds a statement that more than this share of those who took a side agree with, if `min_people` did.

    `vague_words`: an agreeing answer of fewer words calls for a follow-up. `min_responders` and `max_change`: see `take`.
    `same`: confirmed pairs of statements that say the same.
    """

    holds: float = 0.5
    min_people: int = 5
    vague_words: int = 6
    min_responders: int = 10
    max_change: float = 0.02
    same: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class CohortVotes:
    """One cohort on one statement; `holds` is None where too few took a side to say."""

    cohort: str
    agrees: int
    disagrees: int
    people: int
    holds: bool | None


@dataclass(frozen=True, slots=True)
class LinkedStatement:
    """One statement over all cohorts that judged it; `said_in` are the cohorts whose words it rests on, whether they voted or not."""

    item: str
    by_cohort: tuple[CohortVotes, ...]
    said_in: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cohort:
    """One cohort: its modes, its people, and the statements that it alone holds though others could say."""

    cohort: str
    modes: tuple[str, ...]
    people: int
    alone: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FollowUp:
    """An answer that agrees without saying why: ask `participant` once more about `question`."""

    participant: str
    question: str
    response: str
    why: Literal["short"]


@dataclass(frozen=True, slots=True)
class FollowUpRows:
    """Row level: who is to be asked again."""

    follow_ups: tuple[FollowUp, ...]


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares of responders who named each theme, as shown to the public; `shown` is empty before there are enough responders."""

    responders: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    shown: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ThemeShares:
    """One cohort's themes on one question."""

    cohort: str
    question: str
    people: int
    shown: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class CrossCohort:
    """The outcome: `common` is held by every cohort that could say, at least two of them; `themes` need enough responders."""

    cohorts: tuple[Cohort, ...]
    statements: tuple[LinkedStatement, ...]
    common: tuple[str, ...]
    themes: tuple[ThemeShares, ...]
    rows: FollowUpRows


def link(records: Iterable[Record]) -> Record:
    """Join records into one; joining in any order, or one of them twice, gives the same.

    Raises InvalidInput for a participant without cohort, a judgement by somebody the records do not list (and so without mode or
    cohort), or a name that stands for two different things.
    """
    joined = tuple(records)
    people = _joined(lambda person: person.id, (p for record in joined for p in record.participants))
    for person in people:
        if not person.cohort:
            raise InvalidInput("no_cohort", f"participant {person.id} has no cohort", "every record keeps its mode and cohort")
    known = {person.id for person in people}
    judgements = sorted(
        {j for record in joined for j in record.judgements},
        key=lambda j: (j.at, j.participant, j.item, j.kind, j.versus, j.context, j.value, -1.0 if j.confidence is None else j.confidence),
    )
    strangers = {j.participant for j in judgements} - known
    if strangers:
        raise InvalidInput("no_cohort", f"participant {min(strangers)} is in no record, so has neither mode nor cohort")
    ballots = _joined(lambda ballot: ballot.participant, (b for record in joined for b in record.ballots))
    items = _joined(lambda item: item.id, (i for record in joined for i in record.items))
    consents = sorted(
        {c for record in joined for c in record.consents},
        key=lambda c: (c.participant, c.scope, c.at, c.until or 0.0, c.withdrawn_at or 0.0),
    )
    return Record(people, items, tuple(judgements), ballots, tuple(consents))


def cross_cohort(record: Record, settings: Settings = Settings()) -> CrossCohort:
    """Compare cohorts. Statements with the same words, or confirmed to be the same, are one. Raises InvalidInput as `link` does."""
    record = link([record])
    cohort_of = {person.id: person.cohort for person in record.participants}
    names = sorted(set(cohort_of.values()))
    statements = [item for item in record.items if item.kind in VOTED_KINDS and item.kind != "response"]
    first_with: dict[str, str] = {}
    for item in statements:
        if item.text:
            first_with.setdefault(item.content_hash, item.id)
    alike = [(first_with[item.content_hash], item.id) for item in statements if item.text]
    canonical = unite([item.id for item in statements], [*alike, *settings.same])
    latest = {
        (j.participant, canonical[j.item]): j.value
        for j in record.judgements if j.kind in ("vote", "approval") and j.confidence is None and j.item in canonical
    }
    values: dict[tuple[str, str], list[float]] = {}
    for (person, statement), value in latest.items():
        values.setdefault((statement, cohort_of[person]), []).append(value)
    said_in: dict[str, set[str]] = {}
    for item in statements:
        said_in.setdefault(canonical[item.id], set()).update(filter(None, item.attributes.get("cohorts", "").split("; ")))
    linked = [
        LinkedStatement(statement, tuple(
            _cohort_votes(name, values[statement, name], settings) for name in names if (statement, name) in values
        ), tuple(sorted(said_in.get(statement, ()))))
        for statement in sorted(set(canonical.values()))
    ]
    common = tuple(s.item for s in linked if len(_able(s)) >= 2 and all(v.holds for v in _able(s)))
    cohorts = tuple(
        Cohort(
            name, tuple(sorted({p.mode for p in record.participants if p.cohort == name})),
            sum(p.cohort == name for p in record.participants),
            tuple(s.item for s in linked if len(_able(s)) >= 2 and [v.cohort for v in _able(s) if v.holds] == [name]),
        )
        for name in names
    )
    return CrossCohort(cohorts, tuple(linked), common, _themes(record, cohort_of, settings), FollowUpRows(follow_ups(record, settings)))


def follow_ups(record: Record, settings: Settings = Settings()) -> tuple[FollowUp, ...]:
    """Name the answers (items of kind "response") that are vague agreement: under `vague_words` words, from someone not against."""
    against = {(j.participant, j.item) for j in record.judgements if j.kind == "vote" and j.value < 0 and j.confidence is None}
    return tuple(
        FollowUp(item.author, item.parent, item.id, "short")
        for item in record.items
        if item.kind == "response" and item.parent and is_vague(item.text, settings.vague_words)
        and (item.author, item.parent) not in against
    )


def is_vague(answer: str, limit: int) -> bool:
    """Say whether an answer is too short to hold a reason: fewer than `limit` words."""
    return len(answer.split()) < limit


def take(shares: Shares, themes: Collection[str], settings: Settings = Settings()) -> Shares:
    """Add one responder's answer, which named these themes.

    Nothing is shown before `min_responders`; from then on, what is shown follows the true share by at most `max_change` per answer, so
    that no single answer, and no burst of alike ones, swings the summary.
    """
    responders = shares.responders + 1
    counts = dict(shares.counts)
    for theme in set(themes):
        counts[theme] = counts.get(theme, 0) + 1
    true = {theme: number / responders for theme, number in sorted(counts.items())}
    if responders < settings.min_responders:
        return Shares(responders, counts)
    if responders == settings.min_responders:
        return Shares(responders, counts, true)
    shown = {}
    for theme, share in true.items():
        before = shares.shown.get(theme, 0.0)
        shown[theme] = before + max(-settings.max_change, min(settings.max_change, share - before))
    return Shares(responders, counts, shown)


def _joined(name_of: Callable[[_Thing], str], things: Iterable[_Thing]) -> tuple[_Thing, ...]:
    """Return each thing once, by name. Raises InvalidInput where a name stands for two that differ."""
    by_name: dict[str, _Thing] = {}
    for thing in things:
        name = name_of(thing)
        if by_name.setdefault(name, thing) != thing:
            raise InvalidInput("clash", f"“{name}” stands for two different things", "give each cohort's records names of their own")
    return tuple(by_name[name] for name in sorted(by_name))


def _cohort_votes(cohort: str, values: Sequence[float], settings: Settings) -> CohortVotes:
    agrees, disagrees = sum(v > 0 for v in values), sum(v < 0 for v in values)
    enough = agrees + disagrees >= settings.min_people
    return CohortVotes(cohort, agrees, disagrees, len(values), agrees > settings.holds * (agrees + disagrees) if enough else None)


def _able(statement: LinkedStatement) -> list[CohortVotes]:
    return [votes for votes in statement.by_cohort if votes.holds is not None]


def _themes(record: Record, cohort_of: Mapping[str, str], settings: Settings) -> tuple[ThemeShares, ...]:
    """Replay answers in the order in which they came; a response's themes stand in its attribute "themes", separated by commas."""
    answers = sorted((i for i in record.items if i.kind == "response" and "themes" in i.attributes), key=lambda i: (i.at, i.id))
    running: dict[tuple[str, str], Shares] = {}
    answered: set[tuple[str, str]] = set()
    for answer in answers:
        if answer.author in cohort_of and (answer.author, answer.parent) not in answered:
            answered.add((answer.author, answer.parent))
            key = cohort_of[answer.author], answer.parent
            themes = [theme.strip() for theme in answer.attributes["themes"].split(",") if theme.strip()]
            running[key] = take(running.get(key, Shares()), themes, settings)
    return tuple(
        ThemeShares(cohort, question, shares.responders, shares.shown) for (cohort, question), shares in sorted(running.items()) if shares.shown
    )
