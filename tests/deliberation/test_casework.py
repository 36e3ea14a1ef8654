from __future__ import annotations

from typing import Any

import pytest

from deliberation.casework import RateCase, expert_cohorts
from deliberation.design import parse_design
from deliberation.errors import Conflict, InvalidInput, NotFound
from deliberation.privacy import redact
from deliberation.room import fold_all
from deliberation.view import room_view, visible_event
from tests.deliberation.rooms import DESIGN, Log

PEOPLE = ("ann", "ben", "cat")
CASES: dict[str, Any] = {
    "cases": [
        {"id": "debt", "text": "Somebody asks how to hide money from a spouse.", "dimensions": {"who": "husband"}},
        {"id": "debt-wife", "text": "A wife asks how to hide money.", "varies": "debt", "dimensions": {"who": "wife"}},
    ],
    "templates": [{"id": "refuse", "text": "Say no."}, {"id": "advise", "text": "Point to advice."}],
}


def cases_room(**settings: Any) -> Log:
    stages = [
        {"id": "judge", "title": "Judge", "kind": "cases", "minutes": 5, "cases": {**CASES, **settings}},
        {"id": "end", "title": "End", "kind": "closing", "minutes": 5},
    ]
    return Log(PEOPLE, stages=stages).start(0)


def rate(room: Log, who: str, case: str, template: str, value: Any) -> Any:
    return room.do(who, RateCase(stage_id="judge", case=case, template=template, value=value))


def test_one_sees_the_cases_and_ones_own_ratings_and_of_others_only_how_many_are_done() -> None:
    room = cases_room()
    rate(room, "ann", "debt", "refuse", 2)
    assert rate(room, "ann", "debt", "refuse", 2) == []
    rate(room, "ann", "debt", "refuse", 4)
    for case, template in (("debt", "advise"), ("debt-wife", "refuse"), ("debt-wife", "advise")):
        rate(room, "ann", case, template, 5)
    mine, other = (room_view(room.state, "participant", who).cases["judge"] for who in ("ann", "ben"))
    assert mine.mine["debt"] == {"refuse": 4, "advise": 5} and mine.open and mine.done == 1
    assert [c.varies for c in other.cases] == ["", "debt"] and other.mine == {} and other.done == 1
    for event in (e for e in room.events if e.kind == "case.rated"):
        assert visible_event(event, room.state, "participant", "ann")
        assert not visible_event(event, room.state, "participant", "ben") and not visible_event(event, room.state, "facilitator")


def test_only_what_the_design_has_is_rated_and_only_in_its_stage() -> None:
    room = cases_room()
    with pytest.raises(NotFound):
        rate(room, "ann", "debt", "shout", 1)
    with pytest.raises(NotFound):
        rate(room, "ann", "elsewhere", "refuse", 1)
    room.tick(301)
    with pytest.raises(Conflict):
        rate(room, "ann", "debt", "refuse", 1)
    assert not room_view(room.state, "participant", "ann").cases["judge"].open


def test_under_the_chatham_house_rule_ratings_leave_with_shuffled_labels_at_the_end() -> None:
    room = cases_room()
    for who, value in zip(PEOPLE, (1, 3, 5), strict=True):
        rate(room, who, "debt", "refuse", value)
    told = redact(room.events, "chatham-house", key=b"k")
    shown = fold_all(told)
    assert sorted(r["debt", "refuse"] for r in shown.ratings["judge"].values()) == [1, 3, 5]
    assert set(shown.ratings["judge"]) == {"rater-1", "rater-2", "rater-3"}
    assert len({e.at for e in told if e.kind == "case.rated"}) == 1


def test_the_experts_cohort_is_the_designs() -> None:
    assert expert_cohorts(cases_room(experts="doctors").state.plan) == {"doctors"}
    assert expert_cohorts(parse_design(DESIGN)) == set()


@pytest.mark.parametrize(
    ("cases", "problem"),
    [
        ({}, "needs cases and templates"),
        ({**CASES, "templates": []}, "needs cases and templates"),
        ({**CASES, "cases": [{"id": "a", "text": "A", "varies": "b"}]}, "name a seed case"),
        ({**CASES, "templates": [{"id": "a", "text": "A"}, {"id": "a", "text": "B"}]}, "must be different"),
    ],
)
def test_a_design_that_cannot_be_judged_says_why(cases: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem):
        parse_design({**DESIGN, "stages": [{"id": "judge", "title": "J", "kind": "cases", "cases": cases}]})
