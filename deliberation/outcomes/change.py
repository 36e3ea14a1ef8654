"""Opinion before and after: did people change their minds over the rounds, by how much, and how sure is that.

Owns the paired comparison of each statement's votes or ratings by the same people at two times (Deliberation at Scale): mean change with
a 95 % t interval, an exact sign test of those who moved (McNemar 1947, in its binomial form), and, over several statements, Holm's
correction (Holm 1979). Never compares different people: who answered once only is counted as such and left out. Pure; called by
`registry`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy import stats

from deliberation.outcomes.record import Judgement, Record

VERSION = "1"


@dataclass(frozen=True, slots=True)
class Settings:
    """Answers to the opening poll are *before*, to the closing poll *after*.

    Votes and ratings are told apart by time: up to `until` (seconds) is before. `level` of the interval.
    """

    until: float = 0.0
    level: float = 0.95


@dataclass(frozen=True, slots=True)
class Shift:
    """One statement: `people` answered both times; means on its own scale; `low`–`high` is the interval of the mean change.

    `p` is the two-sided sign test's, `p_adjusted` Holm's over all statements. Interval and p are None with fewer than two people.
    """

    item: str
    people: int
    once_only: int
    before: float
    after: float
    change: float
    low: float | None
    high: float | None
    up: int
    down: int
    p: float | None
    p_adjusted: float | None


@dataclass(frozen=True, slots=True)
class OpinionChange:
    """All statements that somebody answered both times, the largest change first."""

    statements: tuple[Shift, ...]


def change_of_record(record: Record, settings: Settings = Settings()) -> OpinionChange:
    """Compare each person's latest vote, rating or answer before with their latest after."""
    before: dict[str, dict[str, float]] = {}
    after: dict[str, dict[str, float]] = {}
    for judgement in sorted((j for j in record.judgements if _counts(j)), key=lambda j: j.at):
        side = before if judgement.context == "opening" or (not judgement.context and judgement.at <= settings.until) else after
        side.setdefault(judgement.item, {})[judgement.participant] = judgement.value
    return change(before, after, settings)


def change(
    before: Mapping[str, Mapping[str, float]], after: Mapping[str, Mapping[str, float]], settings: Settings = Settings()
) -> OpinionChange:
    """Compare {item: {participant: value}} at two times."""
    shifts = []
    for item in sorted({*before, *after}):
        first, second = before.get(item, {}), after.get(item, {})
        both = sorted(first.keys() & second.keys())
        if both:
            once = len(first.keys() ^ second.keys())
            shifts.append(_shift(item, [first[p] for p in both], [second[p] for p in both], once, settings.level))
    adjusted = holm([s.p for s in shifts])
    with_adjusted = [
        Shift(s.item, s.people, s.once_only, s.before, s.after, s.change, s.low, s.high, s.up, s.down, s.p, p)
        for s, p in zip(shifts, adjusted, strict=True)
    ]
    return OpinionChange(tuple(sorted(with_adjusted, key=lambda s: -abs(s.change))))


def holm(values: Sequence[float | None]) -> list[float | None]:
    """Return Holm's step-down adjustment of p values; None stays None and counts for nothing."""
    order = sorted((p, index) for index, p in enumerate(values) if p is not None)
    adjusted: list[float | None] = [None] * len(values)
    running = 0.0
    for rank, (p, index) in enumerate(order):
        running = max(running, min(1.0, p * (len(order) - rank)))
        adjusted[index] = running
    return adjusted


def _counts(judgement: Judgement) -> bool:
    return judgement.kind in ("vote", "rating", "answer") and judgement.confidence is None


def _shift(item: str, first: Sequence[float], second: Sequence[float], once: int, level: float) -> Shift:
    people = len(first)
    moves = [after - before for before, after in zip(first, second, strict=True)]
    mean = math.fsum(moves) / people
    up, down = sum(move > 0 for move in moves), sum(move < 0 for move in moves)
    low = high = p = None
    if people >= 2:
        spread = math.sqrt(math.fsum((move - mean) ** 2 for move in moves) / (people - 1))
        margin = float(stats.t.ppf(0.5 + level / 2, people - 1)) * spread / math.sqrt(people)
        low, high = mean - margin, mean + margin
        p = float(stats.binomtest(up, up + down).pvalue) if up + down else 1.0
    return Shift(
        item, people, once, math.fsum(first) / people, math.fsum(second) / people, mean, low, high, up, down, p, None
    )
