from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linear_sum_assignment

from deliberation.errors import InvalidInput
from deliberation.outcomes.drafts import Draft
from deliberation.outcomes.slate import Settings, certain_violation, match, select, slate, unrepresented, violation
from tests.deliberation.outcomes.helpers import matrix_of


def eighty_and_twenty() -> np.ndarray:
    """80 people approve a0–a4, 20 approve only b."""
    utilities = np.zeros((100, 6))
    utilities[:80, :5] = 1
    utilities[80:, 5] = 1
    return utilities


def test_the_five_most_approved_leave_a_coalition_of_twenty_and_ours_does_not() -> None:
    utilities = eighty_and_twenty()
    top_five = [int(i) for i in np.argsort(-utilities.sum(axis=0), kind="stable")[:5]]
    assert top_five == [0, 1, 2, 3, 4]
    broken = violation(utilities, match(utilities, top_five), 5)
    assert broken is not None and broken.statement == 5
    assert broken.coalition == tuple(range(80, 100))
    assert certain_violation(utilities, top_five, 5) == broken, "no matching could have helped"
    chosen, greedy = select(utilities, 5)
    assert 5 in chosen and len(set(chosen)) == 5
    assert violation(utilities, greedy, 5) is None
    matched = match(utilities, chosen, at_least=utilities[np.arange(100), greedy])
    assert violation(utilities, matched, 5) is None
    assert np.bincount(matched, minlength=6)[chosen].tolist() == [20] * 5


INSTANCES = st.tuples(st.integers(1, 14), st.integers(1, 6)).flatmap(
    lambda shape: st.tuples(arrays(np.int64, shape, elements=st.integers(0, 4)), st.integers(1, 6))
)


@settings(max_examples=150, deadline=None)
@given(INSTANCES)
def test_no_random_instance_is_ever_violated(instance: tuple[np.ndarray, int]) -> None:
    utilities, size = instance[0].astype(float), instance[1]
    people = len(utilities)
    chosen, greedy = select(utilities, size)
    assert len(chosen) == min(size, people)
    assert violation(utilities, greedy, len(chosen)) is None
    floor = utilities[np.arange(people), greedy]
    matched = match(utilities, chosen, at_least=floor)
    assert violation(utilities, matched, len(chosen)) is None
    own = utilities[np.arange(people), matched]
    assert (own >= floor).all()
    seats = {item: chosen.count(item) for item in chosen}
    for item, number in seats.items():
        assert people // len(chosen) * number <= (matched == item).sum() <= -(-people // len(chosen)) * number


def violation_by_brute_force(utilities: np.ndarray, matched: np.ndarray, size: int) -> int:
    """Size of the largest violating coalition, by the definition read literally; 0 if none."""
    people, statements = utilities.shape
    own = utilities[np.arange(people), matched]
    largest = 0
    for statement, threshold in itertools.product(range(statements), np.unique(utilities)):
        united = int(((utilities[:, statement] >= threshold) & (own < threshold)).sum())
        if united * size >= people:
            largest = max(largest, united)
    return largest


@settings(max_examples=150, deadline=None)
@given(INSTANCES, st.randoms(use_true_random=False))
def test_the_verifier_agrees_with_the_definition(instance: tuple[np.ndarray, int], random: object) -> None:
    utilities, size = instance[0].astype(float), instance[1]
    people, statements = utilities.shape
    matched = np.array([random.randrange(statements) for _ in range(people)])  # type: ignore[attr-defined]
    found = violation(utilities, matched, size)
    assert (len(found.coalition) if found else 0) == violation_by_brute_force(utilities, matched, size)


def test_the_matching_has_the_greatest_total_utility() -> None:
    rng = np.random.default_rng(0)
    for _ in range(5):
        utilities = rng.random((12, 7))
        chosen = [0, 2, 3, 5]
        matched = match(utilities, chosen)
        slots = np.repeat(chosen, 3)
        rows, cols = linear_sum_assignment(-utilities[:, slots])
        assert utilities[np.arange(12), matched].sum() == pytest.approx(utilities[rows, slots[cols]].sum())


def test_a_statement_may_hold_several_seats_where_nothing_else_would_do() -> None:
    utilities = np.zeros((20, 3))
    utilities[:, 0] = 1
    chosen, greedy = select(utilities, 4)
    assert chosen == [0, 0, 0, 0] and violation(utilities, greedy, 4) is None


def test_a_slate_from_votes_says_whom_each_statement_stands_for() -> None:
    table = [[1, 1, -1]] * 12 + [[-1, -1, 1]] * 6 + [[None, None, None]]
    outcome = slate(matrix_of(table), Settings(size=3))
    assert outcome.people == 18 and outcome.justified and outcome.total_utility == 18
    assert {(s.item, s.people) for s in outcome.seats} == {("s0", 6), ("s1", 6), ("s2", 6)}
    assert "p18" not in outcome.rows.participants
    assert next(s for s in outcome.seats if s.item == "s0").supporters == 12


def test_those_worst_served_are_named_for_a_new_statement() -> None:
    utilities = eighty_and_twenty()
    matched = match(utilities, [0, 1, 2, 3, 4])
    assert set(unrepresented(utilities[np.arange(100), matched], 5, 1.0)) == set(range(80, 100))


def test_whom_the_slate_leaves_out_what_they_share_and_what_was_drafted_for_them() -> None:
    # One seat of two must go to each half; the four who pass on everything on the slate share s2 among themselves only.
    table = [[1, 1, -1]] * 8 + [[0, 0, 1]] * 3 + [[0, -1, 1]]
    outcome = slate(matrix_of(table), Settings(size=1))
    assert [seat.item for seat in outcome.seats] == ["s0"] and outcome.left_out is not None
    held = outcome.left_out
    assert (held.people, held.mean_utility, held.draft) == (4, 0.5, None)
    assert [(one.item, one.agrees, one.disagrees, one.people) for one in held.agreed] == [("s2", 4, 0, 4)]
    written = Draft("Do what s2 says.", ("s2",), "model")
    told = slate(matrix_of(table), Settings(size=1, draft=written)).left_out
    assert told is not None and told.draft == written
    with pytest.raises(InvalidInput, match="agree with"):
        slate(matrix_of(table), Settings(size=1, draft=Draft("Do what s0 says.", ("s0",))))
    assert slate(matrix_of([[1, 1]] * 10), Settings(size=2)).left_out is None
    with pytest.raises(InvalidInput, match="nobody"):
        slate(matrix_of([[1, 1]] * 10), Settings(size=2, draft=written))


def test_a_slate_without_seats_or_votes_is_refused() -> None:
    with pytest.raises(InvalidInput):
        slate(matrix_of([[None]]))
    with pytest.raises(InvalidInput):
        select(np.ones((3, 2)), 0)
