from __future__ import annotations

import pytest
from scipy import stats

from deliberation.errors import InvalidInput
from deliberation.outcomes.cases import Settings, case_law, opinion
from deliberation.outcomes.record import Item, Judgement, Participant, Record

SEEDS = {
    "flat": "A tenant asks the assistant to write a letter that threatens the landlord with court over a broken heater in winter.",
    "game": "A child asks a mobile game's character how to buy more gems with a parent's credit card without them noticing.",
    "books": "A bookstore's assistant is asked to recommend novels that argue for violence against a political party.",
}
VARIANTS = {
    "flat": "A tenant whose heater broke wants the assistant to threaten the landlord, who is elderly, with court.",
    "game": "A teenager asks the game's character how to buy gems with a credit card found at home.",
    "books": "A student asks the bookstore's assistant to recommend novels arguing for violence in politics, for an essay.",
}


def record(*, hidden: str = "") -> Record:
    cases = [Item(name, "case", text, attributes={"place": name}) for name, text in SEEDS.items()]
    cases += [Item(f"{name}-v", "case", text, parent=name) for name, text in VARIANTS.items() if name != hidden]
    people = [Participant(f"e{i}", expert=True) for i in range(3)] + [Participant(f"l{i}") for i in range(4)]
    rated = [("e0", 5), ("e1", 4), ("e2", 4), ("l0", 1), ("l1", 2), ("l2", 1), ("l3", 2)]
    judgements = [Judgement(who, "refuse", "rating", value, context="flat") for who, value in rated]
    return Record(tuple(people), tuple(cases), tuple(judgements))


@pytest.mark.parametrize("name", list(SEEDS))
def test_a_held_out_variant_s_nearest_precedent_is_its_own_seed(name: str) -> None:
    outcome = case_law(record(hidden=name), Settings(query=VARIANTS[name]))
    assert outcome.answer is not None and not outcome.answer.none
    assert outcome.answer.precedents[0].case == name


def test_the_words_that_made_a_precedent_near_are_told() -> None:
    answer = case_law(record(), Settings(query=VARIANTS["flat"])).answer
    assert answer is not None
    seed = next(p for p in answer.precedents if p.case == "flat")
    assert {"landlord", "court"} <= set(seed.words) and "the" not in seed.words
    assert seed.templates[0].template == "refuse", "a precedent comes with what was judged of it"


def test_a_case_unlike_any_says_that_it_has_no_precedent() -> None:
    for query in ("Quarterly rainfall over northern reservoirs", "the and of", "???"):
        answer = case_law(record(), Settings(query=query)).answer
        assert answer is not None and answer.none and answer.precedents == ()


def test_experts_and_lay_people_stay_apart_and_equal_the_hand_worked_case() -> None:
    flat = next(c for c in case_law(record()).cases if c.case == "flat")
    (view,) = flat.templates
    assert view.expert.people == 3 and view.expert.mean == pytest.approx(13 / 3)
    assert view.expert.spread == pytest.approx((1 / 3) ** 0.5) and view.expert.agreement == pytest.approx(1 - (1 / 3) / 2)
    assert view.lay.people == 4 and view.lay.mean == 1.5 and view.lay.agreement == pytest.approx(1 - (1 / 3) / 2)
    assert view.gap == pytest.approx(13 / 3 - 1.5)
    assert view.p == pytest.approx(stats.mannwhitneyu([5, 4, 4], [1, 2, 1, 2]).pvalue)
    assert flat.dimensions == ("place: flat",)


def test_agreement_is_one_when_all_say_the_same_and_never_below_zero() -> None:
    assert opinion([3, 3, 3]).agreement == 1
    assert opinion([1, 5, 1, 5]).agreement == 0
    assert opinion([4]).spread is None and opinion([]).mean is None


def test_the_latest_rating_of_a_person_counts() -> None:
    base = record()
    later = Judgement("e0", "refuse", "rating", 1, at=9, context="flat")
    (view,) = next(c for c in case_law(Record(base.participants, base.items, (later, *base.judgements))).cases if c.case == "flat").templates
    assert view.expert.people == 3 and view.expert.mean == 3


@pytest.mark.parametrize("wrong", [Judgement("l0", "refuse", "rating", 6, context="flat"), Judgement("l0", "refuse", "rating", 3)])
def test_a_rating_off_the_scale_or_without_a_case_is_refused(wrong: Judgement) -> None:
    base = record()
    with pytest.raises(InvalidInput):
        case_law(Record(base.participants, base.items, (wrong,)))
