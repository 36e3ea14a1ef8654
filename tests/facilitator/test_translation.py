"""Translation: each reader gets what is shown in their language, marked by standing beside its original, and the room never waits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from deliberation.consent import Erasure, erased
from deliberation.events import (
    AI,
    InterventionMade,
    MemberJoined,
    Payload,
    UtteranceRevised,
    UtteranceStruck,
)
from deliberation.privacy import redact
from deliberation.room import fold_all
from deliberation.state import RoomState
from deliberation.view import room_view, visible_event
from facilitator import translation
from facilitator.llm import ModelFailure, ModelRequest
from facilitator.translation import LOOK_BACK, REST_SECONDS, Translator
from tests.facilitator.models import ScriptedModel
from tests.facilitator.rooms import Room
from tests.facilitator.test_agent import of_kind


def still() -> float:
    return 0.0


def echo(request: ModelRequest) -> str:
    """Translate by turning words round: of the same length, with the same numbers."""
    asked = json.loads(request.user)["texts"]
    return json.dumps({"translations": [{"n": t["n"], "text": turned(t["text"])} for t in asked]})


def turned(text: str) -> str:
    return " ".join(reversed(text.split()))


async def test_translations_keep_order_and_numbers_or_are_left_out() -> None:
    answer = {"translations": [
        {"n": 2, "text": "Dos de 40 tiendas."}, {"n": 1, "text": "Hola a todo el mundo."}, {"n": 3, "text": "Treinta."},
        {"n": 4, "text": "x" * 900},
    ]}  # fmt: skip
    originals = ["Hello everybody.", "Two of 40 shops.", "There are 30 of us here.", "Short one."]
    made = await translation.translate(
        originals, "es", ScriptedModel(json.dumps(answer)), "c", still, first_seq=1, last_seq=4
    )
    assert made.texts == ("Hola a todo el mundo.", "Dos de 40 tiendas.", None, None)
    assert made.call is not None and made.call.purpose == "translation"


async def test_without_a_model_originals_stay() -> None:
    made = await translation.translate(["Hello."], "es", None, "c", still, first_seq=1, last_seq=1)
    assert made.texts == (None,) and made.call is None


class Wired:
    """A room of p1, p2 (English) and p3 (Spanish), with its translator running beside it."""

    def __init__(self, model: Any) -> None:
        self.room = Room(2)
        self.room.add(1, MemberJoined(participant_id="p3", seat=3, name="Caro", language="es"))
        self.now = 0.0
        self.model = model
        self.translator = Translator(model, self._act, self.room.new_id, lambda: self.now)

    async def _act(self, make: Callable[[RoomState], Sequence[Payload]]) -> None:
        payloads = make(self.room.state)
        self.room.add(100, *payloads, actor=AI)
        self.translator.on_events([], self.room.state)

    async def step(self) -> None:
        """Let the translator do what is due."""
        self.translator.on_events([], self.room.state)
        for _ in range(50):
            await asyncio.sleep(0)

    def read(self, who: str) -> dict[str, str]:
        return room_view(self.room.state, "participant", who).translations


@asynccontextmanager
async def wired(model: Any) -> AsyncIterator[Wired]:
    one = Wired(model)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(one.translator.run())
        yield one
        task.cancel()


async def test_everyone_reads_what_is_said_in_their_own_language_and_keeps_it_after_a_reload() -> None:
    async with wired(ScriptedModel(echo)) as one:
        room = one.room
        room.transcribe("p1", 10, 12, "The centre should be closed to cars.")
        room.transcribe("p3", 20, 22, "Las tiendas necesitan reparto.", "es")
        room.write("p2", 30, "I agree with that.")
        room.add(31, InterventionMade(intervention_id="i1", rule="silence.ask", text="Take your time."))
        room.add(31, InterventionMade(intervention_id="i2", rule="invite.private", text="¿Y usted?", to=("p3",)))
        await one.step()
    assert one.read("p3") == {
        "question": turned(room.plan.question),
        "stage:talk": turned("What matters to you?"),
        "u1": turned("The centre should be closed to cars."),
        "m1": turned("I agree with that."),
        "i1": turned("Take your time."),
    }
    assert one.read("p1") == {"u2": turned("Las tiendas necesitan reparto.")}
    again = room_view(fold_all(room.events), "participant", "p3")
    assert again.translations == one.read("p3") and again.utterances["u1"].text == "The centre should be closed to cars."
    assert room_view(room.state, "facilitator").translations == {}
    assert all(visible_event(e, room.state, "participant", "p3") is None for e in room.events if e.kind == "text.translated")


async def test_every_question_is_in_the_ledger_without_the_words_and_each_text_is_asked_for_once() -> None:
    model = ScriptedModel(echo)
    async with wired(model) as one:
        one.room.transcribe("p1", 10, 12, "Yes, of course.")
        await one.step()
        one.room.transcribe("p2", 20, 22, "Yes, of course.")
        await one.step()
        await one.step()
    calls: list[Any] = of_kind(one.room, "ai.called")
    assert [c.purpose for c in calls] == ["translation"] and calls[0].output == ""
    assert len(model.asked) == 1 and one.read("p3")["u2"] == one.read("p3")["u1"]
    made: list[Any] = of_kind(one.room, "text.translated")
    assert {m.call_id for m in made if m.subject_id == "u1"} == {calls[0].call_id}
    assert {m.call_id for m in made if m.subject_id == "u2"} == {None}


async def test_an_answer_that_fails_the_check_is_not_asked_for_again() -> None:
    model = ScriptedModel(json.dumps({"translations": []}))
    async with wired(model) as one:
        await one.step()
        await one.step()
    assert len(model.asked) == 1 and one.read("p3") == {}


async def test_a_model_that_does_not_answer_is_left_alone_for_a_while_and_the_originals_stay() -> None:
    model = ScriptedModel(ModelFailure("timeout"), echo)
    async with wired(model) as one:
        await one.step()
        one.now = REST_SECONDS - 0.1
        await one.step()
        assert len(model.asked) == 1 and one.read("p3") == {}
        one.now = REST_SECONDS
        await one.step()
    assert one.read("p3")["question"] == turned(one.room.plan.question)


async def test_only_the_newest_texts_are_looked_at() -> None:
    model = ScriptedModel(echo)
    async with wired(model) as one:
        for n in range(LOOK_BACK + 20):
            one.room.transcribe("p1", 10 + n, 10.5 + n, f"Sentence number {n}.")
        await one.step()
    read = one.read("p3")
    assert "u1" not in read and f"u{LOOK_BACK + 20}" in read and len(read) == LOOK_BACK
    assert max(len(json.loads(r.user)["texts"]) for r in model.asked) == translation.AT_ONCE


@pytest.mark.parametrize("change", ["revised", "struck"])
async def test_a_translation_goes_with_what_it_translates_even_if_it_was_on_its_way(change: str) -> None:
    room_of: list[Room] = []

    def meanwhile(request: ModelRequest) -> str:
        if "First words." in request.user:
            payload: Payload = (
                UtteranceRevised(utterance_id="u1", participant_id="p1", text="Better words.", by="speaker")
                if change == "revised"
                else UtteranceStruck(utterance_id="u1", participant_id="p1")
            )
            room_of[0].add(50, payload)
            one.translator.on_events([], room_of[0].state)
        return echo(request)

    async with wired(ScriptedModel(meanwhile)) as one:
        room_of.append(one.room)
        one.room.transcribe("p1", 10, 12, "First words.")
        await one.step()
    assert "words. First" not in json.dumps([e.payload.model_dump(mode="json") for e in one.room.events])
    assert one.read("p3").get("u1") == (turned("Better words.") if change == "revised" else None)


async def test_erasing_words_erases_their_translation_and_that_of_what_repeats_them() -> None:
    from deliberation.events import StatementAdded

    words = "The night shift carries the cost of all this."
    async with wired(ScriptedModel(echo)) as one:
        one.room.transcribe("p1", 10, 12, words)
        one.room.add(20, StatementAdded(statement_id="s1", participant_id=None, text=words, origin="ai"))
        await one.step()
    assert {"u1", "s1"} <= one.read("p3").keys()
    left = erased(one.room.events, [Erasure("subject", "u1")])
    assert "shift" not in json.dumps([e.payload.model_dump(mode="json") for e in left])


@pytest.mark.parametrize("mode", ["pseudonym", "chatham-house"])
async def test_translations_leave_the_room_masked_or_not_at_all(mode: Any) -> None:
    async with wired(ScriptedModel(echo)) as one:
        one.room.transcribe("p1", 10, 12, "I think that Ben is right about it.")
        await one.step()
    out = redact(one.room.events, mode, key=b"k")
    told = [e.payload for e in out if e.kind == "text.translated"]
    assert bool(told) is (mode == "pseudonym")
    assert not any("Ben" in (t.text or "") for t in told)
