"""From rooms' logs to the public outcome: one record, honest numbers, nothing that tells who."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from deliberation.events import Event, RoomClosed, StatementWithdrawn
from deliberation.outcomes import registry
from deliberation.outcomes.disclosure import MINIMUM
from deliberation.outcomes.record import parse_record, record_as_json
from deliberation.outcomes.report import card_as_markdown, run_as_markdown
from server.outcomes import OutcomeBook, process_card, run_report, view
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
    assert {r.method for r in found.results} == {"opinion-groups", "bridging", "agreement", "slate", "ballots", "change"} and not found.refused
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
    assert (run.invited, run.joined, run.finished, run.no_shows, run.rooms_finished) == (20, 20, 20, 0, 4)
    assert "| Joined | 20 |" in run_as_markdown(run)
