"""Case law: what should be done in a case, argued from the cases already judged.

Owns: judgements of response templates by experts and by lay people kept apart and compared, and the nearest precedents of a case with the
words that made them near (Chen & Zhang 2023, "Case law for AI policy", arXiv 2310.07019: seed cases, variants along dimensions, ratings of
response templates). Never decides a case: it cites precedents, and says when there are none. Pure; called by `registry`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats

from deliberation.errors import InvalidInput
from deliberation.outcomes.record import Item, Record
from deliberation.outcomes.text import nearest

VERSION = "1"
SCALE = 5
"""Judgements run from 1 (should never be done) to 5 (should always be done)."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`query`: a new case's text; `least`: cosine similarity from which a case is a precedent; `limit`: precedents cited."""

    query: str = ""
    least: float = 0.15
    limit: int = 3


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one side thinks of one template: mean (1–5), standard deviation, agreement, or None where nobody (or one person) judged.

    `agreement` is r_wg = 1 − s²/σ²_E with σ²_E = (A² − 1)/12 of a uniform answer (James, Demaree & Wolf 1984), not below 0.
    """

    people: int
    mean: float | None
    spread: float | None
    agreement: float | None


@dataclass(frozen=True, slots=True)
class TemplateView:
    """One response template on one case: experts and lay people apart; `gap` = expert − lay mean; `p` of Mann & Whitney 1947."""

    template: str
    expert: Opinion
    lay: Opinion
    gap: float | None
    p: float | None


@dataclass(frozen=True, slots=True)
class CaseView:
    """A case with its parent (the seed it varies, "" for a seed), dimensions, and every judged template, best lay mean first."""

    case: str
    parent: str
    dimensions: tuple[str, ...]
    templates: tuple[TemplateView, ...]


@dataclass(frozen=True, slots=True)
class Precedent:
    """A judged case near the one in question, and the shared words that made it near."""

    case: str
    similarity: float
    words: tuple[str, ...]
    templates: tuple[TemplateView, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the repository says on a new case; `none` is True, and `precedents` empty, where no case is near enough."""

    query: str
    none: bool
    precedents: tuple[Precedent, ...]


@dataclass(frozen=True, slots=True)
class CaseLaw:
    """All cases, and the answer to the query if there was one."""

    people: int
    cases: tuple[CaseView, ...]
    answer: Answer | None


def case_law(record: Record, settings: Settings = Settings()) -> CaseLaw:
    """Compare experts and lay people on every case, and answer the query.

    A rating judges template `item` on the case named by `context`. Raises InvalidInput for a rating outside 1–5 or without a case.
    """
    cases = [item for item in record.items if item.kind == "case"]
    known = {case.id for case in cases}
    experts = {person.id for person in record.participants if person.expert}
    latest: dict[tuple[str, str, str], float] = {}
    for j in sorted((j for j in record.judgements if j.kind == "rating" and j.confidence is None), key=lambda j: j.at):
        if j.context not in known or not 1 <= j.value <= SCALE:
            raise InvalidInput("bad_rating", "a rating is 1–5 and names a case of the repository")
        latest[j.context, j.item, j.participant] = j.value
    sides: dict[tuple[str, str], tuple[list[float], list[float]]] = {}
    for (case, template, person), value in sorted(latest.items()):
        sides.setdefault((case, template), ([], []))[0 if person in experts else 1].append(value)
    views = [
        CaseView(
            case.id, case.parent, tuple(f"{key}: {case.attributes[key]}" for key in sorted(case.attributes)),
            _ranked([_view(template, *both) for (of, template), both in sides.items() if of == case.id]),
        )
        for case in cases
    ]
    answer = precedents(settings.query, cases, views, settings) if settings.query else None
    return CaseLaw(len({person for _, _, person in latest}), tuple(views), answer)


def precedents(query: str, cases: Sequence[Item], views: Sequence[CaseView], settings: Settings = Settings()) -> Answer:
    """Find the cases nearest to a text, with what was judged of them. `views` run parallel to `cases`."""
    found = nearest(query, [case.text for case in cases], settings.least, settings.limit)
    cited = tuple(Precedent(cases[n.index].id, n.similarity, n.words, views[n.index].templates) for n in found)
    return Answer(query, not cited, cited)


def opinion(values: Sequence[float]) -> Opinion:
    """Sum up one side's ratings."""
    if not values:
        return Opinion(0, None, None, None)
    mean = math.fsum(values) / len(values)
    if len(values) == 1:
        return Opinion(1, mean, None, None)
    variance = math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return Opinion(len(values), mean, math.sqrt(variance), max(0.0, 1 - variance / ((SCALE**2 - 1) / 12)))


def _view(template: str, expert: Sequence[float], lay: Sequence[float]) -> TemplateView:
    of_experts, of_lay = opinion(expert), opinion(lay)
    if of_experts.mean is None or of_lay.mean is None:
        return TemplateView(template, of_experts, of_lay, None, None)
    p = float(stats.mannwhitneyu(expert, lay, alternative="two-sided").pvalue) if min(len(expert), len(lay)) >= 2 else None
    return TemplateView(template, of_experts, of_lay, of_experts.mean - of_lay.mean, p)


def _ranked(views: Sequence[TemplateView]) -> tuple[TemplateView, ...]:
    return tuple(sorted(views, key=lambda v: (-(v.lay.mean or 0.0), -(v.expert.mean or 0.0), v.template)))
