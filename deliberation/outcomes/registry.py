"""All methods under one roof: a name, a version, its settings, and what it reads.

Owns `run` (files' texts in, a `Result` out: what `parley outcomes` calls) and `compute` (a record or matrix in, a `Result` out: what the
server calls), the recognition of file formats, and the envelope that makes a result recomputable. Never reads a file. Adding a method: a
module, and one entry in `METHODS`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from deliberation.errors import InvalidInput
from deliberation.outcomes import (
    agreement,
    ballots,
    bridging,
    cases,
    change,
    cohorts,
    credit,
    moral_graph,
    opinion_groups,
    slate,
)
from deliberation.outcomes.record import Record, parse_record, record_as_json
from deliberation.outcomes.result import Result, as_json, hash_of
from deliberation.outcomes.votes import JudgementMatrix, parse_participants_votes, parse_votes

Source = Record | JudgementMatrix


@dataclass(frozen=True, slots=True)
class Method:
    """`settings` is the method's dataclass of parameters; `compute` takes what it reads and the settings."""

    version: str
    summary: str
    settings: type[Any]
    reads: type[Record] | type[JudgementMatrix]
    compute: Callable[[Any, Any], Any]


METHODS: Mapping[str, Method] = {
    "opinion-groups": Method(
        opinion_groups.VERSION, "who votes alike, what each group stands for, what all agree on",
        opinion_groups.Settings, JudgementMatrix, opinion_groups.opinion_groups,
    ),
    "bridging": Method(
        bridging.VERSION, "statements that people find right across their divide", bridging.Settings, JudgementMatrix, bridging.bridging
    ),
    "agreement": Method(
        agreement.VERSION, "agreement by segment, missing votes inferred", agreement.Settings, JudgementMatrix, agreement.agreement
    ),
    "slate": Method(slate.VERSION, "k statements that stand for everybody", slate.Settings, JudgementMatrix, slate.slate),
    "ballots": Method(
        ballots.VERSION, "approval, plurality, irv, schulze, weighted, quadratic", ballots.Settings, Record,
        lambda record, settings: ballots.count(record.ballots, settings),
    ),
    "change": Method(change.VERSION, "opinion before and after", change.Settings, Record, change.change_of_record),
    "moral-graph": Method(
        moral_graph.VERSION, "which values are wiser, in which context", moral_graph.Settings, Record, moral_graph.moral_graph
    ),
    "cases": Method(cases.VERSION, "judged cases and the precedents of a new one", cases.Settings, Record, cases.case_law),
    "cohorts": Method(cohorts.VERSION, "linked consultations side by side", cohorts.Settings, Record, cohorts.cross_cohort),
    "credit": Method(credit.VERSION, "whose words an outcome rests on", credit.Settings, Record, credit.credit_of_record),
}


def run(method: str, files: Mapping[str, str], parameters: Mapping[str, Any] | None = None) -> Result:
    """Compute a method from files' texts, given as {name: text}.

    Known formats, told by their content: a record (JSON), Polis's `participants-votes.csv` or `votes.csv`, ballots (CSV,
    see `ballots.parse_ballots`). Of several files the one with
    a matrix is used, a published grouping before a bare list of votes. Raises InvalidInput for an unknown method, file or parameter.
    """
    if not files:
        raise InvalidInput("no_file", "name a file with votes or a record")
    sources = [read(name, text) for name, text in files.items()]
    return compute(method, max(sources, key=lambda source: isinstance(source, Record) or bool(source.segments)), parameters)


def compute(method: str, source: Source, parameters: Mapping[str, Any] | None = None) -> Result:
    """Compute a method from a record or a matrix. `parameters` are the method's settings by name; raises InvalidInput for a wrong one.

    "agreement" without any segment that tells people apart takes the opinion groups as segments.
    """
    chosen = METHODS.get(method)
    if chosen is None:
        raise InvalidInput("unknown_method", f"there is no method “{method}”", f"methods: {', '.join(METHODS)}")
    settings = settings_of(method, parameters or {})
    if chosen.reads is JudgementMatrix and isinstance(source, Record):
        source = source.matrix()
    if not isinstance(source, chosen.reads):
        raise InvalidInput("not_a_record", f"“{method}” reads a record, not a list of votes", "export one with `parley export`")
    read_hash = source.input_hash if isinstance(source, JudgementMatrix) else hash_of(record_as_json(source))
    if method == "agreement" and isinstance(source, JudgementMatrix) and not settings.segment:
        source = _with_groups(source, settings.seed)
    return Result(
        method, chosen.version, as_json(settings), getattr(settings, "seed", None), read_hash, _derived_from(source),
        as_json(chosen.compute(source, settings)),
    )


def recompute(result: Result, source: Source) -> bool:
    """Say whether the same source gives the same figures: what a sceptic runs."""
    again = compute(result.method, source, result.parameters)
    return again.input_hash == result.input_hash and again.version == result.version and _close(again.figures, result.figures)


def settings_of(method: str, parameters: Mapping[str, Any]) -> Any:
    """Return a method's settings with these parameters. Raises InvalidInput naming the one that is wrong."""
    known = [field.name for field in fields(METHODS[method].settings)]
    unknown = sorted(set(parameters) - set(known))
    if unknown:
        raise InvalidInput("bad_parameter", f"{method} has no parameter “{unknown[0]}”", f"parameters: {', '.join(known)}")
    try:
        return _adapter(method).validate_json(json.dumps(as_json(parameters)))
    except ValidationError as wrong:
        first = wrong.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "parameters"
        raise InvalidInput("bad_parameter", f"{method}: {place}: {first['msg']}") from None


def read(name: str, text: str) -> Source:
    """Recognise a file by its content. Raises InvalidInput where it is none of the known formats."""
    start = text.lstrip("\ufeff \t\r\n")
    if start.startswith("{"):
        return parse_record(text)
    header = start.split("\n", 1)[0].split(",")
    if header[0] == "participant":
        return parse_participants_votes(text)
    if {"comment-id", "voter-id", "vote"} <= {cell.strip() for cell in header}:
        return parse_votes(text).latest()
    if header[0] == "voter":
        return Record(ballots=ballots.parse_ballots(text))
    raise InvalidInput(
        "unknown_format", f"{name} is neither a record, nor votes, nor ballots",
        "known: a record (JSON), participants-votes.csv, votes.csv, and ballots as CSV with voter, ranking, approves, allocation, power",
    )


@lru_cache(maxsize=len(METHODS))
def _adapter(method: str) -> TypeAdapter[Any]:
    return TypeAdapter(METHODS[method].settings)


def _derived_from(source: Source) -> dict[str, Any]:
    if isinstance(source, JudgementMatrix):
        return {"participants": len(source.participants), "items": list(source.items), "judgements": len(source.votes)}
    return {
        "participants": len(source.participants), "items": [item.id for item in source.items],
        "judgements": len(source.judgements), "ballots": len(source.ballots),
    }


def _with_groups(matrix: JudgementMatrix, seed: int) -> JudgementMatrix:
    """Keep the segments that tell people apart; where none does, opinion groups take their place."""
    telling = {name: values for name, values in matrix.segments.items() if len({value for value in values if value}) > 1}
    if telling:
        return JudgementMatrix(matrix.participants, matrix.items, matrix.rows, matrix.cols, matrix.votes, telling)
    groups = opinion_groups.opinion_groups(matrix, opinion_groups.Settings(seed=seed)).rows.groups
    return JudgementMatrix(
        matrix.participants, matrix.items, matrix.rows, matrix.cols, matrix.votes, {"opinion-group": groups}
    )


def _close(one: Any, other: Any) -> bool:
    """Equal but for the last digits of floats, which may differ between machines."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_close(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(_close(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, float) or isinstance(other, float):
        return isinstance(one, (int, float)) and isinstance(other, (int, float)) and abs(one - other) <= 1e-6 * max(1.0, abs(one))
    return bool(one == other)
