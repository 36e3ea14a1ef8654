from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from deliberation.outcomes.disclosure import coarsen, public
from deliberation.outcomes.opinion_groups import Settings, opinion_groups
from deliberation.outcomes.record import Participant
from deliberation.outcomes.result import as_json
from tests.deliberation.outcomes.helpers import matrix_of


def test_rows_never_reach_the_public() -> None:
    votes = [[1, -1]] * 6 + [[-1, 1]] * 6
    figures = as_json(opinion_groups(matrix_of(votes, {"g": ["a"] * 6 + ["b"] * 6}), Settings(groups_from="g")))
    assert "p3" in str(figures) and "p3" not in str(public(figures)) and "rows" not in public(figures)


def test_an_aggregate_of_fewer_than_five_keeps_its_name_only() -> None:
    statements = [{"item": "a", "people": 4, "agrees": 3, "by": [{"people": 4, "agrees": 3}]}, {"item": "b", "people": 5, "agrees": 2}]
    assert public(statements) == [{"item": "b", "people": 5, "agrees": 2}, {"item": "a", "people": None, "suppressed": True}]
    assert public({"people": 3, "agrees": 3, "name": "x"}) == {"people": None, "suppressed": True, "name": "x"}
    assert public({"item": "c", "people": 0, "agrees": 0}) == {"item": "c", "people": 0, "agrees": 0}, "nobody is nobody's secret"


def test_a_suppressed_part_cannot_be_had_by_subtraction() -> None:
    whole = {"item": "a", "people": 20, "agrees": 12, "by_group": [
        {"group": "x", "people": 10, "agrees": 6}, {"group": "y", "people": 6, "agrees": 4}, {"group": "z", "people": 4, "agrees": 2}
    ]}
    shown = public(whole)["by_group"]
    assert shown == [
        {"group": "x", "people": 10, "agrees": 6},
        {"group": "y", "people": None, "suppressed": True}, {"group": "z", "people": None, "suppressed": True},
    ]


def test_a_suppressed_entry_loses_its_place_in_the_ranking() -> None:
    ranking = [{"item": "best", "people": 2, "score": 9}, {"item": "good", "people": 9, "score": 5}, {"item": "also", "people": 1, "score": 1}]
    assert [entry["item"] for entry in public(ranking)] == ["good", "also", "best"]


SEGMENTS = st.fixed_dictionaries({}, optional={"age": st.sampled_from("abc"), "region": st.sampled_from("nsew"), "job": st.sampled_from("xyz")})


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(SEGMENTS, st.sampled_from(["online", "on-site"]), st.booleans()), max_size=60))
def test_no_combination_of_segments_singles_anyone_out(drawn: list[tuple[dict[str, str], str, bool]]) -> None:
    people = [Participant(f"p{i}", mode, "c", s, expert=e) for i, (s, mode, e) in enumerate(drawn)]  # type: ignore[arg-type]
    shown = coarsen(people)
    shared = Counter((p.mode, p.cohort, p.expert, tuple(sorted(p.segments.items()))) for p in shown)
    assert all(number >= 5 for number in shared.values())
    assert [p.id for p in shown] == [p.id for p in people if p.id in {s.id for s in shown}]


def test_what_singles_nobody_out_stays_as_it_is() -> None:
    people = [Participant(f"p{i}", segments={"age": "old" if i < 6 else "young"}) for i in range(12)]
    assert coarsen(people) == tuple(people)


def test_a_rare_value_becomes_other_before_a_whole_segment_is_dropped() -> None:
    people = [Participant(f"p{i}", segments={"age": "old" if i < 6 else f"a{i % 3}"}) for i in range(12)]
    assert Counter(p.segments["age"] for p in coarsen(people)) == {"old": 6, "other": 6}
