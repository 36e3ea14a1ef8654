"""From rooms' logs to the public outcome: one record, honest numbers, nothing that tells who."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from deliberation.balloting import BallotCast, BallotOpened
from deliberation.design import Design
from deliberation.events import Event, Payload, RoomClosed, StatementWithdrawn
from deliberation.outcomes import registry
from deliberation.outcomes.ballots import write_ballots
from deliberation.outcomes.disclosure import MINIMUM
from deliberation.outcomes.record import parse_record, record_as_json
from deliberation.outcomes.report import card_as_markdown, run_as_markdown
from server.app import ensure
from server.outcomes import Computed, OutcomeBook, process_card, run_report, view
from server.storage.records import ParticipantRecord
from server.storage.store import Store
from tests.server.outcome_world import OWN, PEOPLE, SEEDS, START, design, events, fill, vote_of


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    made = await Store.open(f"sqlite:///{tmp_path}/t.db")
    yield made
    await made.close()


async def test_what_everybody_saw_is_one_item_with_everybodys_votes(store: Store) -> None:
    await fill(store, design(), rounds=2)
    found = await OutcomeBook(store).computed("town")
    texts = [item.text for item in found.gathered.record.items if item.kind == "statement"]
    assert sorted(texts) == sorted([*SEEDS, *OWN])
    tally = found.gathered.record.matrix().tally()
    items = found.gathered.record.matrix().items
    seen = {next(i.text for i in found.gathered.record.items if i.id == item): int(n) for item, n in zip(items, tally.seen, strict=True)}
    assert seen["Plant more trees."] == 20 and seen["A tram for everybody."] == 20 and seen[OWN[1]] == 5
    agrees = dict(zip(items, tally.agrees, strict=True))
    for n, text in enumerate(SEEDS):
        item = next(i.id for i in found.gathered.record.items if i.text == text)
        assert agrees[item] == sum(vote_of(i, n) == 1 for i in range(20))
    carried = next(i for i in found.gathered.record.items if i.text.startswith("A tram"))
    assert carried.attributes["rounds"] == "1 2" and carried.author and carried.attributes["origin"] == "participant"


async def test_the_downloaded_record_gives_every_figure_again(store: Store) -> None:
    await fill(store, design(), rounds=2)
    found = await OutcomeBook(store).computed("town")
    assert {r.method for r in found.results} == {"opinion-groups", "bridging", "agreement", "slate", "ballots", "change", "credit"} and not found.refused
    record = parse_record(json.dumps(record_as_json(found.gathered.record)))
    for result in found.results:
        again = registry.compute(result.method, record, result.parameters)
        assert again.input_hash == result.input_hash and registry.recompute(result, record), result.method


async def test_opinion_groups_and_change_are_those_that_were_put_in(store: Store) -> None:
    await fill(store, design())
    found = await OutcomeBook(store).computed("town")
    figures = {result.method: result.figures for result in found.results}
    assert [g["people"] for g in figures["opinion-groups"]["groups"]] == [10, 10]
    text = {i.id: i.text for i in found.gathered.record.items}
    consensus = [text[i] for i in figures["opinion-groups"]["consensus"]]
    assert "Plant more trees." in consensus and not {"Keep the library.", "Close the ring road."} & set(consensus)
    shift = figures["change"]["statements"][0]
    assert (shift["people"], shift["before"], shift["after"], shift["up"]) == (20, 2.0, 3.5, 20)
    assert figures["slate"]["size"] == 4 and figures["slate"]["justified"]
    assert text[figures["ballots"]["winners"][0]] == "Plant more trees."


async def test_the_public_sees_no_rows_no_names_and_no_small_groups(store: Store) -> None:
    await fill(store, design())
    shown = json.loads(view(await OutcomeBook(store).computed("town"), full=False).model_dump_json())
    text = json.dumps(shown)
    assert "Zebulon" not in text and not any(person in text for person in PEOPLE) and '"rows"' not in text

    def check(value: Any) -> None:
        if isinstance(value, dict):
            people = value.get("people")
            assert people is None or people == 0 or people >= MINIMUM
            for inner in value.values():
                check(inner)
        elif isinstance(value, list):
            for inner in value:
                check(inner)

    check([result["figures"] for result in shown["results"]])
    groups = next(r for r in shown["results"] if r["method"] == "opinion-groups")["figures"]
    assert len(groups["consensus"]) == 1  # what only one room's five saw cannot be told by group
    full = json.loads(view(await OutcomeBook(store).computed("town"), full=True).model_dump_json())
    assert len(next(r for r in full["results"] if r["method"] == "opinion-groups")["figures"]["rows"]["participants"]) == 20


@pytest.mark.parametrize(("mode", "speaker"), [("named", "Zebulon1"), ("pseudonym", "Participant 2"), ("chatham-house", None)])
async def test_only_consenting_speakers_are_quoted_and_only_as_the_mode_allows(store: Store, mode: str, speaker: str | None) -> None:
    await fill(store, design(privacy={"mode": mode}))
    shown = view(await OutcomeBook(store).computed("town"), full=False)
    quotes = next(item for item in shown.items if item.text == "A tram for everybody.").quotes
    assert len(quotes) == 2  # of the five speakers, persons 1 and 3 agreed
    assert quotes[0].speaker == speaker
    assert ("Zebulon0" in quotes[0].text) == (mode == "named")


async def test_under_the_chatham_house_rule_votes_and_polls_cannot_be_joined(store: Store) -> None:
    await fill(store, design(privacy={"mode": "chatham-house"}))
    record = (await OutcomeBook(store).computed("town")).gathered.record
    voters = {j.participant for j in record.judgements if j.kind == "vote"}
    answering = {j.participant for j in record.judgements if j.kind == "answer"}
    assert len(voters) == len(answering) == 20 and not voters & answering
    assert not any(person.segments for person in record.participants) and not record.consents
    assert not any(item.author for item in record.items)
    assert len({j.at for j in record.judgements}) == 4  # one time a room


async def test_a_running_room_does_not_count_and_a_closed_one_does_at_once(store: Store) -> None:
    await fill(store, design())
    book = OutcomeBook(store)
    before = await book.computed("town")
    log = events(design(), "late", 9, 1, range(5))
    await store.append("late", 1, log[:-1])
    running = await book.computed("town")
    assert running.gathered.record == before.gathered.record and view(running, full=False).rooms_open == 1
    await store.append("late", log[-1].seq, [Event(log[-1].seq, START, "system", RoomClosed(reason="finished"))])
    assert (await book.computed("town")).gathered.record != before.gathered.record
    assert await book.computed("town") is await book.computed("town")


async def test_who_withdraws_takes_the_votes_along_and_the_card_says_so(store: Store) -> None:
    await fill(store, design())
    book = OutcomeBook(store)
    before = await book.computed("town")
    await store.withdraw(PEOPLE[3], START + 50_000)
    found = await book.computed("town")
    assert found.gathered.people == before.gathered.people - 1
    assert len({j.participant for j in found.gathered.record.judgements}) == 19
    assert any("withdrew" in line for line in process_card(found).changed) and run_report(found).withdrawn == 1


async def test_a_statement_taken_back_is_gone_with_its_votes(store: Store) -> None:
    plan = design()
    await store.create_deliberation(plan, START)
    log = events(plan, "r", 1, 1, range(5))
    last = log[-1]
    gone = Event(last.seq, last.at, "system", StatementWithdrawn(statement_id="r-own", by="author"))
    await store.append("r", 1, [*log[:-1], gone, Event(last.seq + 1, last.at, "system", last.payload)])
    record = (await OutcomeBook(store).computed("town")).gathered.record
    assert "A tram for everybody." not in {item.text for item in record.items}
    assert len([j for j in record.judgements if j.kind == "vote"]) == 20


async def test_before_any_room_is_over_there_is_nothing_and_it_says_so(store: Store) -> None:
    await store.create_deliberation(design(), START)
    found = await OutcomeBook(store).computed("town")
    shown = view(found, full=False)
    assert shown.people == 0 and shown.rooms == 0 and "slate" in shown.refused
    assert "No room is over yet." in card_as_markdown(process_card(found))


async def test_the_card_compares_with_targets_and_hides_small_segments(store: Store) -> None:
    await fill(store, design(targets={"side": {"east": 0.2, "west": 0.8}}, recruitment="By lot from the register."))
    found = await OutcomeBook(store).computed("town")
    card = process_card(found)
    assert [(e.value, e.people, e.share) for e in card.representation] == [("east", 10, 0.5), ("west", 10, 0.5)]
    text = card_as_markdown(card)
    assert "By lot from the register." in text and "aimed for" in text and "opinion-groups" in text
    run = run_report(found)
    assert (run.accepted, run.joined, run.finished, run.no_shows, run.rooms_finished) == (20, 20, 20, 0, 4)
    assert "| Took a seat | 20 |" in run_as_markdown(run)


def ballot_design(options: list[str], **more: Any) -> Design:
    stages = [
        {"id": "vote", "kind": "statements", "title": "Vote", "seed_statements": list(SEEDS)},
        {"id": "choose", "kind": "ballot", "title": "Choose one", "ballot": {"rule": "schulze", "options": options}},
    ]
    return design(stages=stages, outcome_methods=["opinion-groups"], rounds=1, **more)


async def held(store: Store, plan: Design, rankings: dict[int, list[tuple[tuple[str, ...], ...]]]) -> Computed:
    """Hold one ballot in each group, its people's rankings in the order of their seats; return the outcome."""
    await store.create_deliberation(plan, START)
    for group, cast in rankings.items():
        people = range(group * 5, group * 5 + 5)
        own = [f"room{group}-own"] if not plan.stages[1].ballot.options else []
        paper = [f"choose-option-{n + 1}" for n in range(len(plan.stages[1].ballot.options))] or ["vote-seed-1", "vote-seed-2", *own]
        extra: list[Payload] = [BallotOpened(stage_id="choose", options=tuple(paper))]
        extra += [BallotCast(stage_id="choose", participant_id=PEOPLE[i], ranking=r) for i, r in zip(people, cast, strict=True)]
        for i in people:
            await store.add_participant(ParticipantRecord(PEOPLE[i], plan.id, START, f"Zebulon{i}", room_id=f"room{group}"))
        await store.append(f"room{group}", 1, events(plan, f"room{group}", group + 1, 1, people, extra))
    return await OutcomeBook(store).computed(plan.id)


@pytest.mark.parametrize("mode", ["pseudonym", "chatham-house"])
async def test_a_ballot_stage_is_counted_over_all_groups_and_can_be_counted_again(store: Store, mode: str) -> None:
    red, green, blue = (f"choose-option-{n}" for n in (1, 2, 3))
    cast = {0: [((red,), (green,))] * 3 + [((green,),)] * 2, 1: [((green,), (blue,))] * 4 + [()]}
    found = await held(store, ballot_design(["Red", "Green", "Blue"], privacy={"mode": mode}), cast)
    result = next(r for r in found.results if r.method == "ballots")
    assert (result.figures["people"], result.figures["winners"]) == (9, [green])
    assert {i.text for i in found.gathered.record.items if i.kind == "option"} == {"Red", "Green", "Blue"}
    record = parse_record(json.dumps(record_as_json(found.gathered.record)))
    assert registry.recompute(result, record)
    assert next(r for r in view(found, full=False).results if r.method == "ballots").title == "Choose one"
    again = registry.run("ballots", {"ballots.csv": write_ballots([b for b in record.ballots if b.paper])}, {"rule": "schulze"})
    assert again.figures["order"] == result.figures["order"]


async def test_only_what_stood_on_every_paper_is_counted(store: Store) -> None:
    one, two = (("vote-seed-1",), ("vote-seed-2",)), (("vote-seed-2",), ("vote-seed-1",))
    found = await held(store, ballot_design([]), {0: [(("room0-own",), *one)] * 5, 1: [(("room1-own",), *two)] * 3 + [one] * 2})
    result = next(r for r in found.results if r.method == "ballots")
    text = {i.id: i.text for i in found.gathered.record.items}
    assert [text[o] for o in result.parameters["options"]] == [SEEDS[0], SEEDS[1]] and text[result.figures["winners"][0]] == SEEDS[0]


async def test_a_ballot_that_nobody_has_cast_is_refused_with_the_reason(store: Store) -> None:
    plan = ballot_design(["Red", "Green"])
    await fill(store, plan)
    assert "ballots" in (await OutcomeBook(store).computed("town")).refused


async def test_a_design_file_does_not_shut_again_what_has_begun_early(store: Store) -> None:
    planned = design(opens_at="2099-01-01T10:00:00+00:00")
    await ensure(store, planned)
    assert (await store.deliberation("town")).design.opens_at is not None
    await store.replace_design(planned.model_copy(update={"opens_at": None}))
    await ensure(store, planned)
    assert (await store.deliberation("town")).design.opens_at is not None  # nobody has met: the file's word holds
    await store.replace_design(planned.model_copy(update={"opens_at": None}))
    await store.append("room0", 1, events(planned, "room0", 1, 1, range(5)))
    await ensure(store, planned)
    assert (await store.deliberation("town")).design.opens_at is None
