from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from deliberation.errors import InvalidInput
from deliberation.outcomes.opinion_groups import (
    KState,
    Settings,
    difference_test,
    group_informed_consensus,
    opinion_groups,
    participating,
    project,
    share_test,
    smooth_k,
)
from tests.deliberation.outcomes.helpers import camps, matrix_of


def test_group_informed_consensus_equals_the_hand_worked_cases() -> None:
    agrees = np.array([[3.0, 0.0, 4.0], [1.0, 0.0, 0.0]])
    seen = np.array([[4.0, 0.0, 4.0], [2.0, 0.0, 4.0]])
    # (4/6)(2/4); (1/2)(1/2); (5/6)(1/6)
    assert group_informed_consensus(agrees, seen) == pytest.approx([1 / 3, 1 / 4, 5 / 36])


def test_consensus_over_published_groups_equals_the_hand_worked_case() -> None:
    votes = [[1, 1], [1, -1], [1, 0], [-1, None], [1, -1], [None, -1]]
    outcome = opinion_groups(
        matrix_of(votes, {"group-id": ["0", "0", "0", "1", "1", ""]}), Settings(groups_from="group-id")
    )
    first, second = outcome.statements
    # s0: group 0 A=3 S=3, group 1 A=1 S=2 → 4/5 · 2/4. s1: A=1 S=3, A=0 S=1 → 2/5 · 1/3.
    assert first.consensus == pytest.approx(0.4) and second.consensus == pytest.approx(2 / 15)
    assert first.consensus_against == pytest.approx(1 / 5 * 2 / 4)
    assert first.divide == pytest.approx(4 / 5 - 2 / 4)
    assert (second.agrees, second.disagrees, second.people) == (1, 3, 5), "the person in no group counts here"
    assert [(g.agrees, g.people) for g in second.by_group] == [(1, 3), (0, 1)], "and not there"
    assert outcome.people_grouped == 5 and outcome.people == 6


def test_the_two_tests_equal_polis_by_hand() -> None:
    # prop-test: 2 √11 (9/11 − 1/2)
    assert share_test(8, 10) == pytest.approx(2 * math.sqrt(11) * (9 / 11 - 0.5))
    # two-prop-test of 8/10 against 2/10, one added everywhere: (9/11 − 3/11)/√(12/22 · 10/22 · 2/11)
    assert difference_test(8, 2, 10, 10) == pytest.approx((6 / 11) / math.sqrt(12 / 22 * 10 / 22 * 2 / 11))
    assert difference_test(5, 5, 5, 5) == 0


@pytest.mark.parametrize("number", [2, 3])
def test_camps_are_found_and_their_number_too(number: int) -> None:
    matrix, camp = camps(240, 60, number, seed=number, seen=0.7, noise=0.05)
    outcome = opinion_groups(matrix)
    assert len(outcome.groups) == number
    assert adjusted_rand_score(camp, outcome.rows.groups) >= 0.9
    assert sum(group.people for group in outcome.groups) == 240
    assert [g.people for g in outcome.groups] == sorted((g.people for g in outcome.groups), reverse=True)


def test_the_same_votes_and_seed_give_the_same_map() -> None:
    matrix, _ = camps(60, 20, 2, seed=1)
    one, other = opinion_groups(matrix), opinion_groups(matrix)
    assert one.statements == other.statements and one.rows.groups == other.rows.groups
    assert np.array_equal(one.rows.x, other.rows.x)


def test_under_fifteen_people_there_are_no_groups_and_it_says_so() -> None:
    matrix, _ = camps(14, 20, 2, seed=0)
    outcome = opinion_groups(matrix)
    assert not outcome.enough and outcome.groups == () and "14 people" in outcome.note and "15" in outcome.note
    assert outcome.statements[0].people > 0, "tallies are given all the same"


def test_people_who_all_vote_alike_are_not_split() -> None:
    outcome = opinion_groups(matrix_of([[1, -1, 0]] * 20))
    assert not outcome.enough and "alike" in outcome.note


@pytest.mark.parametrize("seed", range(6))
def test_people_of_a_camp_who_saw_different_statements_differ_by_rounding_only(seed: int) -> None:
    # Small groups that each saw their own statements: a few places, each held by many people, a last bit apart.
    rng = np.random.default_rng(seed)
    table: list[list[int | None]] = [[None] * 24 for _ in range(20)]
    order = rng.permutation(20)
    for group in range(4):
        members = order[group * 5 : group * 5 + 5]
        for person in members:
            camp = 1 if person % 2 else -1
            table[person][:4] = [camp, -camp, camp, 1]
            for other in members:
                table[person][4 + other] = 1 if other % 2 == person % 2 else (-1 if other % 3 else 0)
    outcome = opinion_groups(matrix_of(table))
    assert outcome.enough and outcome.people_grouped == 20
    camp_of = {f"p{person}": person % 2 for person in range(20)}
    for group in outcome.groups:
        members = [camp_of[p] for p, g in zip(outcome.rows.participants, outcome.rows.groups, strict=True) if g == group.id]
        assert len(set(members)) == 1


def test_whoever_judged_fewer_than_seven_statements_is_on_the_map_but_in_no_group() -> None:
    matrix, _ = camps(40, 30, 2, seed=3)
    few = matrix_of([[1, -1, 1, 1, -1, 1] + [None] * 24])
    votes = matrix.dense()
    votes[0] = np.nan
    votes[0, :6] = few.dense()[0, :6]
    outcome = opinion_groups(matrix_of([[None if math.isnan(v) else int(v) for v in row] for row in votes]))
    at = outcome.rows.participants.index("p0")
    assert outcome.rows.groups[at] == "" and outcome.people == 40 and outcome.people_grouped == 39


def test_with_few_statements_seven_becomes_their_number_and_the_most_active_fill_up_to_fifteen() -> None:
    full = [[1, -1, 1]] * 5
    partly = [[1, -1, None]] * 12
    barely = [[1, None, None]] * 3
    chosen = participating(matrix_of(full + partly + barely))
    names = [f"p{i}" for i in range(20)]
    order = sorted(names, key=lambda n: int(n[1:]))
    matrix = matrix_of(full + partly + barely)
    picked = {matrix.participants[i] for i in chosen}
    assert len(picked) == 15 and set(order[:5]) <= picked and not picked & set(order[17:])


def test_seeing_fewer_statements_does_not_pull_a_person_to_the_middle() -> None:
    matrix, camp = camps(200, 60, 2, seed=5, seen=1.0, noise=0.0)
    votes = matrix.dense()
    rng = np.random.default_rng(0)
    votes[0, rng.permutation(60)[:45]] = np.nan
    table = [[None if math.isnan(v) else int(v) for v in row] for row in votes]
    partial = matrix_of(table)
    places = project(partial)
    at = partial.participants.index("p0")
    twins = [i for i, name in enumerate(partial.participants) if camp[int(name[1:])] == camp[0] and i != at]
    distance = np.abs(places[:, 0])
    # A quarter of the votes: unscaled the place would be a quarter as far out, √(60/15) brings it to half.
    assert distance[at] == pytest.approx(distance[twins].mean() * 0.5, rel=0.35)


def test_k_changes_only_after_it_was_best_four_times_in_a_row() -> None:
    state = smooth_k(None, 2, 4)
    assert state == KState(2, 1, 2)
    shown = []
    for best in (3, 3, 3, 2, 3, 3, 3, 3):
        state = smooth_k(state, best, 4)
        shown.append(state.shown_k)
    assert shown == [2, 2, 2, 2, 2, 2, 2, 3]


def test_the_stability_rule_holds_in_the_map() -> None:
    matrix, _ = camps(240, 60, 3, seed=3, seen=0.7, noise=0.05)
    held = opinion_groups(matrix, Settings(previous=KState(2, 1, 2)))
    assert len(held.groups) == 2 and held.stability == KState(3, 1, 2)


def test_representative_statements_name_what_sets_a_group_apart_agreement_first() -> None:
    left = [[1, -1, 1, 1]] * 12
    right = [[-1, 1, 1, None]] * 12
    outcome = opinion_groups(matrix_of(left + right, {"g": ["l"] * 12 + ["r"] * 12}), Settings(groups_from="g"))
    of_left = next(g for g in outcome.groups if g.id == "l").representative
    assert [(r.item, r.direction) for r in of_left] == [("s0", "agree"), ("s1", "disagree")]
    assert of_left[0].share == pytest.approx(13 / 14) and of_left[0].ratio == pytest.approx((13 / 14) / (1 / 14))
    assert "s2" not in {r.item for r in of_left}, "what all agree on marks nobody"
    assert outcome.consensus == ("s2",)


def test_the_next_agenda_holds_what_divides_and_what_is_agreed_but_vague() -> None:
    left = [[1, 1, 1, 1]] * 12
    right = [[-1, 1, 1 if i < 7 else 0, 1] for i in range(12)]
    matrix = matrix_of(left[:7] + [[1, 1, 0, 1]] * 5 + right, {"g": ["l"] * 12 + ["r"] * 12})
    agenda = opinion_groups(matrix, Settings(groups_from="g", vague=("s3",))).next_agenda
    assert [(a.item, a.why) for a in agenda] == [("s0", "divides"), ("s3", "vague"), ("s2", "vague")]
    assert "s1" not in {a.item for a in agenda}


def test_an_impossible_number_of_groups_or_an_unknown_segment_is_refused() -> None:
    matrix, _ = camps(20, 10, 2, seed=0)
    with pytest.raises(InvalidInput):
        opinion_groups(matrix, Settings(groups=50))
    with pytest.raises(InvalidInput):
        opinion_groups(matrix, Settings(groups_from="nowhere"))


def test_no_votes_at_all_gives_an_empty_map() -> None:
    outcome = opinion_groups(matrix_of([[None, None]]))
    assert not outcome.enough and outcome.people == 0 and outcome.statements[0].people == 0
