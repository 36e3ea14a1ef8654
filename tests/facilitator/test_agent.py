"""One room's facilitator: what it says, in which words, what it does slowly, and that the log gives the same decisions again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest

from benchmarks.facilitation import simulate
from deliberation.errors import InvalidInput
from deliberation.events import (
    AI,
    AiCalled,
    Event,
    FacilitationPaused,
    HandRaised,
    InterventionMade,
    MemberAway,
    Payload,
    ReportFiled,
    StatementAdded,
    SummaryProposed,
    UtteranceStruck,
)
from deliberation.room import fold_all
from deliberation.state import RoomState
from facilitator import classify, prompts
from facilitator.agent import RoomFacilitator, payload_of
from facilitator.llm import LanguageModel, ModelFailure
from facilitator.moves import Say
from facilitator.policies import MESSAGES, decide
from facilitator.replay import replay
from facilitator.text import catalogue, count_words, languages, tokens
from facilitator.wording import written
from tests.facilitator.models import ScriptedModel
from tests.facilitator.rooms import NAMES, START, Room, design

LINES = [
    ("p1", "I think the centre should be closed to cars because the air is bad for children."),
    ("p2", "Deliveries must be possible in the morning, otherwise the shops will close."),
    ("p3", "Older people need to reach the clinic by car or by a bus that stops there."),
    ("p4", "More buses would be better than more parking for most people in this town."),
]


def facilitator(
    room: Room, model: LanguageModel | None = None, now: Callable[[], float] | None = None
) -> RoomFacilitator:
    async def act(make: Callable[[RoomState], Sequence[Payload]]) -> None:
        for payload in make(room.state):
            room.add(room.state.at - START, payload, actor=AI)

    return RoomFacilitator(model, act, room.new_id, now or (lambda: room.state.at))


async def work(room: Room, agent: RoomFacilitator) -> None:
    """Let the slow work run until it has nothing left to do."""
    task = asyncio.create_task(agent.run())
    for _ in range(4):
        agent.observe(room.state)
        for _ in range(20):
            await asyncio.sleep(0)
    task.cancel()


def of_kind(room: Room, kind: str) -> list[Any]:
    return [event.payload for event in room.events if event.kind == kind]


# -- the rules together


def test_safety_comes_first_interface_with_it_and_one_message_at_most() -> None:
    room = Room(4)
    room.speak("p1", 1, 5, "You idiot!")
    rules = [getattr(move, "rule", "ask") for move in decide(room.state, START + 100)]
    assert rules[0] == "ask"
    assert sum(rule in ("silence.ask", "silence.move_on", "invite.private") for rule in rules) == 1


def test_a_paused_or_switched_off_facilitator_keeps_to_safety() -> None:
    off = Room(4, design(facilitation={"mode": "off"}))
    paused = Room(4)
    paused.add(1, FacilitationPaused(paused=True))
    for room in (off, paused):
        assert decide(room.state, START + 500) == []
        room.speak("p1", 500, 505, "You idiot!")
        assert len(decide(room.state, START + 506)) == 2  # a human is alerted, the others are asked


def test_nothing_is_said_in_a_closed_room_or_before_it_opened() -> None:
    from deliberation.events import RoomClosed

    room = Room(4)
    room.add(1, RoomClosed(reason="stopped"))
    assert decide(room.state, START + 100) == []


def test_ticking_every_second_respects_the_budget_over_a_whole_stage() -> None:
    room = Room(4)
    agent = facilitator(room)
    room.begin("p1", 5)
    room.add(20, HandRaised(participant_id="p2"))
    for second in range(21, 900):
        room.add(second, *agent.tick(room.state, START + second), actor=AI)
    messages = [m for m in room.state.interventions.values() if m.rule.split(".")[0] in ("ease", "invite", "silence")]
    assert messages
    gaps = [b.at - a.at for a, b in pairwise(messages)]
    assert all(gap >= 30 for gap in gaps)


def test_the_same_state_and_time_give_the_same_payloads() -> None:
    room = Room(4)
    room.talk(LINES)
    one = [payload_of(move, room.state, lambda: "id") for move in decide(room.state, START + 300)]
    two = [payload_of(move, fold_all(room.events), lambda: "id") for move in decide(fold_all(room.events), START + 300)]
    assert one == two and one


@pytest.mark.parametrize("seed", range(3))
def test_every_decision_of_a_simulated_room_is_reproduced_from_its_log(seed: int) -> None:
    _, events = simulate(seed, 12, "rules", 0.65)
    replayed = replay(events)
    assert replayed.decisions >= 3
    assert replayed.missed == ()


def test_safety_absence_and_content_decisions_are_reproduced_too() -> None:
    room = Room(4)
    agent = facilitator(room)
    room.talk([*LINES, ("p2", "You are stupid."), ("p3", "Sometimes I want to die.")])
    room.add(60, ReportFiled(report_id="r", participant_id="p4", about="u5", text="That hurt."))
    label = json.dumps({"label": "one_sided", "confidence": 0.95, "evidence": [1, 4]})
    room.add(
        61,
        AiCalled(
            call_id="c", purpose="content", model="m", prompt="content@1", prompt_hash="h", first_seq=1, last_seq=9,
            output=label, latency_ms=9, outcome="ok",
        ),
    )  # fmt: skip
    room.add(62, MemberAway(participant_id="p1"), MemberAway(participant_id="p2"), MemberAway(participant_id="p4"))
    for second in range(63, 240):
        seen = {"p3": START + 63}
        room.add(second, *agent.tick(room.state, START + second, seen), actor=AI)
    rules = {m.rule for m in room.state.interventions.values()}
    assert {"safety.distress", "safety.report", "absence", "small_group"} <= rules
    assert {"help.called", "safety.asked"} <= {event.kind for event in room.events}
    replayed = replay(room.events)
    assert replayed.missed == () and replayed.decisions >= 6


def test_a_forged_decision_is_found_by_the_replay() -> None:
    room = Room(4)
    forged = InterventionMade(intervention_id="f", rule="ease.share", text="Be quiet.", to=("p2",), about="p2")
    room.events.append(Event(room.state.seq + 1, START + 50, AI, forged))
    assert replay(room.events).missed == ((room.state.seq + 1, "ease.share"),)


def test_a_design_may_change_every_threshold() -> None:
    plan = design(facilitation={"silence": {"ask_seconds": 3}, "budget": {"any_seconds": 0}})
    room = Room(4, plan)
    assert "silence.ask" in [getattr(m, "rule", "") for m in decide(room.state, START + 3)]


# -- words


@pytest.mark.parametrize("language", languages())
def test_every_language_has_every_entry_with_the_same_placeholders(language: str) -> None:
    def holes(text: str) -> set[str]:
        return {part.partition("}")[0] for part in text.split("{")[1:]}

    english, other = catalogue("en"), catalogue(language)
    assert english.keys() == other.keys()
    for key, variants in english.items():
        assert other[key], key
        if not key.startswith("words."):
            assert len(other[key]) == len(variants), key
            assert [holes(v) for v in variants] == [holes(v) for v in other[key]], key


@pytest.mark.parametrize("language", languages())
def test_no_unsolicited_message_has_more_than_twenty_words(language: str) -> None:
    limit = design().facilitation.budget.max_words
    bound = ("small_group", "hand", "ease.", "invite.", "silence.", "content.")
    checked = 0
    for key, variants in catalogue(language).items():
        if key.startswith(bound) and not key.endswith(".why"):
            for variant in variants:
                text = variant.replace("{quote}", " ".join(["word"] * 9)).replace("{name}", "Ana Maria")
                assert count_words(text) <= limit, (key, text)
                checked += 1
    assert checked >= 15 and len(MESSAGES) == 6


@pytest.mark.parametrize("language", languages())
def test_each_rule_has_its_words_and_its_reason(language: str) -> None:
    entries = catalogue(language)
    for key in entries:
        if not key.startswith(("words.", "summary.", "text.", "participant")) and not key.endswith(".why"):
            assert f"{key}.why" in entries


def test_private_words_are_in_the_readers_language_public_ones_in_the_groups() -> None:
    room = Room(2, design(language="es"), language="ar")
    private, _ = written(Say("invite.private", to=("p1",), about="p1", words={"share": 3, "median": 30}), room.state)
    public, why = written(Say("invite.public", about="p1", words={"share": 3, "median": 30}), room.state)
    assert private in catalogue("ar")["invite.private"]
    assert public.startswith("Ana, ¿") and "30" in why


def test_a_tighter_word_limit_takes_the_shorter_wording() -> None:
    room = Room(4, design(facilitation={"budget": {"max_words": 10}}))
    for _ in range(3):
        text, _ = written(Say("silence.ask", words={"seconds": 12}), room.state)
        assert count_words(text) <= 10
        room.add(1, InterventionMade(intervention_id=room.new_id(), rule="silence.ask", text=text))


def test_reasons_never_name_anybody() -> None:
    room = Room(4)
    for rule in catalogue("en"):
        if f"{rule}.why" in catalogue("en"):
            _, why = written(Say(rule, about="p1"), room.state)
            assert not set(tokens(why)) & set(NAMES)


def test_words_take_turns_and_braces_in_a_design_do_no_harm() -> None:
    room = Room(2, design(stages=[{"id": "talk", "title": "{name} {0} {{x}}", "prompt": "{", "minutes": 5}]))
    first, _ = written(Say("silence.ask", words={"seconds": 12}), room.state)
    room.add(1, InterventionMade(intervention_id="i", rule="silence.ask", text=first))
    second, _ = written(Say("silence.ask", words={"seconds": 12}), room.state)
    assert first != second
    card = payload_of(decide(room.state, START + 1)[1], room.state, lambda: "i2")
    assert isinstance(card, InterventionMade) and "{name} {0} {{x}}" in (card.text or "")


@pytest.mark.parametrize("variant", ["", *prompts.variants()])
def test_prompts_are_versioned_and_hashed(variant: str) -> None:
    for name in ("statements", "summary", "content", "group_statement", "translate"):
        prompt = prompts.load(name, variant)
        label = f"{variant}/{name}@" if variant else f"{name}@"
        assert prompt.name.startswith(label) and prompt.name.removeprefix(label).isdigit() and len(prompt.hash) == 16
        assert "never an instruction" in " ".join(prompt.text.split())


def test_a_variant_without_a_wording_of_its_own_has_the_usual_one_and_unknown_ones_are_refused() -> None:
    assert prompts.load("summary", "no-such-variant").name.startswith("summary@")
    prompts.check(design(facilitation={"prompts": "short"}))
    arms = [{"name": "a", "overrides": {"prompts": "shoort"}}]
    with pytest.raises(InvalidInput, match="shoort"):
        prompts.check(design(facilitation={"arms": arms}))


async def test_an_arm_names_the_prompts_that_its_rooms_are_asked_with() -> None:
    plan = design(facilitation={"arms": [{"name": "terse", "overrides": {"prompts": "short"}}]})
    room = Room(4, plan, arm="terse")
    room.talk(LINES)
    agent = facilitator(room, ScriptedModel(script))
    room.start(1, 100)
    await work(room, agent)
    (call,) = of_kind(room, "ai.called")
    assert call.prompt.startswith("short/statements@")



# -- slow work


async def test_without_a_model_statements_and_summary_are_extracted_and_say_so() -> None:
    room = Room(4)
    room.talk(LINES)
    agent = facilitator(room)
    room.start(1, 100)
    await work(room, agent)
    statements: list[StatementAdded] = of_kind(room, "statement.added")
    assert [s.origin for s in statements] == ["ai"] * 4
    assert of_kind(room, "intervention.made")[-1].rule == "drafted.extraction"
    assert of_kind(room, "ai.called") == []
    room.start(2, 200)
    await work(room, agent)
    (made,) = of_kind(room, "summary.proposed")
    assert isinstance(made, SummaryProposed) and made.method == "extraction" and made.sentences
    await work(room, agent)
    assert len(of_kind(room, "summary.proposed")) == 1


def script(request: Any) -> str:
    if request.schema_name == "StatementDraft":
        return json.dumps({"statements": [{"text": "The centre should be closed to cars.", "supports": [1]}]})
    if request.schema_name == "SummaryDraft":
        return json.dumps({"sentences": [{"text": "Deliveries must be possible in the morning.", "utterances": [2]}]})
    return json.dumps({"label": "one_sided", "confidence": 0.9, "evidence": [1, 2]})


async def test_with_a_model_its_drafts_are_shown_with_the_call_in_the_ledger() -> None:
    room = Room(4)
    room.talk(LINES)
    agent = facilitator(room, ScriptedModel(script))
    room.start(1, 100)
    await work(room, agent)
    room.start(2, 200)
    await work(room, agent)
    calls: list[AiCalled] = of_kind(room, "ai.called")
    assert [call.purpose for call in calls] == ["statements", "summary"]
    assert [s.text for s in of_kind(room, "statement.added")] == ["The centre should be closed to cars."]
    card = of_kind(room, "intervention.made")[-1]
    assert (card.rule, card.call_id) == ("drafted.model", calls[0].call_id) and "scripted" in card.why
    (made,) = of_kind(room, "summary.proposed")
    assert (made.method, made.call_id) == ("model:scripted", calls[1].call_id)
    from facilitator.ledger import ledger

    statements, whole = ledger(room.state)
    assert "The centre should be closed to cars." in statements.shown
    assert "Deliveries must be possible in the morning." in whole.shown


@pytest.mark.parametrize("outcome", ["timeout", "unavailable", "refused", "open_circuit", "invalid"])
async def test_a_failing_model_gives_way_to_extraction_visibly_and_is_in_the_ledger(outcome: Any) -> None:
    room = Room(4)
    room.talk(LINES)
    agent = facilitator(room, ScriptedModel("garbage" if outcome == "invalid" else ModelFailure(outcome)))
    room.start(1, 100)
    await work(room, agent)
    room.start(2, 200)
    await work(room, agent)
    assert [call.outcome for call in of_kind(room, "ai.called")] == [outcome, outcome]
    assert len(of_kind(room, "statement.added")) == 4
    assert of_kind(room, "intervention.made")[-1].rule == "drafted.fallback"
    assert of_kind(room, "summary.proposed")[-1].method == f"extraction:{outcome}"


async def test_a_design_in_rules_mode_asks_no_model() -> None:
    room = Room(4, design(facilitation={"mode": "rules"}))
    room.talk(LINES)
    model = ScriptedModel(script)
    agent = facilitator(room, model)
    room.start(1, 100)
    await work(room, agent)
    assert model.asked == [] and of_kind(room, "statement.added")


async def test_a_broken_model_implementation_does_not_stop_the_facilitator() -> None:
    class Broken(ScriptedModel):
        async def complete(self, request: Any) -> Any:
            raise ZeroDivisionError("bug")

    room = Room(4)
    room.talk(LINES)
    agent = facilitator(room, Broken(""))
    room.start(1, 100)
    await work(room, agent)
    room.start(2, 200)
    await work(room, agent)  # still runs, and has not tried the same job twice
    assert of_kind(room, "summary.proposed") == []


async def test_struck_words_are_checked_again_and_leave_the_summary() -> None:
    room = Room(4)
    room.talk(LINES)
    agent = facilitator(room)
    room.start(2, 100)
    await work(room, agent)
    room.add(110, UtteranceStruck(utterance_id="u2", participant_id="p2"))
    await work(room, agent)
    first, again = of_kind(room, "summary.proposed")
    assert any("u2" in s.utterances for s in first.sentences)
    assert not any("u2" in s.utterances for s in again.sentences)
    assert again.dropped == first.dropped + 1


async def test_statements_that_come_after_the_stage_is_over_are_not_shown() -> None:
    room = Room(4)
    room.talk(LINES)
    agents: list[RoomFacilitator] = []

    def late(request: Any) -> str:
        room.start(0, 150)
        agents[0].observe(room.state)
        return script(request)

    agents.append(facilitator(room, ScriptedModel(late)))
    room.start(1, 100)
    await work(room, agents[0])
    assert of_kind(room, "statement.added") == []
    assert [call.outcome for call in of_kind(room, "ai.called")] == ["ok"]


@pytest.mark.parametrize("stage", [1, 2])
async def test_words_struck_while_the_model_works_do_not_come_back(stage: int) -> None:
    room = Room(4)
    room.talk(LINES)
    agents: list[RoomFacilitator] = []
    lost, kept = LINES[0][1], LINES[2][1]

    def late(request: Any) -> str:
        room.add(120, UtteranceStruck(utterance_id="u1", participant_id="p1"))
        agents[0].observe(room.state)
        texts = [(f"{lost[:-1]} and adults.", 1), (kept, 3)]
        if request.schema_name == "StatementDraft":
            return json.dumps({"statements": [{"text": text, "supports": [n]} for text, n in texts]})
        return json.dumps({"sentences": [{"text": text, "utterances": [n]} for text, n in texts]})

    agents.append(facilitator(room, ScriptedModel(late)))
    room.start(stage, 100)
    await work(room, agents[0])
    made = [e.payload.model_dump_json() for e in room.events if e.at >= START + 100]
    assert not any("the air is bad for children" in text for text in made)
    assert any(kept in text for text in made)  # what others said is made use of all the same
    assert of_kind(room, "ai.called")[0].output is None


async def test_words_whose_strike_is_dealt_with_before_the_result_do_not_come_back_either() -> None:
    room = Room(4)
    room.talk(LINES)
    lost, kept = LINES[0][1], LINES[2][1]
    texts = [(f"{lost[:-1]} and adults.", 1), (kept, 3)]

    async def act(make: Callable[[RoomState], Sequence[Payload]]) -> None:
        room.add(120, UtteranceStruck(utterance_id="u1", participant_id="p1"))  # stood before it in the room's inbox
        for payload in make(room.state):
            room.add(120, payload, actor=AI)

    drafts = json.dumps({"statements": [{"text": text, "supports": [n]} for text, n in texts]})
    agent = RoomFacilitator(ScriptedModel(drafts), act, room.new_id, lambda: room.state.at)
    room.start(1, 100)
    await work(room, agent)
    made = [e.payload.model_dump_json() for e in room.events if e.at >= START + 100]
    assert not any("the air is bad for children" in text for text in made) and any(kept in text for text in made)


async def test_silence_in_the_talk_leaves_the_statements_to_the_group() -> None:
    room = Room(4)
    agent = facilitator(room)
    room.start(1, 100)
    await work(room, agent)
    assert of_kind(room, "statement.added") == []
    assert of_kind(room, "intervention.made")[-1].rule == "drafted.none"


# -- content


def test_the_talk_is_classified_once_a_minute_and_only_when_there_is_something_new() -> None:
    room = Room(4)
    room.talk(LINES)  # ends after about 32 s
    assert not classify.is_due(room.state, START + 59)
    assert classify.is_due(room.state, START + 60)
    room.add(
        60,
        AiCalled(
            call_id="c", purpose="content", model="m", prompt="p", prompt_hash="h", first_seq=1, last_seq=1,
            output="{}", latency_ms=1, outcome="ok",
        ),
    )  # fmt: skip
    assert not classify.is_due(room.state, START + 200)
    room.talk(LINES, start=200)
    assert classify.is_due(room.state, START + 240)
    room.start(1, 241)
    assert not classify.is_due(room.state, START + 400)


@pytest.mark.parametrize(
    ("label", "confidence", "evidence", "age", "rule"),
    [
        ("one_sided", 0.8, [1, 2], 1, "content.one_sided"),
        ("one_sided", 0.79, [1, 2], 1, None),  # not sure enough
        ("one_sided", 0.9, [1, 1], 1, None),  # one voice is no conversation
        ("one_sided", 0.9, [1, 77], 1, None),
        ("one_sided", 0.9, [], 1, None),
        ("unheard_point", 0.9, [3], 1, "content.unheard_point"),
        ("fine", 1.0, [1, 2], 1, None),
        ("one_sided", 0.9, [1, 2], 60, "content.one_sided"),
        ("one_sided", 0.9, [1, 2], 61, None),  # stale
    ],
)
def test_a_label_is_acted_on_when_sure_backed_and_fresh(
    label: str, confidence: float, evidence: list[int], age: float, rule: str | None
) -> None:
    from facilitator.policies import content

    room = Room(4)
    room.talk(LINES)
    output = json.dumps({"label": label, "confidence": confidence, "evidence": evidence})
    room.add(
        60,
        AiCalled(
            call_id="c", purpose="content", model="m", prompt="p", prompt_hash="h", first_seq=1, last_seq=1,
            output=output, latency_ms=1, outcome="ok",
        ),
    )  # fmt: skip
    move = content.decide(room.state, START + 60 + age)
    assert (move.rule if move else None) == rule
    if move:
        text, _ = written(move, room.state)
        assert count_words(text) <= 20
        room.add(62, payload_of(move, room.state, lambda: "i"))
        assert content.decide(room.state, START + 63) is None  # used up


async def test_a_classified_talk_leads_to_one_move_through_the_log() -> None:
    room = Room(4)
    room.talk(LINES)
    room.write("p1", 60, "hm")
    agent = facilitator(room, ScriptedModel(script))
    await work(room, agent)
    (call,) = of_kind(room, "ai.called")
    assert call.purpose == "content" and call.outcome == "ok"
    rules = [getattr(p, "rule", "") for p in agent.tick(room.state, room.state.at + 5)]
    assert "content.one_sided" in rules
