"""The whole path with a real language model: structured statements, a group's statement, a cited summary, a translation, clauses.

Opt-in, since it needs a model server: start any OpenAI-compatible one (llama.cpp's with Qwen2.5-1.5B-Instruct will do) and run

    PARLEY_TEST_LLM_URL=http://127.0.0.1:8081/v1 PARLEY_TEST_LLM_MODEL=NAME pytest tests/facilitator/test_real_model.py -s

PARLEY_TEST_LLM_TIMEOUT_S (240) is the deadline of one question: a small model on two CPU cores needs one to two minutes for a summary, where the
server's own default is 8 s (`PARLEY_LLM_TIMEOUT_SECONDS`). `-s` shows what the model wrote and what became of it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence

import pytest

from deliberation import group_statement as search
from deliberation.events import AI, Event, Payload
from deliberation.group_statement import CandidateCritiqued, CandidatesRanked
from deliberation.state import RoomState
from facilitator import translation
from facilitator.agent import RoomFacilitator
from facilitator.llm import LanguageModel
from facilitator.openai_llm import open_model
from facilitator.outcome_texts import Voted, write_clauses, write_for_left_out
from tests.facilitator.rooms import START, Room, design

URL = os.environ.get("PARLEY_TEST_LLM_URL")
pytestmark = pytest.mark.skipif(URL is None, reason="needs a language model's server: set PARLEY_TEST_LLM_URL")

TALK = [
    ("p1", "The centre should be closed to cars because the air is bad for children."),
    ("p2", "Deliveries must be possible in the morning, otherwise the shops will close."),
    ("p3", "Older people need a bus that stops at the clinic."),
    ("p4", "More buses would be better than more parking for most people in this town."),
    ("p2", "I am against closing the centre, my customers come by car."),
]
AGENDA = [
    {"id": "talk", "title": "Talk", "minutes": 20},
    {"id": "vote", "kind": "statements", "title": "Vote", "minutes": 20},
    {"id": "ours", "kind": "group-statement", "title": "Ours", "minutes": 20},
    {"id": "close", "kind": "closing", "title": "Close", "minutes": 20},
]


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return open_model(
        URL,
        os.environ.get("PARLEY_TEST_LLM_MODEL", "m"),
        os.environ.get("PARLEY_TEST_LLM_KEY"),
        timeout_seconds=float(os.environ.get("PARLEY_TEST_LLM_TIMEOUT_S", "240")),
        max_input_chars=8_000,
        at_once=1,
    )


def talked() -> Room:
    plan = design(stages=AGENDA, facilitation={"prompts": "short", "drafted_statements": 3})
    room = Room(4, plan)
    room.talk(TALK)
    return room


async def settled(room: Room, model: LanguageModel) -> None:
    """Let the facilitator do the slow work that the room's stage calls for."""

    async def act(make: Callable[[RoomState], Sequence[Payload]]) -> None:
        for payload in make(room.state):
            room.add(room.state.at - START, payload, actor=AI)

    agent = RoomFacilitator(model, act, room.new_id, time.monotonic)
    agent.observe(room.state)
    await agent.settle()


def told(room: Room, kind: str) -> list[Event]:
    found = [event for event in room.events if event.kind == kind]
    for event in found:
        print(event.payload.model_dump(exclude_defaults=True))
    return found


def calls(room: Room) -> list[tuple[str, str]]:
    return [(e.payload.purpose, e.payload.outcome) for e in told(room, "ai.called")]  # type: ignore[union-attr]


async def test_statements_are_structured_and_cite(model: LanguageModel) -> None:
    room = talked()
    room.start(1, 200)
    await settled(room, model)
    assert calls(room)[0][1] in ("ok", "repaired")
    statements = [s for s in room.state.statements.values() if s.origin == "ai"]
    told(room, "statement.added")
    assert statements and all(s.supports and set(s.supports) <= room.state.utterances.keys() for s in statements)
    assert told(room, "intervention.made")[-1].payload.rule == "drafted.model"  # type: ignore[union-attr]


async def test_a_group_statement_is_drafted_and_revised_and_cites(model: LanguageModel) -> None:
    room = talked()
    room.start(2, 200)
    await settled(room, model)
    one = search.running(room.state)
    assert one is not None and calls(room)[0][1] in ("ok", "repaired")
    told(room, "group_statement.proposed")
    assert one.options and {c.method for c in one.options} == {"model"}
    people = [m.participant_id for m in room.state.present]
    order = tuple(c.candidate_id for c in one.options)
    for who in people:
        room.add(210, CandidatesRanked(stage_id="ours", round=1, participant_id=who, order=order))
    room.add(211, *search.due(room.state, START + 211))
    for who in people:
        text = "It must say that deliveries stay possible in the morning." if who == "p2" else ""
        room.add(212, CandidateCritiqued(critique_id=f"c{who}", stage_id="ours", participant_id=who, text=text))
    room.add(213, *search.due(room.state, START + 213))
    await settled(room, model)
    one = search.running(room.state)
    assert one is not None and one.round == 2 and len(one.options) >= 2
    assert all(s.utterances or s.statements or s.critiques for c in one.options for s in c.sentences)


async def test_a_whole_summary_is_cited(model: LanguageModel) -> None:
    room = talked()
    room.start(3, 200)
    await settled(room, model)
    assert calls(room)[0][1] in ("ok", "repaired")
    summary = room.state.summary
    told(room, "summary.proposed")
    assert summary is not None and summary.method.startswith("model:")
    assert summary.sentences and all(s.utterances for s in summary.sentences)
    heard = {room.state.utterances[u].participant_id for s in summary.sentences for u in s.utterances}
    assert heard == {"p1", "p2", "p3", "p4"}  # nobody who said something is left out


async def test_captions_are_translated(model: LanguageModel) -> None:
    texts = [text for _, text in TALK[:2]]
    made = await translation.translate(texts, "es", model, "c", time.monotonic, first_seq=1, last_seq=2, variant="short")
    print(made)
    assert made.call is not None and made.call.outcome in ("ok", "repaired")
    assert any(text is not None and text not in texts for text in made.texts)


def voted() -> list[Voted]:
    return [Voted(f"s{n}", text.split(" because ")[0].rstrip(".") + ".", 0.9 - n / 20, agrees=6, disagrees=1) for n, (_, text) in enumerate(TALK[:4])]


async def test_clauses_are_held_by_the_statements_they_name(model: LanguageModel) -> None:
    written = await write_clauses(design(), voted(), model, lambda: "c", time.monotonic)
    print(written)
    assert written.call.outcome in ("ok", "repaired") and written.drafts
    assert all(set(draft.items) <= {one.item for one in voted()} for draft in written.drafts)


async def test_a_statement_for_those_left_out_is_written_or_found_wanting(model: LanguageModel) -> None:
    first, *rest = voted()
    written = await write_for_left_out(design(), [first.text], rest, model, lambda: "c", time.monotonic)
    print(written)
    assert written.call.outcome in ("ok", "repaired") and len(written.drafts) + written.rejected == 1
