"""From rooms' cards and ratings to the public outcome: one graph, one case law, the same figures again from the record, and no small groups."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from deliberation.casework import CaseRated
from deliberation.design import Design, parse_design
from deliberation.errors import NotFound
from deliberation.events import ConsentGiven, Event, MemberJoined, Payload, RoomClosed, RoomOpened, StageStarted
from deliberation.outcomes import registry
from deliberation.outcomes.record import parse_record, record_as_json
from deliberation.values import CardAdded, CardsAlike, CardsMerged, WiserAnswered
from server.http.models import OutcomeResult
from server.outcomes import Computed, OutcomeBook, view
from server.precedents import answer
from server.storage.records import ParticipantRecord
from server.storage.store import Store
from tests.server.outcome_world import START

ILL = "somebody is ill"
HEATER = "A tenant asks the assistant to write a letter that threatens the landlord with court over a broken heater in winter."
CASES = {
    "cases": [
        {"id": "heater", "text": HEATER, "dimensions": {"season": "winter"}},
        {"id": "heater-old", "text": "A tenant whose heater broke wants to threaten the landlord, who is old, with court.", "varies": "heater"},
        {"id": "gems", "text": "A child asks a game's character how to buy gems with a parent's credit card."},
    ],
    "templates": [{"id": "refuse", "text": "Say no."}, {"id": "help", "text": "Write the letter."}],
}  # fmt: skip


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    made = await Store.open(f"sqlite:///{tmp_path}/t.db")
    yield made
    await made.close()


def design(**more: Any) -> Design:
    stages = [
        {"id": "cards", "kind": "values", "title": "Cards", "values": {"contexts": [ILL], "seeds": [{"title": "Honesty", "attends": ["truth"]}]}},
        {"id": "compare", "kind": "wiser", "title": "Compare"},
        {"id": "judge", "kind": "cases", "title": "Judge", "cases": CASES},
    ]  # fmt: skip
    return parse_design({"id": "town", "title": "T", "question": "Q?", "stages": stages, "outcome_methods": [], **more})


async def held(store: Store, plan: Design, rooms: Sequence[tuple[Sequence[str], Sequence[Payload]]], experts: Iterable[str] = ()) -> Computed:
    await store.create_deliberation(plan, START)
    for number, (people, said) in enumerate(rooms, 1):
        payloads: list[Payload] = [
            RoomOpened(deliberation_id=plan.id, room_id=f"room{number}", number=number, design=plan.model_dump(mode="json"))
        ]
        for seat, person in enumerate(people, 1):
            cohort = "experts" if person in set(experts) else "main"
            payloads += [
                MemberJoined(participant_id=person, seat=seat, name=f"Zebulon {person}", cohort=cohort),
                ConsentGiven(participant_id=person, items={"take_part": True, "quote": person != "a2"}, version="1", language="en"),
            ]
            await store.add_participant(ParticipantRecord(person, plan.id, START, f"Zebulon {person}", room_id=f"room{number}"))
        payloads += [StageStarted(stage_id=stage.id, index=index, ends_at=None) for index, stage in enumerate(plan.stages)]
        payloads += [*said, RoomClosed(reason="finished")]
        events = [Event(seq, START + 100 * number + seq, "system", payload) for seq, payload in enumerate(payloads, 1)]
        await store.append(f"room{number}", 1, events)
    return await OutcomeBook(store).computed(plan.id)


def card(card_id: str, person: str | None, title: str, *attends: str, story: str = "") -> CardAdded:
    return CardAdded(card_id=card_id, participant_id=person, context=ILL, title=title, attends=attends, story=story)


def wiser(people: Iterable[str], worse: str, better: str, reply: Any = 1) -> list[WiserAnswered]:
    return [WiserAnswered(participant_id=p, from_card=worse, to_card=better, context=ILL, answer=reply) for p in people]


A, B = [f"a{n}" for n in range(1, 6)], [f"b{n}" for n in range(1, 6)]


def two_rooms() -> list[tuple[list[str], list[Payload]]]:
    """Both groups have the organiser's honesty; both write the same words on calm; only the first has patience, and calls it calm."""
    first: list[Payload] = [
        card("cards-card-1", None, "Honesty", "truth"), card("x1", "a1", "Calm", "the breath", story="Zebulon a2 taught me."),
        card("x2", "a2", "Patience", "the breath", story="A secret of mine."),
        CardsAlike(first_card="x1", second_card="x2", similarity=0.6), CardsMerged(first_card="x1", second_card="x2"),
        *wiser(A[:3], "cards-card-1", "x1"), *wiser(A[3:], "cards-card-1", "x2"),
    ]  # fmt: skip
    second: list[Payload] = [
        card("cards-card-1", None, "Honesty", "truth"), card("y1", "b1", "Calm", "the breath"), card("y2", "b2", "Cheer", "a smile"),
        *wiser(B[:4], "cards-card-1", "y1"), *wiser(B[4:], "y1", "cards-card-1"), *wiser(B[:4], "y1", "y2"),
    ]  # fmt: skip
    return [(A, first), (B, second)]


def result(found: Computed, method: str, *, full: bool) -> OutcomeResult:
    return next(r for r in view(found, full=full).results if r.method == method)


@pytest.mark.parametrize("mode", ["named", "pseudonym", "chatham-house"])
async def test_both_groups_make_one_graph_that_can_be_computed_again(store: Store, mode: str) -> None:
    found = await held(store, design(privacy={"mode": mode}), two_rooms())
    items = {i.text: i for i in found.gathered.record.items if i.kind == "value"}
    assert set(items) == {"Honesty", "Calm", "Patience", "Cheer"} and items["Patience"].parent == items["Calm"].id
    assert items["Calm"].attributes["rooms"] == "1 2" and bool(items["Calm"].author) == (mode != "chatham-house")
    graph = result(found, "moral-graph", full=True).figures
    edges = {(e["source"], e["to"]): e for e in graph["edges"]}
    calm = edges[items["Honesty"].id, items["Calm"].id]
    assert (calm["wiser"], calm["less_wise"], calm["people"], calm["kept"]) == (9, 1, 10, True)  # three cards, one value
    assert edges[items["Calm"].id, items["Cheer"].id]["people"] == 4 and graph["values"][0]["title"] == "Cheer"
    record = parse_record(json.dumps(record_as_json(found.gathered.record)))
    assert registry.recompute(next(r for r in found.results if r.method == "moral-graph"), record)


async def test_everybody_sees_the_edges_of_five_people_and_a_ranking_made_from_those_alone(store: Store) -> None:
    found = await held(store, design(), two_rooms())
    graph = result(found, "moral-graph", full=False).figures
    assert [e["people"] for e in graph["edges"] if not e.get("suppressed")] == [10, 10]
    assert [v["title"] for v in graph["values"]] == ["Calm", "Honesty"]
    assert [p["chosen"] for p in graph["preferences"]] == ["Calm the breath"]
    assert sum(v["score"] for v in graph["values"]) == pytest.approx(0.075 + (0.075 + 0.85 * 0.075))


async def test_a_story_is_told_with_its_authors_consent_and_without_names(store: Store) -> None:
    shown = view(await held(store, design(), two_rooms()), full=False)
    stories = [q.text for i in shown.items for q in i.quotes]
    assert len(stories) == 1 and stories[0].endswith("taught me.") and "Zebulon" not in shown.model_dump_json()
    calm = next(i for i in shown.items if i.text == "Calm")
    assert (calm.kind, calm.details) == ("value", {"attends": "the breath", "contexts": ILL})


def ratings(by: dict[str, int], case: str = "heater", template: str = "refuse") -> list[Payload]:
    return [CaseRated(stage_id="judge", participant_id=p, case=case, template=template, value=v) for p, v in by.items()]  # type: ignore[arg-type]


EXPERTS, LAY = [f"e{n}" for n in range(5)], [f"l{n}" for n in range(6)]


@pytest.mark.parametrize("mode", ["named", "chatham-house"])
async def test_experts_are_those_of_the_organisers_cohort_and_stay_apart(store: Store, mode: str) -> None:
    said = ratings({**dict.fromkeys(EXPERTS, 5), **dict.fromkeys(LAY, 2)})
    found = await held(store, design(privacy={"mode": mode}), [([*EXPERTS, *LAY][:8], said[:8]), ([*EXPERTS, *LAY][8:], said[8:])], EXPERTS)
    figures = result(found, "cases", full=False).figures
    (template,) = next(c for c in figures["cases"] if c["case"] == "case-heater")["templates"]
    assert (template["expert"]["mean"], template["expert"]["people"], template["lay"]["mean"], template["lay"]["people"]) == (5, 5, 2, 6)
    assert template["gap"] == 3
    variant = next(c for c in figures["cases"] if c["case"] == "case-heater-old")
    assert variant["parent"] == "case-heater" and variant["templates"] == []


async def test_too_few_experts_are_suppressed_with_what_would_tell_them_and_never_count_as_lay_people(store: Store) -> None:
    said = ratings({**dict.fromkeys(EXPERTS[:2], 5), **dict.fromkeys(LAY, 2)})
    figures = result(await held(store, design(), [([*EXPERTS[:2], *LAY], said)], EXPERTS), "cases", full=False).figures
    (template,) = figures["cases"][0]["templates"]
    assert template["expert"] == {"people": None, "suppressed": True} and template["gap"] is None and template["p"] is None
    assert (template["lay"]["people"], template["lay"]["mean"]) == (6, 2)


async def test_under_the_chatham_house_rule_two_experts_ratings_are_left_out(store: Store) -> None:
    said = ratings({**dict.fromkeys(EXPERTS[:2], 5), **dict.fromkeys(LAY, 2)})
    found = await held(store, design(privacy={"mode": "chatham-house"}), [([*EXPERTS[:2], *LAY], said)], EXPERTS)
    (template,) = result(found, "cases", full=True).figures["cases"][0]["templates"]
    assert (template["expert"]["people"], template["lay"]["people"], template["lay"]["mean"]) == (0, 6, 2)


async def test_a_new_case_is_answered_with_precedents_and_the_words_that_made_them_near_or_told_that_there_is_none(store: Store) -> None:
    found = await held(store, design(), [(LAY, ratings(dict.fromkeys(LAY, 2)))])
    told = answer(found, "My landlord does not repair the heater; write that I will go to court.")
    assert not told.none and told.precedents[0].case.startswith("case-heater") and {"heater", "landlord", "court"} & set(told.precedents[0].words)
    seed = next(p for p in told.precedents if p.case == "case-heater")
    assert seed.templates[0]["lay"]["mean"] == 2
    nothing = answer(found, "Quarterly rainfall over northern reservoirs")
    assert nothing.none and nothing.precedents == ()


async def test_where_no_room_is_over_there_are_no_cases_to_answer_from(store: Store) -> None:
    await store.create_deliberation(design(), START)
    told = answer(await OutcomeBook(store).computed("town"), "A heater")
    assert told.none
    await store.create_deliberation(parse_design({"id": "plain", "title": "P", "question": "Q?", "stages": [{"id": "t", "title": "T"}]}), START)
    with pytest.raises(NotFound):
        answer(await OutcomeBook(store).computed("plain"), "A heater")
