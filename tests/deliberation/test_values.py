from __future__ import annotations

from typing import Any

import pytest

from deliberation.consent import erased, erasures_of
from deliberation.design import parse_design
from deliberation.errors import Conflict, InvalidInput, NotAllowed, NotFound, TooMany
from deliberation.events import AiCalled
from deliberation.privacy import redact
from deliberation.redactor import Mode
from deliberation.room import fold_all
from deliberation.values import (
    AddCard,
    AnswerSame,
    AnswerWiser,
    CardsAlike,
    CardsMerged,
    CardWithdrawn,
    TellValue,
    ValueReplied,
    WithdrawCard,
    comparisons,
    settings_of,
)
from deliberation.view import room_view, visible_event
from tests.deliberation.rooms import DESIGN, Log, flat

PEOPLE = ("ann", "ben", "cat")
ASKED, ILL = "somebody asks about dying", "somebody is ill"


def values_room(*, people: tuple[str, ...] = PEOPLE, mode: Mode = "named", **settings: Any) -> Log:
    stages = [
        {"id": "cards", "title": "What matters", "kind": "values", "minutes": 5, "values": {"contexts": [ASKED, ILL], **settings}},
        {"id": "talk", "title": "Talk", "minutes": 5},
        {"id": "compare", "title": "Compare", "kind": "wiser", "minutes": 5},
        {"id": "end", "title": "End", "kind": "closing", "minutes": 5},
    ]
    return Log(people, stages=stages, privacy={"mode": mode}).start(0)


def card(room: Log, who: str, title: str, *attends: str, context: str = ASKED, story: str = "") -> str:
    room.do(who, AddCard(context=context, title=title, attends=attends or (f"{title} in what is said",), story=story))
    return next(reversed(room.state.values.cards))


def move_on(room: Log, stages: int) -> Log:
    for _ in range(stages):
        room.tick(301)
    return room


def test_a_card_is_put_up_without_its_author_and_taken_back_by_them_alone() -> None:
    room = values_room()
    honest = card(room, "ann", "Honesty", "what is true", "what hurts", story="My mother was told too late.")
    [event] = [e for e in room.events if e.kind == "values.added"]
    told = visible_event(event, room.state, "participant", "ben")
    assert told and told["actor"] == "member" and "participant_id" not in told["payload"]
    mine, others = (room_view(room.state, "participant", who).values for who in ("ann", "ben"))
    assert mine and others and mine.cards[honest].mine and not others.cards[honest].mine
    assert others.cards[honest].attends == ("what is true", "what hurts") and others.cards[honest].story == "My mother was told too late."
    with pytest.raises(NotAllowed):
        room.do("ben", WithdrawCard(card_id=honest))
    room.do("ann", WithdrawCard(card_id=honest))
    after = room_view(room.state, "participant", "ben").values
    assert after and after.cards == {}
    [gone] = [e for e in room.events if e.kind == "values.withdrawn"]
    assert (visible_event(gone, room.state, "participant", "ben") or {})["actor"] == "member"


def test_a_card_that_was_taken_back_or_hidden_leaves_no_room_in_any_mode() -> None:
    room = values_room(mode="named")
    mine = card(room, "ann", "Honesty", "what is true", story="My mother was told too late.")
    hidden = card(room, "ben", "Gossip", "what cat did on Monday")
    room.do("ann", WithdrawCard(card_id=mine))
    room.add(CardWithdrawn(card_id=hidden, by="facilitator"))
    for mode in ("named", "pseudonym", "chatham-house"):
        assert not any(words in flat([e.payload.model_dump() for e in redact(room.events, mode, key=b"k")]) for words in ("Honesty", "My mother", "Gossip", "on Monday"))
    [taken] = [e.payload for e in room.events if isinstance(e.payload, CardWithdrawn) and e.payload.by == "author"]
    [erasure] = erasures_of(taken, "erase")
    assert "My mother" not in flat([e.payload.model_dump() for e in erased(room.events, [erasure])]) and "on Monday" in flat([e.payload.model_dump() for e in erased(room.events, [erasure])])


def test_cards_are_bounded_different_and_about_the_designs_contexts() -> None:
    room = values_room(cards_each=2)
    card(room, "ann", "Honesty", "truth")
    with pytest.raises(Conflict):
        card(room, "ben", "honesty", "Truth")
    card(room, "ann", "Honesty", "truth", context=ILL)  # another context: another card
    with pytest.raises(TooMany):
        card(room, "ann", "Calm")
    with pytest.raises(InvalidInput):
        card(room, "ben", "Calm", context="somebody shouts")
    move_on(room, 1)
    with pytest.raises(Conflict):
        card(room, "ben", "Calm")


def test_two_cards_become_one_when_the_later_ones_author_says_so() -> None:
    room = values_room()
    first, second = card(room, "ann", "Honesty"), card(room, "ben", "Truth")
    room.add(CardsAlike(first_card=first, second_card=second, similarity=0.6), actor="ai")
    room.do("ann", AnswerSame(first_card=first, second_card=second, same=True))  # the earlier one's author alone takes nothing over
    assert room.state.values.canonical() == {first: first, second: second}
    room.do("ben", AnswerSame(first_card=first, second_card=second, same=True))
    assert room.state.values.canonical() == {first: first, second: first}
    view = room_view(room.state, "participant", "cat").values
    assert view and view.cards[first].stands_for == (second,) and view.alike == {}


def test_a_majority_makes_two_cards_one_but_never_against_an_author() -> None:
    room = values_room(people=("ann", "ben", "cat", "dan"))
    first, second = card(room, "ann", "Honesty"), card(room, "ben", "Truth")
    room.add(CardsAlike(first_card=first, second_card=second, similarity=0.6), actor="ai")
    same = AnswerSame(first_card=first, second_card=second, same=True)
    room.do("cat", same)
    room.do("dan", same)
    assert not room.state.values.alike[first, second].merged  # two of four are no majority
    room.do("ben", same.model_copy(update={"same": False}))
    room.do("ann", same)
    assert not room.state.values.alike[first, second].merged  # three of four, against one of the two authors
    with pytest.raises(NotFound):
        room.do("cat", AnswerSame(first_card=second, second_card=first, same=True))


def test_when_a_value_that_stands_for_another_is_taken_back_the_other_stands() -> None:
    room = values_room()
    first, second, third = card(room, "ann", "Honesty"), card(room, "ben", "Truth"), card(room, "cat", "Calm")
    for pair in ((first, second), (second, third)):
        room.add(CardsAlike(first_card=pair[0], second_card=pair[1], similarity=0.6), CardsMerged(first_card=pair[0], second_card=pair[1]))
    assert set(room.state.values.canonical().values()) == {first}
    room.do("ann", WithdrawCard(card_id=first))
    assert room.state.values.canonical() == {second: second, third: second}


def test_every_member_is_asked_about_the_same_pairs_in_one_of_both_directions() -> None:
    room = values_room(people=tuple("abcdefgh"), comparisons=4)
    cards = [card(room, who, f"Value {who}") for who in "abcd"]
    alone = card(room, "e", "Elsewhere", context=ILL)
    move_on(room, 2)
    settings = settings_of(room.state)
    assert settings
    pairs = comparisons(room.state.values, settings)
    assert [p[:2] for p in pairs] == [(cards[0], cards[1]), (cards[1], cards[2]), (cards[2], cards[3]), (cards[0], cards[2])]
    asked = {}
    for who in "abcdefgh":
        view = room_view(room.state, "participant", who).values
        assert view and view.comparing
        asked[who] = [(c.from_card, c.to_card) for c in view.comparisons]
        assert [set(pair) for pair in asked[who]] == [set(pair[:2]) for pair in pairs]
    assert all(len({questions[n] for questions in asked.values()}) == 2 for n in range(4))  # both directions are asked
    assert alone not in {card for questions in asked.values() for pair in questions for card in pair}  # nothing to compare it with


def test_a_comparison_is_answered_in_its_stage_only_by_those_asked_and_stays_with_them() -> None:
    room = values_room()
    card(room, "ann", "Honesty"), card(room, "ben", "Calm")
    with pytest.raises(Conflict):
        room.do("ann", AnswerWiser(from_card="x", to_card="y", context=ASKED, answer=1))
    move_on(room, 2)
    view = room_view(room.state, "participant", "ann").values
    assert view
    [question] = view.comparisons
    answer = AnswerWiser(from_card=question.from_card, to_card=question.to_card, context=question.context, answer=1)
    room.do("ann", answer)
    assert room.do("ann", answer) == []
    with pytest.raises(NotFound):
        room.do("ann", answer.model_copy(update={"from_card": question.to_card, "to_card": question.from_card}))
    after, other = (room_view(room.state, "participant", who).values for who in ("ann", "ben"))
    assert after and other and after.comparisons[0].my_answer == 1 and other.comparisons[0].my_answer is None and other.compared == 1
    [event] = [e for e in room.events if e.kind == "values.wiser"]
    assert visible_event(event, room.state, "participant", "ann") and not visible_event(event, room.state, "participant", "ben")
    assert not visible_event(event, room.state, "facilitator")


def test_what_somebody_tells_the_assistant_is_seen_by_nobody_else_and_leaves_no_room() -> None:
    room = values_room()
    room.do("ann", TellValue(context=ASKED, text="When my father died, secretly I was relieved."))
    with pytest.raises(Conflict):
        room.do("ann", TellValue(context=ASKED, text="Hello?"))  # one answer at a time
    call = AiCalled(
        call_id="k1", purpose="values", model="m", prompt="values@1", prompt_hash="h", first_seq=1, last_seq=1, output="", latency_ms=1,
        outcome="ok",
    )  # fmt: skip
    room.add(call, ValueReplied(participant_id="ann", title="Relief", attends=("what is felt",), story="Secretly.", call_id="k1"), actor="ai")
    mine = room_view(room.state, "participant", "ann").values
    assert mine and mine.talk and mine.talk.draft and mine.talk.draft.title == "Relief" and mine.cards == {}
    for viewer in (("participant", "ben"), ("facilitator", None), ("researcher", None)):
        assert "ecretly" not in room_view(room.state, *viewer).model_dump_json()  # type: ignore[arg-type]
        assert not any("ecretly" in str(visible_event(e, room.state, *viewer)) for e in room.events)  # type: ignore[arg-type]
    for mode in ("named", "pseudonym", "chatham-house"):
        assert "ecretly" not in str(redact(room.events, mode, key=b"k"))
    with pytest.raises(NotFound):
        room.do("ben", AddCard(context=ASKED, title="Relief", attends=("what is felt",), call_id="k1"))
    room.do("ann", AddCard(context=ASKED, title="Relief", attends=("what is felt",), call_id="k1"))
    done = room_view(room.state, "participant", "ben").values
    assert done and [c.drafted for c in done.cards.values()] == [True] and "ann" not in room.state.values.talks


def test_without_a_model_in_the_design_there_is_no_chat_but_the_form() -> None:
    room = Log(PEOPLE, stages=[{"id": "cards", "title": "C", "kind": "values", "values": {"contexts": [ASKED]}}], facilitation={"mode": "rules"}).start(0)
    view = room_view(room.state, "participant", "ann").values
    assert view and view.writing and not view.guided
    with pytest.raises(Conflict):
        room.do("ann", TellValue(context=ASKED, text="I think so."))
    assert card(room, "ann", "Honesty")


def test_a_chat_ends_after_four_answers_and_begins_anew_where_the_assistant_failed() -> None:
    room = values_room()
    for n in range(4):
        room.do("ann", TellValue(context=ASKED, text=f"Answer {n}"))
        room.add(ValueReplied(participant_id="ann", text="And then?"))
    with pytest.raises(TooMany):
        room.do("ann", TellValue(context=ASKED, text="One more"))
    room.do("ben", TellValue(context=ASKED, text="First"))
    room.add(ValueReplied(participant_id="ben", failed=True))
    room.do("ben", TellValue(context=ASKED, text="Again"))
    assert room.state.values.talks["ben"].lines == (("me", "Again"),)


def test_each_privacy_mode_keeps_the_cards_and_tells_no_author_where_it_should_not() -> None:
    room = values_room(mode="chatham-house")
    first, second = card(room, "ann", "Ann is honest"), card(room, "ben", "Calm")
    room.add(CardsAlike(first_card=first, second_card=second, similarity=0.5))
    move_on(room, 2)
    for who in PEOPLE:
        view = room_view(room.state, "participant", who).values
        assert view
        for c in view.comparisons:
            room.do(who, AnswerWiser(from_card=c.from_card, to_card=c.to_card, context=c.context, answer=1))
    for mode in ("named", "pseudonym", "chatham-house"):
        shown = fold_all(redact(room.events, mode, key=b"k"))
        assert len(shown.values.standing) == 2 and sum(map(len, shown.values.wiser.values())) == 3
        assert settings_of(shown) == settings_of(room.state)
        text = flat(redact(room.events, mode, key=b"k"))
        assert ("Ann is honest" in text) == (mode == "named")
        if mode == "chatham-house":
            assert {c.participant_id for c in shown.values.standing} == {"someone"} and not set(shown.values.wiser) & set(PEOPLE)


@pytest.mark.parametrize(
    ("stages", "problem"),
    [
        ([{"id": "v", "kind": "values", "title": "V"}], "at least one context"),
        ([{"id": "w", "kind": "wiser", "title": "W"}], "values stage before it"),
        ([{"id": "v", "kind": "values", "title": "V", "values": {"contexts": ["a", "a"]}}], "each context once"),
        ([{"id": "v", "kind": "values", "title": "V", "values": {"contexts": ["a"], "seeds": [{"title": "Honesty", "context": "b"}]}}], "one of the contexts"),
    ],
)
def test_a_design_that_cannot_be_held_says_why(stages: list[dict[str, Any]], problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem):
        parse_design({**DESIGN, "stages": stages})
