"""Bridging: which statements people find right *across* their divide, not because they are on one side of it.

Owns the fit ŷ = μ + b_person + b_item + f_person · f_item and the rule of acceptance. A statement liked by one side only is explained by
the factors; what is left to its own intercept is agreement from both sides. Model: Wojcik et al. 2022, "Birdwatch" (arXiv 2210.15723),
eq. 1, with the penalties of Community Notes (0.15 on intercepts, 0.03 on factors, summed over ratings). Acceptance: the released
aggregator of Aligned (Shaotran et al. 2023, arXiv 2311.08706; openai/democratic-inputs, `produce_constitution`): intercept above .375,
at least 5 ratings, raw support of at least .8.

Where the divide has its zero is not determined by the votes: adding c to every person's factor and c · f_item to every item's intercept
predicts the same. Left to the penalty, zero drifts towards the larger side, and an intercept is then mostly that side's agreement. So it is
put half-way between the two sides (the split of people's factors in two with the least variance within, over those with enough votes to be
placed: 10, as Community Notes asks of raters): both sides weigh the same, however many people each has. Never drafts or reads text. Pure; called by `registry`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from deliberation.outcomes.factorisation import Floats, factorise
from deliberation.outcomes.votes import JudgementMatrix

VERSION = "2"
Reason = Literal["few_ratings", "low_support", "low_intercept"]


@dataclass(frozen=True, slots=True)
class Settings:
    """Penalties and thresholds (sources above). A pass counts as `pass_value`, as "somewhat helpful" does in Community Notes (.5).

    Who has cast `placed_votes` (or has voted on everything) counts where the two sides are found.
    """

    intercept_penalty: float = 0.15
    factor_penalty: float = 0.03
    accept_intercept: float = 0.375
    accept_support: float = 0.8
    accept_ratings: int = 5
    pass_value: float = 0.5
    placed_votes: int = 10
    seed: int = 0


@dataclass(frozen=True, slots=True)
class BridgedItem:
    """One statement: its intercept is the bridging score, `factor` its place on the divide, `support` agrees / seen (0–1).

    `accepted` when nothing stands in `missing`.
    """

    item: str
    intercept: float
    factor: float
    support: float
    people: int
    accepted: bool
    missing: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class BridgingRows:
    """Row level: each participant's intercept and place on the divide."""

    participants: tuple[str, ...]
    intercepts: tuple[float, ...]
    factors: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Bridging:
    """Statements by falling intercept; `converged` is False where the fit ran out of steps. `moved`: by how much zero was moved (c above)."""

    mean: float
    moved: float
    items: tuple[BridgedItem, ...]
    iterations: int
    converged: bool
    rows: BridgingRows


def bridging(matrix: JudgementMatrix, settings: Settings = Settings()) -> Bridging:
    """Fit the model and judge each statement. Agree counts as 1, disagree as 0."""
    fit = factorise(
        matrix.values((0.0, settings.pass_value, 1.0)), per_vote=True, seed=settings.seed,
        intercept_penalty=settings.intercept_penalty, factor_penalty=settings.factor_penalty,
    )
    moved = half_way(_placed(fit.person_factors, matrix, settings.placed_votes))
    intercepts = fit.item_intercepts + moved * fit.item_factors
    tally = matrix.tally()
    items = []
    for index in np.argsort(-intercepts, kind="stable"):
        seen = int(tally.seen[index])
        support = float(tally.agrees[index]) / seen if seen else 0.0
        intercept = float(intercepts[index])
        checks: tuple[tuple[bool, Reason], ...] = (
            (seen >= settings.accept_ratings, "few_ratings"),
            (support >= settings.accept_support, "low_support"),
            (intercept > settings.accept_intercept, "low_intercept"),
        )
        missing = tuple(reason for passed, reason in checks if not passed)
        items.append(BridgedItem(
            matrix.items[index], intercept, float(fit.item_factors[index]), support, seen, not missing, missing
        ))
    rows = BridgingRows(matrix.participants, tuple(fit.person_intercepts.tolist()), tuple((fit.person_factors - moved).tolist()))
    return Bridging(fit.mean, moved, tuple(items), fit.iterations, fit.converged, rows)


def half_way(factors: Floats) -> float:
    """Return the middle between the means of the two sides that people's factors split into with the least variance within (0 for nobody)."""
    ordered = np.sort(factors)
    if len(ordered) < 2:
        return float(ordered.sum())
    below = np.arange(1, len(ordered))
    sums = np.cumsum(ordered)
    low, high = sums[:-1] / below, (sums[-1] - sums[:-1]) / (len(ordered) - below)
    cut = int(np.argmax(below * (len(ordered) - below) * (high - low) ** 2))  # the variance between is the largest
    return float(low[cut] + high[cut]) / 2


def _placed(factors: Floats, matrix: JudgementMatrix, least: int) -> Floats:
    votes = matrix.votes_per_person()
    enough = factors[votes >= min(least, int((matrix.tally().seen > 0).sum()))]
    return enough if len(enough) else factors[votes > 0]
