"""Rooms for the domain's tests: a log that grows by payloads and commands, on a clock the test sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from deliberation import agenda, turns
from deliberation.command import Actor
from deliberation.commands import Command
from deliberation.decisions import decide
from deliberation.events import (
    SYSTEM,
    ConsentGiven,
    Event,
    MemberJoined,
    Payload,
    RoomOpened,
    SpeechEnded,
    SpeechStarted,
    UtteranceFinal,
    Word,
)
from deliberation.room import fold
from deliberation.state import RoomState

START = 1_000_000.0

DESIGN: dict[str, Any] = {
    "id": "trams",
    "title": "Trams",
    "question": "Should the city build a tram?",
    "groups": {"min_size": 2, "target_size": 3, "max_size": 4},
    "stages": [
        {"id": "talk", "title": "Talk", "minutes": 5},
        {"id": "vote", "title": "Vote", "kind": "statements", "minutes": 5},
        {"id": "end", "title": "End", "kind": "closing", "minutes": 5},
    ],
    "poll": [{"id": "keen", "text": "I want a tram.", "scale": 5}],
    "privacy": {"mode": "named"},
}


class Log:
    """A room's log and the state it folds to."""

    def __init__(self, people: Sequence[str] = ("ann", "ben", "cat"), **changes: Any) -> None:
        self.events: list[Event] = []
        self.state = RoomState()
        self.now = START
        self._ids = count(1)
        design = {**DESIGN, **changes}
        self.add(RoomOpened(deliberation_id="trams", room_id="r1", number=1, design=design))
        for person in people:
            self.join(person)

    def new_id(self) -> str:
        return f"id{next(self._ids)}"

    def wait(self, seconds: float) -> Log:
        self.now += seconds
        return self

    def add(self, *payloads: Payload, actor: str = SYSTEM) -> Log:
        for payload in payloads:
            event = Event(self.state.seq + 1, self.now, actor, payload)
            self.state = fold(self.state, event)
            self.events.append(event)
        return self

    def join(self, person: str, **changes: Any) -> Log:
        fields: dict[str, Any] = {
            "participant_id": person,
            "seat": len(self.state.members) + 1,
            "name": person.title(),
            "segments": {"district": f"{person}-district"},
            **changes,
        }
        consent = {"take_part": True, "record": True, "quote": True}
        return self.add(
            MemberJoined(**fields), ConsentGiven(participant_id=person, items=consent, version="1", language="en")
        )

    def do(self, who: str, command: Command, role: Any = "participant") -> list[Payload]:
        payloads = decide(self.state, Actor(who, role, who.title()), command, self.now, self.new_id)
        self.add(*payloads, actor=who)
        return payloads

    def host(self, command: Command) -> list[Payload]:
        return self.do("host", command, "facilitator")

    def tick(self, seconds: float = 1.0) -> list[Payload]:
        """Let time pass, then do what the agenda and the turn clock want."""
        self.wait(seconds)
        done: list[Payload] = []
        while payloads := agenda.due(self.state, self.now) or turns.due(self.state, self.now):
            self.add(*payloads)
            done += payloads
        return done

    def start(self, stage: int = 0) -> Log:
        """Run the clock into a stage."""
        self.tick(0)
        while self.state.stage is not None and self.state.stage.index < stage:
            self.tick(301)
        return self

    def speak(self, who: str, seconds: float, text: str = "", *, pause: float = 0.0) -> Log:
        """Have somebody speak for so long, from now on."""
        began = self.now
        self.add(SpeechStarted(participant_id=who, started_at=began))
        self.wait(seconds)
        self.add(SpeechEnded(participant_id=who, started_at=began, ended_at=self.now))
        if text:
            self.utter(who, text, began)
        return self.wait(pause)

    def utter(self, who: str, text: str, began: float | None = None) -> str:
        began = self.now if began is None else began
        utterance_id = self.new_id()
        words = tuple(Word(text=w, start=began, end=began + 0.2, probability=0.9) for w in text.split())
        self.add(
            UtteranceFinal(
                utterance_id=utterance_id,
                participant_id=who,
                started_at=began,
                ended_at=max(self.now, began + 0.2),
                text=text,
                words=words,
                confidence=0.9,
            )
        )
        return utterance_id


def kinds(payloads: Sequence[Payload]) -> list[str]:
    return [payload.kind for payload in payloads]


def flat(value: Any) -> str:
    """Everything in a structure as one string, to search it for what must not be there."""
    if isinstance(value, Mapping):
        return " ".join(f"{key} {flat(item)}" for key, item in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        return " ".join(flat(item) for item in value)
    return str(value)
