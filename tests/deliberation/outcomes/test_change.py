from __future__ import annotations

import pytest
from scipy import stats

from deliberation.outcomes.change import Settings, change, change_of_record, holm
from deliberation.outcomes.record import Judgement, Record


def test_means_interval_and_sign_test_equal_the_hand_worked_case() -> None:
    before = {"s": {"a": 1, "b": 2, "c": 3, "d": 3, "gone": 5}}
    after = {"s": {"a": 3, "b": 3, "c": 4, "d": 3, "new": 1}}
    shift = change(before, after).statements[0]
    # Moves 2, 1, 1, 0: mean 1, s² = 2/3, margin t(.975, 3)·√(2/3)/2.
    margin = 3.182446305284263 * (2 / 3) ** 0.5 / 2
    assert (shift.people, shift.once_only, shift.change, shift.up, shift.down) == (4, 2, 1, 3, 0)
    assert shift.low == pytest.approx(1 - margin) and shift.high == pytest.approx(1 + margin)
    assert shift.p == pytest.approx(2 * 0.5**3)


def test_the_interval_is_the_paired_t_test_s() -> None:
    first, second = [1.0, 0, -1, 0, 1, -1], [1.0, 1, 0, 0, 1, 1]
    people = [f"p{i}" for i in range(6)]
    shift = change({"s": dict(zip(people, first, strict=True))}, {"s": dict(zip(people, second, strict=True))}).statements[0]
    interval = stats.ttest_rel(second, first).confidence_interval()
    assert (shift.low, shift.high) == pytest.approx((interval.low, interval.high))


def test_holm_equals_the_hand_worked_case() -> None:
    assert holm([0.01, None, 0.04, 0.03]) == pytest.approx([0.03, None, 0.06, 0.06])
    assert holm([0.6, 0.5]) == [1.0, 1.0]


def test_one_person_gives_a_change_but_no_certainty() -> None:
    shift = change({"s": {"a": 1}}, {"s": {"a": 2}}).statements[0]
    assert shift.change == 1 and shift.low is None and shift.p is None


def test_nobody_moving_is_no_evidence_of_change() -> None:
    shift = change({"s": {"a": 1, "b": 2}}, {"s": {"a": 1, "b": 2}}).statements[0]
    assert shift.p == 1 and shift.low == shift.high == 0


def test_a_record_is_split_in_time_and_the_latest_on_each_side_counts() -> None:
    votes = [("a", -1, 1), ("a", 0, 2), ("a", 1, 5), ("b", -1, 1), ("b", 1, 6), ("b", -1, 7)]
    judgements = tuple(Judgement(who, "s", "vote", value, at=at) for who, value, at in votes)
    judgements += (Judgement("c", "s", "vote", 1, at=1, confidence=0.9), Judgement("c", "s", "vote", 1, at=8))
    shift = change_of_record(Record(judgements=judgements), Settings(until=3)).statements[0]
    assert shift.people == 2 and shift.once_only == 1, "c's inferred vote is not a vote before"
    assert (shift.before, shift.after) == (-0.5, 0)
