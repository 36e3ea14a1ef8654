from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from deliberation.errors import InvalidInput
from deliberation.outcomes.agreement import Agreement, Settings, agreement, hold_out_accuracy, inferred_votes
from deliberation.outcomes.drafts import Draft
from deliberation.outcomes.votes import JudgementMatrix
from tests.deliberation.outcomes.helpers import camps, matrix_of

NO_INFERENCE = Settings(infer=False)


def two_segments() -> JudgementMatrix:
    north = [[1, 1]] * 4 + [[-1, 0]] * 2
    south = [[1, -1]] * 3 + [[-1, -1]] * 2
    return matrix_of(north + south, {"region": ["north"] * 6 + ["south"] * 5})


def test_agreement_bridge_and_polarisation_equal_the_hand_worked_case() -> None:
    outcome = agreement(two_segments(), NO_INFERENCE)
    by_item = {s.item: s for s in outcome.statements}
    # s0: north 4/6, south 3/5. s1: north 4/4 of those who took a side, south 0/5.
    assert by_item["s0"].bridge == pytest.approx(0.6) and by_item["s0"].polarisation == pytest.approx(4 / 6 - 0.6)
    assert by_item["s1"].bridge == 0 and by_item["s1"].polarisation == 1
    assert by_item["s1"].by_segment[0].people == 6, "a pass was seen"
    assert by_item["s0"].agreement == pytest.approx(7 / 11)
    assert outcome.bridging == ("s0",) and outcome.statements[0].item == "s0"


def test_a_segment_of_fewer_than_five_judges_is_not_compared() -> None:
    matrix = matrix_of([[1]] * 5 + [[-1]] * 4, {"region": ["north"] * 5 + ["south"] * 4})
    statement = agreement(matrix, NO_INFERENCE).statements[0]
    assert statement.by_segment[1].agreement is None and statement.bridge is None
    assert agreement(matrix, NO_INFERENCE).bridging == ()


def test_missing_votes_are_told_better_than_by_majority() -> None:
    matrix, _ = camps(150, 40, 2, seed=1, seen=0.5, noise=0.1)
    report = hold_out_accuracy(matrix)
    assert report is not None
    assert report.accuracy >= 0.85 > report.majority_accuracy + 0.1
    assert report.inferred == 150 * 40 - len(matrix.votes)


def test_confidence_means_what_it_says() -> None:
    matrix, _ = camps(300, 60, 2, seed=6, seen=0.4, noise=0.15)
    truth, _ = camps(300, 60, 2, seed=6, seen=1.1, noise=0.15)
    cast = truth.dense()
    votes = inferred_votes(matrix, least=0.5)
    people = {name: i for i, name in enumerate(matrix.participants)}
    items = {name: j for j, name in enumerate(matrix.items)}
    right = np.array([cast[people[v.participant], items[v.item]] == v.vote for v in votes])
    confidence = np.array([v.confidence for v in votes])
    assert abs(right.mean() - confidence.mean()) < 0.06


def test_what_somebody_saw_is_never_inferred_not_even_a_pass() -> None:
    matrix, _ = camps(60, 20, 2, seed=2)
    seen = set(zip(matrix.rows.tolist(), matrix.cols.tolist(), strict=True))
    people = {name: i for i, name in enumerate(matrix.participants)}
    items = {name: j for j, name in enumerate(matrix.items)}
    votes = inferred_votes(matrix, least=0.5)
    assert votes and not {(people[v.participant], items[v.item]) for v in votes} & seen
    assert len(votes) == 60 * 20 - len(seen)


def test_inference_adds_to_cast_votes_and_leaves_them_as_they_are() -> None:
    matrix, camp = camps(120, 30, 2, seed=3, seen=0.5, noise=0.05)
    labelled = JudgementMatrix(
        matrix.participants, matrix.items, matrix.rows, matrix.cols, matrix.votes, {"camp": tuple(str(c) for c in camp)}
    )
    plain, inferred = agreement(labelled, NO_INFERENCE), agreement(labelled)
    assert inferred.inference is not None and plain.inference is None
    of_plain = {s.item: s for s in plain.statements}
    for statement in inferred.statements:
        assert statement.bridge == of_plain[statement.item].bridge
        assert [g.agrees for g in statement.by_segment] == [g.agrees for g in of_plain[statement.item].by_segment]
        for group in statement.by_segment:
            assert group.with_inferred is not None and group.agreement is not None
            assert abs(group.with_inferred - group.agreement) < 0.15


def test_with_too_few_votes_nothing_is_inferred() -> None:
    assert hold_out_accuracy(matrix_of([[1, -1]] * 5)) is None
    assert agreement(two_segments()).inference is not None


def test_a_clause_rests_on_bridging_statements_or_is_refused() -> None:
    def drafted(text: str, *items: str) -> Agreement:
        return agreement(two_segments(), replace(NO_INFERENCE, clauses=(Draft(text, items),)))

    (bound,) = drafted("Both regions want s0.", "s0", "s0").clauses
    assert bound.bridge == pytest.approx(0.6) and [s.item for s in bound.evidence] == ["s0"] and bound.people == bound.evidence[0].people
    with pytest.raises(InvalidInput, match="s1"):
        drafted("Everybody wants s1.", "s0", "s1")
    with pytest.raises(InvalidInput):
        drafted("Everybody wants something.")


def test_without_segments_it_says_so() -> None:
    with pytest.raises(InvalidInput, match="segment"):
        agreement(matrix_of([[1, 1]]))
