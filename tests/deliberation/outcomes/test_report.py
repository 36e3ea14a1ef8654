from __future__ import annotations

import pytest

from deliberation.errors import InvalidInput
from deliberation.outcomes.record import Participant
from deliberation.outcomes.report import (
    AiUse,
    ProcessCard,
    RunReport,
    card_as_markdown,
    dissimilarity,
    limits_of,
    method_use,
    representation,
    run_as_markdown,
)
from deliberation.outcomes.result import Result

PEOPLE = [Participant(f"p{i}", segments={"region": "north" if i < 6 else "south"}) for i in range(8)] + [Participant("x")]
TARGETS = {"region": {"north": 0.5, "south": 0.3, "east": 0.2}}
RUN = RunReport(2, None, 34, 20, 10, 7, 10, 2, 2, 0, 0.21, {"nudge": 3}, {"recogniser": 1}, 1)


def test_representation_compares_those_who_answered_with_the_target() -> None:
    compared = representation(PEOPLE, TARGETS)
    assert [(e.value, e.people, e.share) for e in compared] == [("north", 6, 0.75), ("south", 2, 0.25), ("east", 0, 0)]
    assert dissimilarity(compared, "region") == pytest.approx((0.25 + 0.05 + 0.2) / 2)
    with pytest.raises(InvalidInput):
        representation(PEOPLE, {"region": {"north": 0.5}})


def test_limits_follow_from_the_figures() -> None:
    limits = limits_of(9, representation(PEOPLE, TARGETS), RUN)
    assert any("9 people" in line for line in limits)
    assert any("north" in line and "75 %" in line and "50 %" in line for line in limits)
    assert not any("south" in line for line in limits), "five points off is not notable"
    assert any("3 of 10" in line for line in limits) and any("recogniser" in line for line in limits)
    assert limits_of(100, (), None) == ("No targets were set, so nothing can be said about whom the participants represent.",)


def test_the_card_says_everything_a_sceptic_needs() -> None:
    use = method_use(Result("bridging", "1", {"seed": 0, "accept_support": 0.8}, 0, "abcdef0123456789", {}, {}))
    card = ProcessCard(
        "Trees", "Should the square | be green?", "Town", "By lot", 9, 2, 1, representation(PEOPLE, TARGETS), ("Which trees?",),
        (AiUse("nudges", 3, "", "n-1", 1),), (use,), ("Two statements were merged.",), ("Only 9 people.",),
    )
    text = card_as_markdown(card)
    for part in ("By lot", "9 people in 2 rooms over 1 round.", "| region | north | 6 | 75 % | 50 % |", "Which trees?", "rules only",
                 "accept_support = 0.8, seed = 0", "abcdef012345", "Two statements were merged.", "Only 9 people."):
        assert part in text
    assert "—" in card_as_markdown(ProcessCard("t", "q", "o", "r", 0, 0, 2, (), (), (), (), (), ()))


def test_the_run_report_counts_what_happened() -> None:
    text = run_as_markdown(RUN)
    assert "| No-shows | 10 |" in text and "| Interventions: nudge | 3 |" in text and "0.21" in text
