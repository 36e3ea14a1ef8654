"""Drafting for outcomes: once all is over, with the very votes it shows, on the ledger, and erased with what it was written from."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from deliberation.errors import Conflict
from deliberation.events import AiCalled, Event, Payload, VoteCast
from deliberation.outcomes import registry
from deliberation.outcomes.drafts import Draft
from deliberation.outcomes.record import parse_record, record_as_json
from deliberation.outcomes.report import card_as_markdown
from facilitator.llm import ModelFailure, ModelRequest
from server.outcome_drafts import Drafter
from server.outcomes import Computed, OutcomeBook, process_card, view
from server.storage.records import DraftRecord, ParticipantRecord
from server.storage.store import Store
from tests.facilitator.models import ScriptedModel
from tests.server.outcome_world import PEOPLE, START, design, events, fill

CLAUSE = "The town should plant more trees."
MODEL = {"facilitation": {"mode": "model"}, "rounds": 1}


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    made = await Store.open(f"sqlite:///{tmp_path}/t.db")
    yield made
    await made.close()


def says(request: ModelRequest) -> str:
    """Write about trees whatever is asked."""
    data = json.loads(request.user)
    given = data.get("statements") or data["agreed"]
    numbers = [one["n"] for one in given if "trees" in one["text"]] or [given[0]["n"]]
    text = {"text": CLAUSE if data.get("statements") else f"{given[0]['text'].rstrip('.')} soon.", "statements": numbers}
    return json.dumps({"clauses": [text]} if data.get("statements") else text)


@asynccontextmanager
async def drafting(store: Store, model: ScriptedModel) -> AsyncIterator[OutcomeBook]:
    book = OutcomeBook(store)
    task = asyncio.create_task(Drafter(book, store, model, lambda: "call", lambda: START).run())
    yield book
    task.cancel()
    await asyncio.wait([task])


async def settled(book: OutcomeBook) -> Computed:
    """Look until nothing is being written any more."""
    while book.drafting(found := await book.computed("town")):
        await asyncio.sleep(0.02)
    return found


def of(found: Computed, method: str) -> dict[str, Any]:
    return dict(next(result.figures for result in found.results if result.method == method))


async def test_without_a_model_clauses_are_the_statements_that_bridge(store: Store) -> None:
    await fill(store, design())
    found = await OutcomeBook(store).computed("town")
    clauses = of(found, "agreement")["clauses"]
    assert [c["draft"]["method"] for c in clauses] == ["extraction"] * len(clauses)
    tree = next(c for c in clauses if c["draft"]["text"] == "Plant more trees.")
    assert (tree["people"], tree["bridge"]) == (20, 1.0) and [e["people"] for e in tree["evidence"]] == [20]
    assert {i for c in clauses for i in c["draft"]["items"]} <= set(of(found, "agreement")["bridging"])


async def test_a_model_writes_once_all_rooms_are_over_and_everything_can_be_computed_again(store: Store) -> None:
    await fill(store, design(**MODEL))
    model = ScriptedModel(says)
    log = events(design(**MODEL), "late", 9, 1, range(5))
    await store.append("late", 1, log[:-1])
    async with drafting(store, model) as book:
        assert not book.drafting(await book.computed("town")) and not model.asked  # a room is open
        await store.append("late", log[-1].seq, log[-1:])
        assert book.drafting(await book.computed("town"))
        found = await settled(book)
        (clause,) = of(found, "agreement")["clauses"]
        assert clause["draft"] == {"text": CLAUSE, "items": ["s3"], "method": "model", "model": "scripted", "prompt": "clauses@1"}
        asked = len(model.asked)
        assert asked == 1 + (of(found, "slate")["left_out"] is not None)
        assert not book.drafting(await book.computed("town")) and len(model.asked) == asked  # once
    record = parse_record(json.dumps(record_as_json(found.gathered.record)))
    for result in found.results:
        assert registry.recompute(result, record), result.method
    assert any(use.what == "asked a model: clauses" and use.prompt == "clauses@1" for use in process_card(found).ai)
    shown = view(found, full=False)
    public = next(r for r in shown.results if r.method == "agreement")
    assert public.figures["clauses"][0]["draft"]["text"] == CLAUSE and "clauses" not in public.parameters


async def nine(store: Store, want_trees: int = 4) -> None:
    """One group of nine and so one seat: four want trees and the others pass on them; those five agree on cooking, against the four."""
    plan = design(**MODEL, outcome_methods=["slate"])
    await store.create_deliberation(plan, START)
    for i in range(9):
        await store.add_participant(ParticipantRecord(PEOPLE[i], plan.id, START + i, f"Zebulon{i}", room_id="r"))
    log = events(plan, "r", 2, 1, range(9))
    votes: list[Payload] = [VoteCast(statement_id="vote-seed-3", participant_id=PEOPLE[i], value=1 if i < want_trees else 0) for i in range(9)]
    votes += [VoteCast(statement_id="r-own", participant_id=PEOPLE[i], value=-1 if i < want_trees else 1) for i in range(9)]
    more = [Event(log[-1].seq + n, log[-1].at, "system", payload) for n, payload in enumerate([*votes, log[-1].payload])]
    await store.append("r", 1, [*log[:-1], *more])


async def test_a_statement_is_written_for_those_the_slate_leaves_out_and_the_public_sees_no_counts(store: Store) -> None:
    await nine(store)
    async with drafting(store, ScriptedModel(says)) as book:
        found = await settled(book)
    few = of(found, "slate")["left_out"]
    assert (few["people"], few["mean_utility"]) == (5, 0.5)
    assert few["draft"]["text"] == "Teach cooking in all schools soon." and few["draft"]["prompt"] == "left_out@1"
    assert few["agreed"][0] == {"item": few["draft"]["items"][0], "agrees": 5, "disagrees": 0, "people": 5}
    shown = next(r for r in view(found, full=False).results if r.method == "slate")
    assert shown.figures["left_out"]["draft"]["text"] == "Teach cooking in all schools soon." and "draft" not in shown.parameters
    assert all(set(one) == {"item"} for one in shown.figures["left_out"]["agreed"])


async def test_nothing_is_written_for_so_few_that_the_page_hides_them_and_no_card_shows_texts(store: Store) -> None:
    await nine(store, want_trees=6)
    async with drafting(store, model := ScriptedModel(says)) as book:
        found = await settled(book)
    few = of(found, "slate")["left_out"]
    assert few["people"] == 3 and few["draft"] is None and not model.asked
    # One that is there all the same (from an older version, say) is on no public page.
    made = Draft("Teach cooking in all schools soon.", (few["agreed"][0]["item"],), "model", "m", "p@1")
    call = AiCalled(
        call_id="c", purpose="left_out", model="m", prompt="p@1", prompt_hash="h", first_seq=0, last_seq=0, output="", latency_ms=1, outcome="ok"
    )
    await store.keep_draft(DraftRecord("town", "left-out", found.basis, START, (made,), call), found.logs.written)
    found = await OutcomeBook(store).computed("town")
    assert of(found, "slate")["left_out"]["draft"]["text"] == made.text  # a researcher's
    public = view(found, full=False).model_dump_json() + card_as_markdown(process_card(found))
    assert "Teach cooking in all schools soon" not in public and "left_out" in public


async def test_a_draft_that_does_not_fit_is_left_out_rather_than_the_method(store: Store) -> None:
    await fill(store, design(**MODEL))
    async with drafting(store, ScriptedModel(says)) as book:
        found = await settled(book)
    (record, *_) = [one for one in await store.drafts("town") if one.purpose == "clauses"]
    await store.keep_draft(replace(record, basis="of other votes"), found.logs.written)
    await store.keep_draft(replace(record, texts=(Draft("Close the ring road.", ("s2",), "model"),)), found.logs.written)
    again = await OutcomeBook(store).computed("town")
    assert not again.refused and {c["draft"]["method"] for c in of(again, "agreement")["clauses"]} == {"extraction"}


async def test_what_retention_has_taken_comes_back_in_no_draft(store: Store) -> None:
    await fill(store, design(**MODEL))
    async with drafting(store, ScriptedModel(says)) as book:
        found = await settled(book)
    (record, *_) = await store.drafts("town")
    assert await store.purge_expired(START + 10_000 * 86_400.0) == 4 and await store.drafts("town") == []
    with pytest.raises(Conflict):
        await store.keep_draft(record, found.logs.written)


async def test_a_draft_that_cannot_be_kept_is_not_asked_for_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(store, design(**MODEL, outcome_methods=["agreement"]))

    async def refuse(*_: Any) -> None:
        raise Conflict("log_moved", "Something is gone.")

    monkeypatch.setattr(store, "keep_draft", refuse)
    times = iter([0.0] + [1e9 * n for n in range(1, 1000)])
    book, model = OutcomeBook(store), ScriptedModel(says)
    task = asyncio.create_task(Drafter(book, store, model, lambda: "call", lambda: next(times)).run())
    await settled(book)
    assert not book.drafting(await book.computed("town")) and len(model.asked) == 1
    task.cancel()
    await asyncio.wait([task])

async def test_what_is_erased_takes_the_drafts_along_and_they_are_written_anew(store: Store) -> None:
    await fill(store, design(**MODEL))
    model = ScriptedModel(says)
    async with drafting(store, model) as book:
        await settled(book)
        before = len(model.asked)
        assert await store.drafts("town")
        await store.withdraw(PEOPLE[3], START + 50_000)
        assert await store.drafts("town") == []
        found = await settled(book)
        assert len(model.asked) > before and of(found, "agreement")["clauses"][0]["people"] == 19


async def test_a_draft_of_words_that_were_erased_meanwhile_is_not_kept(store: Store) -> None:
    await fill(store, design(**MODEL))
    async with drafting(store, ScriptedModel(says)) as book:
        found = await settled(book)
    (record, *_) = await store.drafts("town")
    await store.withdraw(PEOPLE[3], START + 50_000)
    with pytest.raises(Conflict):
        await store.keep_draft(record, found.logs.written)
    assert await store.drafts("town") == []


async def test_drafts_of_other_votes_are_not_shown(store: Store) -> None:
    await fill(store, design(**MODEL))
    async with drafting(store, ScriptedModel(says)) as book:
        found = await settled(book)
    (record, *_) = await store.drafts("town")
    await store.keep_draft(replace(record, basis="of other votes"), found.logs.written)
    fresh = await OutcomeBook(store).computed("town")
    assert {c["draft"]["method"] for c in of(fresh, "agreement")["clauses"]} == {"extraction"}
    await store.keep_draft(record, found.logs.written)
    assert of(await OutcomeBook(store).computed("town"), "agreement")["clauses"][0]["draft"]["method"] == "model"
    await store.replace_design(design(**MODEL, title="Another town"))  # what is compared may be another thing now
    changed = await OutcomeBook(store).computed("town")
    assert {c["draft"]["method"] for c in of(changed, "agreement")["clauses"]} == {"extraction"} and "agreement" not in changed.refused


@pytest.mark.parametrize("answer", [ModelFailure("timeout"), "no JSON", json.dumps({"clauses": []})])
async def test_a_model_of_no_use_leaves_the_extracted_clauses_and_is_not_asked_again_and_again(store: Store, answer: Any) -> None:
    await fill(store, design(**MODEL, outcome_methods=["agreement"]))
    model = ScriptedModel(answer)
    async with drafting(store, model) as book:
        found = await settled(book)
        asked = len(model.asked)
        assert {c["draft"]["method"] for c in of(found, "agreement")["clauses"]} == {"extraction"}
        assert not book.drafting(await book.computed("town")) and len(model.asked) == asked


async def test_rules_alone_never_ask_a_model(store: Store) -> None:
    await fill(store, design(facilitation={"mode": "rules"}))
    model = ScriptedModel(says)
    async with drafting(store, model) as book:
        assert not book.drafting(await book.computed("town"))
    assert not model.asked and await store.drafts("town") == []
