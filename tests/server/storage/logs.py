"""Logs to store: a small room with everything personal in it."""

from __future__ import annotations

from collections.abc import Iterable

from deliberation.design import Design, parse_design
from deliberation.events import (
    AiCalled,
    ChatPosted,
    ConsentGiven,
    Event,
    InterventionMade,
    MemberJoined,
    Payload,
    RecordingChanged,
    RoomOpened,
    Sentence,
    StatementAdded,
    SummaryProposed,
    UtteranceFinal,
    UtteranceRevised,
    VoteCast,
    Word,
)


def design(id: str = "trial", **privacy: object) -> Design:
    return parse_design(
        {
            "id": id,
            "title": "A trial",
            "question": "What should we do?",
            "stages": [{"id": "talk", "title": "Talk"}],
            "privacy": privacy,
        }
    )


def log(payloads: Iterable[Payload], first: int = 1, at: float = 1000.0) -> list[Event]:
    return [Event(first + i, at + i, "system", payload) for i, payload in enumerate(payloads)]


def opened(room_id: str, plan: Design, number: int = 1) -> Payload:
    return RoomOpened(
        deliberation_id=plan.id, room_id=room_id, number=number, design=plan.model_dump(mode="json"), seed=7
    )


def said(utterance_id: str, who: str, text: str) -> Payload:
    words = tuple(
        Word(text=word, start=1010.0 + i, end=1010.5 + i, probability=0.9) for i, word in enumerate(text.split())
    )
    return UtteranceFinal(
        utterance_id=utterance_id,
        participant_id=who,
        started_at=1010.0,
        ended_at=1020.0,
        text=text,
        words=words,
        confidence=0.8,
    )


SPOKEN = "I think the bakery on Harbour Street should stay open"


def whole_room(room_id: str, plan: Design) -> list[Event]:
    return log(
        [
            opened(room_id, plan),
            MemberJoined(participant_id="p1", seat=1, name="Gudrun Aas", segments={"region": "north"}),
            MemberJoined(participant_id="p2", seat=2, name="Tomek"),
            ConsentGiven(participant_id="p1", items={"take_part": True, "record": True}, version="1", language="en"),
            said("u1", "p1", SPOKEN),
            UtteranceRevised(utterance_id="u1", participant_id="p1", text=SPOKEN + ".", by="refine"),
            said("u2", "p2", "I would rather keep the library"),
            ChatPosted(message_id="c1", participant_id="p1", text="the school matters to me"),
            StatementAdded(statement_id="s1", participant_id="p2", text="Keep the library."),
            StatementAdded(statement_id="s2", participant_id=None, text=SPOKEN, supports=("u1",), origin="ai"),
            VoteCast(statement_id="s1", participant_id="p1", value=1),
            RecordingChanged(participant_id="p1", recording=True, file="p1-1.ogg", started_at=1000.0),
            InterventionMade(intervention_id="i1", rule="welcome", text="Welcome, everyone."),
            AiCalled(
                call_id="k1",
                purpose="summary",
                model="m",
                prompt="summary-1",
                prompt_hash="0",
                first_seq=1,
                last_seq=10,
                output=f"One said: {SPOKEN}!",
                latency_ms=5,
                outcome="ok",
            ),
            SummaryProposed(
                summary_id="y1",
                sentences=(
                    Sentence(text=f"“{SPOKEN}”", utterances=("u1",)),
                    Sentence(text="The library was named.", utterances=("u2",)),
                ),
                method="model",
            ),
        ]
    )
