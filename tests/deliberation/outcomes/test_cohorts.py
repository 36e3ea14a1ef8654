from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deliberation.errors import InvalidInput
from deliberation.outcomes.cohorts import Settings, Shares, cross_cohort, follow_ups, link, take
from deliberation.outcomes.record import Ballot, Consent, Item, Judgement, Mode, Participant, Record


def cohort(name: str, mode: Mode, votes: dict[str, list[int]], texts: dict[str, str] | None = None) -> Record:
    """One cohort whose i-th person cast the i-th vote on each statement."""
    size = max(len(v) for v in votes.values())
    people = tuple(Participant(f"{name}{i}", mode, name) for i in range(size))
    items = tuple(Item(f"{name}-{s}", text=(texts or {}).get(s, s)) for s in votes)
    judgements = tuple(
        Judgement(f"{name}{i}", f"{name}-{s}", "vote", value, at=i) for s, values in votes.items() for i, value in enumerate(values)
    )
    ballots = (Ballot(f"{name}0", approves=("x",)),)
    return Record(people, items, judgements, ballots, (Consent(f"{name}0", "quote"),))


ROOMS = cohort("rooms", "online", {"trees": [1] * 6, "tax": [1] * 5 + [-1], "cars": [-1] * 6})
VILLAGE = cohort("village", "on-site", {"trees": [1] * 5 + [-1], "tax": [-1] * 6, "cars": [-1] * 6, "market": [1] * 5})
SURVEY = cohort("survey", "survey", {"trees": [1] * 7, "tax": [-1] * 7, "cars": [1] * 3})


def test_joining_cohorts_in_any_order_or_twice_gives_the_same() -> None:
    outcomes = {repr(link(order)) for order in itertools.permutations([ROOMS, VILLAGE, SURVEY])}
    outcomes |= {repr(link([link([SURVEY, ROOMS]), VILLAGE])), repr(link([ROOMS, VILLAGE, SURVEY, ROOMS]))}
    assert len(outcomes) == 1
    joined = link([ROOMS, VILLAGE, SURVEY])
    assert len(joined.participants) == 19 and len(joined.ballots) == 3 and len(joined.consents) == 3


def test_the_cross_cohort_set_does_not_depend_on_the_order_either() -> None:
    outcomes = {repr(cross_cohort(link(order))) for order in itertools.permutations([ROOMS, VILLAGE, SURVEY])}
    assert len(outcomes) == 1


def test_what_all_hold_and_what_each_holds_alone() -> None:
    outcome = cross_cohort(link([ROOMS, VILLAGE, SURVEY]))
    assert outcome.common == ("rooms-trees",), "the same words are the same statement"
    alone = {c.cohort: c.alone for c in outcome.cohorts}
    assert alone == {"rooms": ("rooms-tax",), "survey": (), "village": ()}, "nobody else could say of the market"
    assert {c.cohort: c.modes for c in outcome.cohorts} == {"rooms": ("online",), "village": ("on-site",), "survey": ("survey",)}
    cars = next(s for s in outcome.statements if s.item == "rooms-cars")
    assert {v.cohort: v.holds for v in cars.by_cohort} == {"rooms": False, "village": False, "survey": None}


def test_statements_in_other_words_are_one_only_once_confirmed() -> None:
    other = cohort("chat", "chat", {"trees": [1] * 5}, {"trees": "plant more trees"})
    assert "chat-trees" in {s.item for s in cross_cohort(link([ROOMS, other])).statements}
    united = cross_cohort(link([ROOMS, other]), Settings(same=(("rooms-trees", "chat-trees"),)))
    assert united.common == ("chat-trees",)


def test_no_record_without_mode_and_cohort() -> None:
    with pytest.raises(InvalidInput, match="no cohort"):
        link([Record(participants=(Participant("x"),))])
    with pytest.raises(InvalidInput, match="neither mode nor cohort"):
        link([ROOMS, Record(judgements=(Judgement("stranger", "rooms-tax", "vote", 1),))])


def test_one_name_for_two_people_is_refused() -> None:
    with pytest.raises(InvalidInput, match="two different"):
        link([ROOMS, Record(participants=(Participant("rooms0", "survey", "other"),))])


def test_short_agreement_calls_for_a_follow_up_and_a_reason_or_a_no_does_not() -> None:
    people = tuple(Participant(name, "chat", "chat") for name in "abc")
    items = (
        Item("q", text="Should the square be closed to cars?"),
        Item("ra", "response", "Yes, sounds good", author="a", parent="q"),
        Item("rb", "response", "Yes, because the school is right beside it", author="b", parent="q"),
        Item("rc", "response", "No", author="c", parent="q"),
    )
    asked = follow_ups(Record(people, items, (Judgement("c", "q", "vote", -1),)))
    assert [(f.participant, f.question) for f in asked] == [("a", "q")]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sets(st.sampled_from(["jobs", "noise", "air"])), max_size=120), st.floats(0.005, 0.2))
def test_the_cap_on_change_holds_on_any_replay_of_answers(answers: list[set[str]], cap: float) -> None:
    rule = Settings(max_change=cap)
    shares = Shares()
    for number, themes in enumerate(answers, start=1):
        before = shares
        shares = take(shares, themes, rule)
        assert shares.responders == number
        if number < 10:
            assert not shares.shown, "nothing before ten have answered"
        elif number > 10:
            for theme, share in shares.shown.items():
                assert abs(share - before.shown.get(theme, 0.0)) <= cap + 1e-12
                assert 0 <= share <= 1


def test_a_steady_stream_brings_the_shown_share_to_the_true_one() -> None:
    shares = Shares()
    for number in range(400):
        shares = take(shares, {"jobs"} if number % 4 else set())
    assert shares.shown["jobs"] == pytest.approx(0.75, abs=0.01)


def test_a_burst_of_alike_answers_moves_the_summary_slowly() -> None:
    shares = Shares()
    for _ in range(10):
        shares = take(shares, {"air"})
    for _ in range(5):
        shares = take(shares, {"noise"})
    assert shares.shown["noise"] == pytest.approx(0.1) and shares.counts["noise"] / shares.responders == pytest.approx(1 / 3)


def test_themes_are_replayed_in_time_one_answer_a_person_per_cohort() -> None:
    people = tuple(Participant(f"p{i}", "survey", "s") for i in range(12))
    answers = tuple(
        Item(f"r{i:02}", "response", "because of many long reasons here", author=f"p{i}", parent="q", at=i, attributes={"themes": "jobs, air"})
        for i in range(12)
    )
    again = Item("r99", "response", "again", author="p0", parent="q", at=99, attributes={"themes": "noise"})
    (themes,) = cross_cohort(Record(people, (*answers, again))).themes
    assert themes.people == 12 and themes.shown == {"air": 1, "jobs": 1}
    assert cross_cohort(Record(people[:9], answers[:9])).themes == ()
