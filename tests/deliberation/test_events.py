from __future__ import annotations

import pytest
from pydantic import ValidationError

from deliberation.events import PAYLOAD, PAYLOAD_TYPES, ChatPosted, Event, UtteranceFinal, UtteranceRevised, Word, erase

SAID = UtteranceFinal(
    utterance_id="u1",
    participant_id="ann",
    started_at=1,
    ended_at=2,
    text="my secret",
    words=(Word(text="secret", start=1, end=2, probability=1),),
)
CORRECTED = UtteranceRevised(utterance_id="u1", participant_id="ann", text="my real secret", by="speaker")
WRITTEN = ChatPosted(message_id="m1", participant_id="ben", text="hello")
EVENTS = [Event(index, float(index), "x", payload) for index, payload in enumerate((SAID, CORRECTED, WRITTEN), 1)]


@pytest.mark.parametrize("kind", sorted(PAYLOAD_TYPES))
def test_every_kind_is_told_apart_by_its_tag(kind: str) -> None:
    with pytest.raises(ValidationError) as refused:
        PAYLOAD.validate_python({"kind": kind, "no_such_field": 1})
    assert {error["loc"][0] for error in refused.value.errors()} == {kind}


@pytest.mark.parametrize("payload", [SAID, CORRECTED, WRITTEN], ids=lambda payload: payload.kind)
def test_a_payload_survives_json(payload) -> None:
    assert PAYLOAD.validate_json(payload.model_dump_json()) == payload


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("utterance.final", {"text", "words"}),
        ("utterance.revised", {"text", "words"}),
        ("member.joined", {"name", "segments"}),
        ("chat.posted", {"text"}),
        ("statement.added", {"text"}),
        ("summary.proposed", {"sentences"}),
        ("summary.marked", {"text"}),
        ("report.filed", {"text"}),
        ("intervention.made", {"text"}),
        ("ai.called", {"output"}),
        ("listener.changed", {"name"}),
        ("vote.cast", set()),
        ("stage.started", set()),
    ],
)
def test_what_is_personal_can_be_erased_and_nothing_else(kind: str, fields: set[str]) -> None:
    assert set(PAYLOAD_TYPES[kind].personal_fields()) == fields


@pytest.mark.parametrize("kind", sorted(PAYLOAD_TYPES))
def test_personal_fields_accept_their_erasure(kind: str) -> None:
    cls = PAYLOAD_TYPES[kind]
    for name in cls.personal_fields():
        assert type(None) in getattr(cls.model_fields[name].annotation, "__args__", ()), name


def test_erasing_a_subject_empties_all_its_versions_and_keeps_the_events() -> None:
    erased = list(erase(EVENTS, subject="u1"))
    assert [event.seq for event in erased] == [1, 2, 3]
    assert "secret" not in repr(erased)
    assert erased[2] == EVENTS[2]


def test_erasing_an_owner_empties_only_what_is_theirs() -> None:
    erased = list(erase(EVENTS, owner="ben"))
    assert erased[:2] == EVENTS[:2]
    assert erased[2].payload.text is None


def test_an_ai_text_belongs_to_nobody() -> None:
    made = PAYLOAD.validate_python(
        {"kind": "intervention.made", "intervention_id": "i", "rule": "r", "text": "Ann?", "about": "ann"}
    )
    assert made.owner is None
    (event,) = erase([Event(1, 0, "ai", made)], owner="ann")
    assert event.payload.text == "Ann?"
