"""Values cards with help: what the model is asked, what of its answer reaches whom, and which cards are proposed as one."""

from __future__ import annotations

import json
from typing import Any

from deliberation.events import AiCalled
from deliberation.values import CardAdded, CardsAlike, CardWithdrawn, ValueReplied, ValueTold
from facilitator import values_cards
from facilitator.agent import RoomFacilitator
from facilitator.llm import ModelFailure
from tests.facilitator.models import ScriptedModel
from tests.facilitator.rooms import Room, design

CONTEXT = "somebody asks about dying"
DRAFT = {"question": "", "title": "Truth with care", "attends": ["what they can bear", "what is true"], "story": "A doctor told her the truth."}
QUESTION = {"question": "What did you notice then?", "title": "", "attends": [], "story": ""}


def room(mode: str = "model") -> Room:
    stages = [{"id": "cards", "kind": "values", "title": "Cards", "minutes": 9, "values": {"contexts": [CONTEXT]}}]
    return Room(3, design(stages=stages, facilitation={"mode": mode}))


def agent(room: Room, model: Any) -> RoomFacilitator:
    async def act(make: Any) -> None:
        for payload in make(room.state):
            room.add(1, payload, actor="ai")
        made.observe(room.state)

    made = RoomFacilitator(model, act, room.new_id, lambda: room.state.at)
    return made


async def told(room: Room, agent: RoomFacilitator, text: str, person: str = "p1") -> ValueReplied:
    room.add(1, ValueTold(participant_id=person, context=CONTEXT, text=text), actor=person)
    agent.observe(room.state)
    await agent.settle()
    replies = [e.payload for e in room.events if isinstance(e.payload, ValueReplied)]
    return replies[-1]


async def test_the_assistant_asks_then_drafts_and_the_ledger_holds_that_it_was_asked_not_what_came_back() -> None:
    held = room()
    model = ScriptedModel(json.dumps(QUESTION), json.dumps(DRAFT))
    helper = agent(held, model)
    assert (await told(held, helper, "A doctor told my aunt the truth.")).text == "What did you notice then?"
    drafted = await told(held, helper, "That he waited until she could bear it.")
    assert drafted.title == "Truth with care" and drafted.attends == ("what they can bear", "what is true")
    calls = [e.payload for e in held.events if isinstance(e.payload, AiCalled)]
    assert [c.purpose for c in calls] == ["values", "values"] and {c.output for c in calls} == {""} and calls[0].prompt == "values@1"
    assert drafted.call_id == calls[1].call_id
    asked = json.loads(model.asked[1].user)
    assert asked["situation"] == CONTEXT and [line["by"] for line in asked["talk"]] == ["me", "ai", "me"] and asked["answers_left"] == 2
    assert not held.state.values.cards  # nothing is put up for anybody


async def test_where_no_answer_comes_the_person_is_told_and_the_form_remains() -> None:
    for model in (None, ScriptedModel(ModelFailure("timeout")), ScriptedModel("{}"), ScriptedModel(json.dumps({**DRAFT, "attends": []}))):
        held = room()
        helper = agent(held, model)
        assert (await told(held, helper, "Hm.")).failed
        assert (await told(held, helper, "Hm, again.")).failed  # and asked again only when told again
        assert sum(isinstance(e.payload, ValueReplied) for e in held.events) == 2


async def test_the_last_answer_is_followed_by_a_draft_or_by_the_form() -> None:
    held = room()
    helper = agent(held, ScriptedModel(json.dumps(QUESTION)))
    replies = [await told(held, helper, f"Answer {n}") for n in range(4)]
    assert [r.failed for r in replies] == [False, False, False, True]


async def test_cards_that_read_alike_are_proposed_once_and_only_within_a_context() -> None:
    held = room("off")

    def put(card_id: str, title: str, *attends: str, context: str = CONTEXT) -> None:
        held.add(1, CardAdded(card_id=card_id, participant_id="p1", context=context, title=title, attends=attends))

    put("a", "Honesty", "truths that matter even when they hurt")
    put("b", "Calm", "how loud the room is")
    put("c", "Honest words", "truths that matter, even when they hurt")
    put("d", "Honesty", "truths that matter even when they hurt", context="another situation")
    helper = agent(held, None)
    helper.observe(held.state)
    await helper.settle()
    proposed = [e.payload for e in held.events if isinstance(e.payload, CardsAlike)]
    assert [(p.first_card, p.second_card) for p in proposed] == [("a", "c")] and proposed[0].similarity >= 0.5
    assert values_cards.alike(held.state) == []
    put("e", "Honesty!", "truths that matter even when they hurt")
    held.add(2, CardWithdrawn(card_id="a", by="author"))
    helper.observe(held.state)
    await helper.settle()
    again = [e.payload for e in held.events if isinstance(e.payload, CardsAlike)][1:]
    assert [(p.first_card, p.second_card) for p in again] == [("c", "e")]  # not what was taken back
