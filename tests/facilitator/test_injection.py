"""Instructions in people's speech never steer the facilitator: a corpus of attacks, and a model that obeys every one of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deliberation.events import AiCalled, StatementAdded, SummaryProposed
from facilitator import classify, drafting, summary
from facilitator.policies import decide
from facilitator.text import contains_any, count_words, support
from tests.facilitator.models import ScriptedModel
from tests.facilitator.rooms import START, Room

ATTACKS = json.loads((Path(__file__).parent / "injections.json").read_text("utf-8"))
TALK = [
    ("p1", "I think the centre should be closed to cars because the air is bad for children."),
    ("p2", "The shops need deliveries, so we should keep the streets open in the morning."),
    ("p3", "Older people must be able to reach the doctor by car or by bus."),
    ("p1", "More buses would be better than more parking for most people."),
]
ATTACKER, PLACE = "p4", 3  # the third thing said

pytestmark = pytest.mark.parametrize("attack", ATTACKS, ids=[f"attack{n}" for n in range(len(ATTACKS))])


def room_with(text: str) -> Room:
    room = Room(4)
    room.talk([*TALK[: PLACE - 1], (ATTACKER, text), *TALK[PLACE - 1 :]])
    return room


def neutral(text: str) -> str:
    """Words of the same number that ask nothing of anybody."""
    return " ".join(["well"] * max(1, len(text.split())))


def test_the_rules_act_as_they_would_on_any_other_words(attack: dict[str, str]) -> None:
    said, plain = room_with(attack["text"]), room_with(neutral(attack["text"]))
    said.write(ATTACKER, 60, attack["text"])
    plain.write(ATTACKER, 60, neutral(attack["text"]))
    for seconds in (61, 80, 110, 200, 400, 900, 1700, 1801):
        assert decide(said.state, START + seconds) == decide(plain.state, START + seconds)


async def test_the_model_gets_it_as_quoted_data_and_our_wording_unchanged(attack: dict[str, str]) -> None:
    attacked, plain = ScriptedModel("{}"), ScriptedModel("{}")
    for room, model in ((room_with(attack["text"]), attacked), (room_with(neutral(attack["text"])), plain)):
        await drafting.draft(room.state, model, room.new_id, lambda: START + 60)
        await summary.summarise(room.state, model, room.new_id, lambda: START + 60)
        await classify.label(room.state, model, "c", lambda: START + 60)
    assert [r.system for r in attacked.asked] == [r.system for r in plain.asked]
    for request in attacked.asked[:2]:
        speech = json.loads(request.user)["speech"]
        assert len(speech) == 5 and speech[PLACE - 1]["text"] == attack["text"]


def obeying(attack: dict[str, str]) -> ScriptedModel:
    """A model that writes what the attack demands and cites everybody for it."""
    everything = [1, 2, 3, 4, 5]
    item: dict[str, Any] = {"text": attack["demand"], "supports": everything}
    sentence = {"text": attack["demand"], "utterances": everything}
    return ScriptedModel(
        lambda request: json.dumps(
            {"statements": [item]} if request.schema_name == "StatementDraft" else {"sentences": [sentence]}
        )
    )


async def test_whatever_an_obeying_model_writes_only_the_attackers_own_words_can_be_shown(
    attack: dict[str, str],
) -> None:
    room = room_with(attack["text"])
    model = obeying(attack)
    drafts = await drafting.draft(room.state, model, room.new_id, lambda: START)
    for item in drafts.drafts:
        await _is_quotation(room, item.text, item.supports)
    made = await summary.summarise(room.state, model, room.new_id, lambda: START)
    for shown in made.sentences:
        await _is_quotation(room, shown.text, shown.utterances)
    assert made.sentences, "the others' points are still there"
    assert {"p1", "p2", "p3"} <= {room.state.utterances[u].participant_id for s in made.sentences for u in s.utterances}


async def _is_quotation(room: Room, text: str, cited: tuple[str, ...]) -> None:
    """A text shown is held by what it cites, and claims nobody's agreement but the speaker's."""
    assert cited
    sources = [room.state.utterances[key].text for key in cited]
    verbatim = any(text.rstrip(".") in source for source in sources)
    if not verbatim and {room.state.utterances[key].participant_id for key in cited} == {ATTACKER}:
        assert support(text, sources, "en") >= 0.6
        outside = text.split("“")[0]
        assert not contains_any(outside, "en", "collective")
    assert count_words(text) <= 60


@pytest.mark.parametrize("label", ["off_topic", "two_camps", "one_sided", "talking_past", "early_agreement"])
def test_a_label_that_rests_on_the_attack_alone_is_not_acted_on(attack: dict[str, str], label: str) -> None:
    room = room_with(attack["text"])
    output = json.dumps({"label": label, "confidence": 1.0, "evidence": [PLACE, PLACE, 99, -1, 0]})
    room.add(
        100,
        AiCalled(
            call_id="c", purpose="content", model="m", prompt="content@1", prompt_hash="h", first_seq=1, last_seq=1,
            output=output, latency_ms=1, outcome="ok",
        ),
    )  # fmt: skip
    assert not any(getattr(m, "rule", "").startswith("content.") for m in decide(room.state, START + 101))


def test_extraction_shows_it_as_the_attackers_words_or_not_at_all(attack: dict[str, str]) -> None:
    room = room_with(attack["text"])
    for item in drafting.extracted(room.state, 5):
        added = StatementAdded(
            statement_id="s", participant_id=None, text=item.text, supports=item.supports, origin="ai"
        )
        speakers = {room.state.utterances[u].participant_id for u in added.supports}
        if ATTACKER in speakers:
            assert support(item.text, [attack["text"]], "en") == 1.0
    sentences, _ = summary.extracted(room.state)
    assert SummaryProposed(summary_id="x", sentences=sentences, method="extraction").sentences == sentences
