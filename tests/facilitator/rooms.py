"""A room in virtual time for tests and the benchmark: append events, ask for the state. Nothing waits."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

from deliberation.design import Design, parse_design
from deliberation.events import (
    ChatPosted,
    Event,
    MemberJoined,
    Payload,
    RoomOpened,
    SpeechEnded,
    SpeechStarted,
    StageStarted,
    UtteranceFinal,
)
from deliberation.room import fold
from deliberation.state import RoomState

START = 1_000_000.0
NAMES = ("Ana", "Ben", "Caro", "Dev", "Eva", "Finn", "Gro", "Hal")


def design(**changes: Any) -> Design:
    base: dict[str, Any] = {
        "id": "test",
        "title": "Parks",
        "question": "Should the city close its centre to cars?",
        "groups": {"min_size": 2, "target_size": 4, "max_size": 8},
        "stages": [
            {"id": "talk", "kind": "discussion", "title": "Talk", "prompt": "What matters to you?", "minutes": 30},
            {"id": "vote", "kind": "statements", "title": "Vote", "minutes": 5},
            {"id": "close", "kind": "closing", "title": "Close", "minutes": 5},
        ],
    }
    return parse_design({**base, **changes})


class Room:
    """A log and its state. `ana`, `ben`, … are participants `p1`, `p2`, …; seconds count from the opening."""

    def __init__(
        self,
        people: int = 4,
        plan: Design | None = None,
        stage: int | None = 0,
        language: str = "en",
        arm: str = "",
    ) -> None:
        self.events: list[Event] = []
        self.state = RoomState()
        self._ids = count(1)
        self.plan = plan or design()
        self.add(
            0,
            RoomOpened(deliberation_id="d", room_id="r", number=1, design=self.plan.model_dump(mode="json"), arm=arm),
        )
        for seat in range(1, people + 1):
            self.add(0, MemberJoined(participant_id=f"p{seat}", seat=seat, name=NAMES[seat - 1], language=language))
        if stage is not None:
            self.start(stage, 0)

    def new_id(self) -> str:
        return f"x{next(self._ids)}"

    def add(self, seconds: float, *payloads: Payload, actor: str = "system") -> RoomState:
        for payload in payloads:
            event = Event(self.state.seq + 1, START + seconds, actor, payload)
            self.events.append(event)
            self.state = fold(self.state, event)
        return self.state

    def start(self, index: int, seconds: float) -> RoomState:
        stage = self.plan.agenda[index]
        ends_at = START + seconds + stage.minutes * 60 if stage.minutes else None
        return self.add(seconds, StageStarted(stage_id=stage.id, index=index, ends_at=ends_at))

    def speak(self, who: str, start: float, end: float, text: str = "", language: str = "en") -> RoomState:
        """Somebody speaks from `start` to `end`; with a text, it is transcribed too."""
        self.add(start, SpeechStarted(participant_id=who, started_at=START + start))
        self.add(end, SpeechEnded(participant_id=who, started_at=START + start, ended_at=START + end))
        return self.transcribe(who, start, end, text, language) if text else self.state

    def begin(self, who: str, start: float) -> RoomState:
        return self.add(start, SpeechStarted(participant_id=who, started_at=START + start))

    def transcribe(self, who: str, start: float, end: float, text: str, language: str = "en") -> RoomState:
        final = UtteranceFinal(
            utterance_id=f"u{len(self.state.utterances) + 1}",
            participant_id=who,
            started_at=START + start,
            ended_at=START + end,
            text=text,
            confidence=0.9,
            language=language,
        )
        return self.add(end, final)

    def write(self, who: str, seconds: float, text: str) -> RoomState:
        return self.add(seconds, ChatPosted(message_id=f"m{len(self.state.chat) + 1}", participant_id=who, text=text))

    def talk(self, lines: Sequence[tuple[str, str]], start: float = 5.0, language: str = "en") -> RoomState:
        """Speak these (who, text) lines one after the other, at 2.5 words a second, a second apart."""
        at = start
        for who, text in lines:
            length = max(1.0, len(text.split()) / 2.5)
            self.speak(who, at, at + length, text, language)
            at += length + 1
        return self.state
