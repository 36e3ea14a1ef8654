from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import spearmanr

from deliberation.outcomes.bridging import Settings, bridging, half_way
from deliberation.outcomes.factorisation import factorise
from deliberation.outcomes.opinion_groups import Settings as MapSettings
from deliberation.outcomes.opinion_groups import opinion_groups
from tests.deliberation.outcomes.helpers import camps, matrix_of


def test_the_fit_is_a_minimum_of_the_published_loss() -> None:
    matrix, _ = camps(12, 6, 2, seed=4, seen=0.8, noise=0.15)
    values = matrix.values((0.0, 0.5, 1.0)).tocoo()
    r, c, y = values.row, values.col, values.data
    n, m = matrix.shape

    def loss(x: np.ndarray) -> float:
        mu, bu, bi, fu, fi = x[0], x[1 : 1 + n], x[1 + n : 1 + n + m], x[1 + n + m : 1 + 2 * n + m], x[1 + 2 * n + m :]
        error = y - mu - bu[r] - bi[c] - fu[r] * fi[c]
        # Wojcik et al. 2022, eq. 1: every term inside the sum over ratings.
        return float(
            (error**2 + 0.15 * (mu**2 + bu[r] ** 2 + bi[c] ** 2) + 0.03 * (fu[r] ** 2 + fi[c] ** 2)).sum()
        )

    fit = factorise(values.tocsr(), intercept_penalty=0.15, factor_penalty=0.03, per_vote=True, tolerance=1e-10, max_iterations=5000)
    ours = np.concatenate([[fit.mean], fit.person_intercepts, fit.item_intercepts, fit.person_factors, fit.item_factors])
    assert fit.converged
    better = minimize(loss, ours, method="L-BFGS-B", options={"maxiter": 2000, "ftol": 1e-15, "gtol": 1e-10})
    assert loss(ours) - better.fun < 1e-7
    assert np.abs(better.x[1 + n : 1 + n + m] - fit.item_intercepts).max() < 1e-3


def test_a_statement_both_sides_like_outranks_one_with_more_support_from_one_side() -> None:
    left = [[1, 1, -1, 1, 1]] * 30
    right = [[1, -1, 1, -1, 1]] * 12
    mixed = [[1, 1, None, 1, -1]] * 0
    outcome = bridging(matrix_of(left + right + mixed))
    by_item = {entry.item: entry for entry in outcome.items}
    assert outcome.items[0].item in {"s0", "s4"}
    assert by_item["s0"].intercept > by_item["s1"].intercept > by_item["s2"].intercept
    assert abs(by_item["s0"].factor) < abs(by_item["s1"].factor)
    assert by_item["s0"].accepted and by_item["s0"].support == 1
    assert by_item["s1"].missing[0] == "low_support" and not by_item["s1"].accepted


def test_few_ratings_are_not_accepted_however_good() -> None:
    votes = [[1, 1 if i < 4 else None, -1 if i % 2 else 1] for i in range(30)]
    by_item = {entry.item: entry for entry in bridging(matrix_of(votes)).items}
    assert by_item["s1"].people == 4 and "few_ratings" in by_item["s1"].missing
    assert bridging(matrix_of(votes), Settings(accept_ratings=4)).items != ()


def test_a_pass_counts_as_half_and_stays_different_from_unseen() -> None:
    passes = [[1, 0, -1] for _ in range(20)]
    unseen = [[1, None, -1] for _ in range(20)]
    with_pass = {e.item: e for e in bridging(matrix_of(passes)).items}
    without = {e.item: e for e in bridging(matrix_of(unseen)).items}
    assert with_pass["s1"].people == 20 and without["s1"].people == 0
    assert with_pass["s0"].intercept > with_pass["s1"].intercept > with_pass["s2"].intercept
    assert without["s1"].intercept == 0


def test_intercepts_do_not_depend_on_the_seed_and_follow_group_informed_consensus() -> None:
    rng = np.random.default_rng(2)
    camp = rng.integers(0, 2, 300)
    appeal = rng.random((2, 40)) * 0.9 + 0.05
    table = [[1 if rng.random() < appeal[camp[i], j] else -1 for j in range(40)] for i in range(300)]
    matrix = matrix_of(table, {"camp": [str(c) for c in camp]})
    one, other = bridging(matrix, Settings(seed=0)), bridging(matrix, Settings(seed=9))
    first, second = ({e.item: e.intercept for e in outcome.items} for outcome in (one, other))
    assert all(first[item] == pytest.approx(second[item], abs=1e-3) for item in first)
    consensus = opinion_groups(matrix, MapSettings(groups_from="camp")).statements
    assert spearmanr([s.consensus for s in consensus], [first[s.item] for s in consensus])[0] >= 0.9


def test_no_votes_give_no_score() -> None:
    outcome = bridging(matrix_of([[None, None]]))
    assert outcome.converged and all(e.intercept == 0 and not e.accepted for e in outcome.items)


def test_the_larger_side_does_not_weigh_more() -> None:
    """Mirror images: what the few want and what the many want get the same score, however unequal the sides."""
    many, few = [[1, -1, 1]] * 80, [[-1, 1, 1]] * 20
    settings = Settings(placed_votes=3)
    by_item = {entry.item: entry for entry in bridging(matrix_of(many + few), settings).items}
    assert by_item["s2"].intercept > max(by_item["s0"].intercept, by_item["s1"].intercept)
    gap = by_item["s0"].intercept - by_item["s1"].intercept
    unmoved = gap - bridging(matrix_of(many + few), settings).moved * (by_item["s0"].factor - by_item["s1"].factor)
    assert abs(gap) < 0.5 * abs(unmoved)


def test_moving_zero_changes_no_prediction() -> None:
    matrix, _ = camps(40, 12, 2, seed=1, seen=0.9, noise=0.1)
    outcome, fit = bridging(matrix), factorise(matrix.values((0.0, 0.5, 1.0)), intercept_penalty=0.15, factor_penalty=0.03, per_vote=True)
    place = {name: n for n, name in enumerate(matrix.items)}
    for item in outcome.items:
        ours = item.intercept + np.array(outcome.rows.factors) * item.factor
        theirs = fit.item_intercepts[place[item.item]] + fit.person_factors * fit.item_factors[place[item.item]]
        assert np.abs(ours - theirs).max() < 1e-12


@pytest.mark.parametrize(("factors", "middle"), [([], 0.0), ([0.3], 0.3), ([-1, -1, -1, 3], 1.0), ([0, 0, 0], 0.0)])
def test_half_way_is_between_the_means_of_the_two_sides(factors: list[float], middle: float) -> None:
    assert half_way(np.array(factors, dtype=float)) == pytest.approx(middle)
