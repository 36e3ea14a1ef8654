"""Biased rank-one matrix factorisation, the one engine behind `bridging` and `agreement`'s inference.

Owns the fit of y ≈ μ + b_person + b_item + f_person · f_item by alternating ridge regressions (Koren, Bell & Volinsky 2009, "Matrix
factorization techniques for recommender systems", eq. 4–5): each step solves every person's (or item's) two unknowns exactly, so the
penalised loss never rises. Cost per step is linear in the number of votes. Never decides what a factor means. Pure; deterministic for a
seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """The fitted parts: person arrays are (n,), item arrays (m,). The factors' common sign is fixed by the largest item factor."""

    mean: float
    person_intercepts: Floats
    person_factors: Floats
    item_intercepts: Floats
    item_factors: Floats
    iterations: int
    converged: bool

    def predict(self, rows: NDArray[Any], cols: NDArray[Any]) -> Floats:
        """Return ŷ for pairs of person and item indices."""
        intercepts = self.person_intercepts[rows] + self.item_intercepts[cols]
        predicted: Floats = self.mean + intercepts + self.person_factors[rows] * self.item_factors[cols]
        return predicted


def factorise(
    values: Any, *, intercept_penalty: float, factor_penalty: float, per_vote: bool, seed: int = 0,
    tolerance: float = 1e-6, max_iterations: int = 500,
) -> Fit:
    """Fit a CSR matrix (n, m) whose stored entries, zeros included, are the observations.

    Minimises Σ (y − ŷ)² + intercept_penalty · ‖b‖² + factor_penalty · ‖f‖². With `per_vote`, both penalties are summed over the votes
    (each person's and item's is multiplied by its number of votes, and μ is penalised like an intercept); without, once for each
    person and item, and μ is free. Ends when no item intercept moves by more than `tolerance`.
    """
    n, m = values.shape
    by_person = sparse.csr_matrix(values, dtype=float)
    by_item = by_person.T.tocsr()
    seen, seen_by_item = _pattern(by_person), _pattern(by_item)
    person_votes, item_votes = np.diff(by_person.indptr).astype(float), np.diff(by_item.indptr).astype(float)
    person_sums, item_sums = np.asarray(by_person.sum(axis=1)).ravel(), np.asarray(by_item.sum(axis=1)).ravel()
    count = max(float(by_person.nnz), 1.0)
    person_scale, item_scale = (person_votes, item_votes) if per_vote else (np.ones(n), np.ones(m))
    mean_weight = count * (1 + intercept_penalty) if per_vote else count

    mean, item_intercepts = 0.0, np.zeros(m)
    item_factors = np.random.default_rng(seed).normal(0.0, 0.5, m)
    converged, step = False, 0
    while not converged and step < max_iterations:
        step += 1
        person_intercepts, person_factors = _ridge(
            by_person, seen, person_votes, person_sums, mean, item_intercepts, item_factors,
            intercept_penalty * person_scale, factor_penalty * person_scale,
        )
        before = item_intercepts
        item_intercepts, item_factors = _ridge(
            by_item, seen_by_item, item_votes, item_sums, mean, person_intercepts, person_factors,
            intercept_penalty * item_scale, factor_penalty * item_scale,
        )
        explained = (
            person_votes @ person_intercepts + item_votes @ item_intercepts + person_factors @ (seen @ item_factors)
        )
        mean = (float(person_sums.sum()) - float(explained)) / mean_weight
        converged = bool(np.abs(item_intercepts - before).max(initial=0.0) < tolerance)
    sign = -1.0 if m and item_factors[np.abs(item_factors).argmax()] < 0 else 1.0
    return Fit(mean, person_intercepts, sign * person_factors, item_intercepts, sign * item_factors, step, converged)


def _pattern(matrix: Any) -> Any:
    return sparse.csr_matrix((np.ones(matrix.nnz), matrix.indices, matrix.indptr), matrix.shape)


def _ridge(
    values: Any, seen: Any, votes: Floats, sums: Floats, mean: float, other_intercepts: Floats, other_factors: Floats,
    intercept_penalty: Floats, factor_penalty: Floats,
) -> tuple[Floats, Floats]:
    """Solve each row's two normal equations at once; a row without votes gets zeros."""
    to_factors = seen @ other_factors
    a = votes + intercept_penalty
    d = seen @ (other_factors**2) + factor_penalty
    target = sums - mean * votes - seen @ other_intercepts
    weighted = values @ other_factors - mean * to_factors - seen @ (other_intercepts * other_factors)
    determinant = a * d - to_factors**2
    safe = np.where(determinant > 1e-12, determinant, 1.0)
    solvable = determinant > 1e-12
    intercepts = np.where(solvable, (target * d - to_factors * weighted) / safe, 0.0)
    factors = np.where(solvable, (a * weighted - to_factors * target) / safe, 0.0)
    return intercepts, factors
