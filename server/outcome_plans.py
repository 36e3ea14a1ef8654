"""Which methods a deliberation's design asks for, with which parameters, and what of their figures everybody may see.

Owns three tables with an entry for each method that needs one; a method without an entry is computed once with its own defaults and shown by
the general rule of `disclosure.public`. Never computes. Pure; called by `server/outcomes`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from deliberation.design import Design, Stage
from deliberation.outcomes.disclosure import MINIMUM, public
from deliberation.outcomes.record import Record
from deliberation.outcomes.result import Result
from deliberation.survey import settings

SLATE_SEATS = 5
READ_VOTES = frozenset(("opinion-groups", "bridging", "agreement", "slate"))
"""Methods without a result while nobody has voted."""
NOBODY = "Nobody has voted yet."

BY_STAGE: Mapping[str, str] = {"ballot": "ballots", "values": "moral-graph", "cases": "cases"}
"""Kinds of stage whose method is computed even where the design does not name it."""


def plan(design: Design, record: Record, voters: int) -> Iterator[tuple[str, dict[str, Any] | str]]:
    """Yield each method to compute with the parameters that the design implies, all others being its own defaults; or with why it is not."""
    by_stage = [BY_STAGE[stage.kind] for stage in design.agenda if stage.kind in BY_STAGE]
    cohorts = len({person.cohort for person in record.participants}) > 1
    credited = any(item.kind == "outcome" for item in record.items)
    always = [("change", bool(design.poll)), ("cohorts", cohorts), ("credit", credited)]
    for method in dict.fromkeys([*design.outcome_methods, *by_stage, *(name for name, due in always if due)]):
        for parameters in PARAMETERS.get(method, _defaults)(design, record, voters):
            yield method, NOBODY if method in READ_VOTES and not voters else parameters


def _defaults(design: Design, record: Record, voters: int) -> Sequence[dict[str, Any] | str]:
    return [{}]


def _opinion_groups(design: Design, record: Record, voters: int) -> Sequence[dict[str, Any]]:
    """A person counts for the map with half as many votes as is usual here, at most Polis's seven: nobody can vote on what others saw."""
    cast = Counter(j.participant for j in {(j.participant, j.item): j for j in record.judgements if j.kind == "vote"}.values())
    return [{"min_votes": max(1, min(7, math.ceil(median(cast.values()) / 2))) if cast else 7}]


def _agreement(design: Design, record: Record, voters: int) -> Sequence[dict[str, Any]]:
    """Agreement is compared by the first self-reported segment that people are balanced by."""
    asked = [*design.groups.balance_by, *design.segments]
    known = {key for person in record.participants for key in person.segments}
    telling = [key for key in asked if key in known and len({p.segments.get(key) for p in record.participants} - {None}) > 1]
    return [{"segment": telling[0]} if telling else {}]


def _slate(design: Design, record: Record, voters: int) -> Sequence[dict[str, Any]]:
    """A slate has as many seats as leave five people to each."""
    return [{"size": max(1, min(SLATE_SEATS, voters // MINIMUM))}]


def _ballots(design: Design, record: Record, voters: int) -> Sequence[dict[str, Any] | str]:
    """Each ballot stage is counted by its own rule over what stood on every group's paper; without one, ballots are read off the votes."""
    stages = [stage for stage in design.agenda if stage.kind == "ballot"]
    if not stages:
        return [{}] if voters else [NOBODY]
    return [_ballot(stage, record) for stage in stages]


def _ballot(stage: Stage, record: Record) -> dict[str, Any] | str:
    if not any(ballot.paper == stage.id for ballot in record.ballots):
        return NOBODY
    options = [item.id for item in record.items if stage.id in item.attributes.get("papers", "").split()]
    if len(options) < 2:
        return "The groups had no two options in common to choose between."
    return {"rule": stage.ballot.rule, "seats": stage.ballot.seats, "power": "given", "paper": stage.id, "options": options}


def _cohorts(design: Design, record: Record, voters: int) -> Sequence[dict[str, Any] | str]:
    """A survey's own thresholds say what is vague, and how fast what is shown of its answers may move."""
    survey = settings(design)
    return [{"vague_words": survey.vague_words, "min_responders": survey.min_responders, "max_change": survey.max_change}]


PARAMETERS: Mapping[str, Callable[[Design, Record, int], Sequence[dict[str, Any] | str]]] = {
    "opinion-groups": _opinion_groups,
    "agreement": _agreement,
    "slate": _slate,
    "cohorts": _cohorts,
    "ballots": _ballots,
}
"""By method: the parameters of each of its computations, or why there is none (of a design, the record, and the number of people who voted)."""


def figures_for_everybody(result: Result) -> dict[str, Any]:
    """Return a result's public figures: what covers fewer than five people is suppressed, and what follows from it too."""
    shown: dict[str, Any] = public(dict(result.figures))
    return shown if shown.get("suppressed") else ALSO_HIDDEN.get(result.method, dict)(shown)


def _lists_of_statements(shown: dict[str, Any]) -> dict[str, Any]:
    """Of the lists of statements beside the groups' figures, what follows from a suppressed group goes."""
    told = {s["item"] for s in shown["statements"] if not s.get("suppressed") and not any(g.get("suppressed") for g in s["by_group"])}
    consensus = [item for item in shown["consensus"] if item in told]
    return {**shown, "consensus": consensus, "next_agenda": [entry for entry in shown["next_agenda"] if entry["item"] in told]}


def _credit(shown: dict[str, Any]) -> dict[str, Any]:
    """Of an outcome's credit everybody sees how many people it belongs to, never whose share is which."""
    outcomes = []
    for one in shown["outcomes"]:
        if not one.get("suppressed"):
            own = [share for share in one["shares"] if share["author"]]
            through = sum(len(share["through"]) for share in own)
            credited = round(sum(share["credit"] for share in own), 6)
            one = {"outcome": one["outcome"], "people": one["people"], "credited": credited, "contributions": through}
        outcomes.append(one)
    return {"outcomes": outcomes}


def _moral_graph(shown: dict[str, Any]) -> dict[str, Any]:
    """Everybody's ranking is made from the edges that everybody sees, and can be made again from them; so are the preference pairs."""
    from deliberation.outcomes.moral_graph import rank

    kept = [edge for edge in shown["edges"] if not edge.get("suppressed") and edge["kept"]]
    scores = rank([(edge["source"], edge["to"], edge["likelihood"]) for edge in kept])
    of = {value["value"]: value for value in shown["values"]}
    wiser_in = {name: sorted({c for edge in kept if edge["to"] == name for c in edge["contexts"]}) for name in scores}
    values = [
        {**of[name], "score": score, "contexts": wiser_in[name]}
        for name, score in sorted(scores.items(), key=lambda one: (-one[1], one[0]))
    ]
    pairs = {(edge["source"], edge["to"]) for edge in kept}
    preferences = [pair for pair in shown["preferences"] if (pair["source"], pair["to"]) in pairs]
    return {**shown, "values": values, "preferences": preferences}


def _cases(shown: dict[str, Any]) -> dict[str, Any]:
    """The difference of experts and lay people would tell the mean of a side that is too small, and so would the templates' order."""
    listed = [*shown["cases"], *((shown.get("answer") or {}).get("precedents") or ())]
    told = {id(one): {**one, "templates": _both_sides(one["templates"])} for one in listed}
    answer = shown.get("answer")
    if answer:
        answer = {**answer, "precedents": [told[id(one)] for one in answer["precedents"]]}
    return {**shown, "cases": [told[id(one)] for one in shown["cases"]], "answer": answer}


def _both_sides(templates: list[dict[str, Any]]) -> list[dict[str, Any]]:
    hidden = any(one[side].get("suppressed") for one in templates for side in ("expert", "lay"))
    kept = [
        {**one, "gap": None, "p": None} if any(one[side].get("suppressed") for side in ("expert", "lay")) else one for one in templates
    ]
    return sorted(kept, key=lambda one: str(one["template"])) if hidden else kept


def _slate_shown(shown: dict[str, Any]) -> dict[str, Any]:
    """Of those whom the slate leaves out everybody sees what they agree with, never how many: the others' votes could be had from that."""
    few = shown["left_out"]
    if few is None or few.get("suppressed"):
        return shown
    return {**shown, "left_out": {**few, "agreed": [{"item": one["item"]} for one in few["agreed"]]}}


ALSO_HIDDEN: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "cases": _cases,
    "credit": _credit,
    "moral-graph": _moral_graph,
    "opinion-groups": _lists_of_statements,
    "slate": _slate_shown,
}
"""By method: what has to go from its figures after `disclosure.public`."""


def title_of(design: Design, result: Result) -> str:
    """Return the title of the stage that a result is about, or nothing where it is about all of them."""
    return next((stage.title for stage in design.agenda if stage.id == result.parameters.get("paper")), "")
