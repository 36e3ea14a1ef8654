"""What a room hears: in which language somebody is listened to."""

from __future__ import annotations

from typing import Any

import pytest

from deliberation.commands import SpeakLanguage
from server.rooms import hearing
from server.rooms.hearing import Hearing
from server.rooms.room import Room
from tests.server.rooms.test_room import MemoryLog, opened, person, running
from transcription.settings import TranscriptionSettings


class Transcriber:
    """Takes down what it is told."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.languages: dict[str, str | None] = {}

    def set_language(self, participant_id: str, language: str | None) -> None:
        self.languages[participant_id] = language

    def remove(self, participant_id: str) -> None:
        del self.languages[participant_id]

    async def run(self) -> None:
        """Hear nothing."""


def listening(room: Room, monkeypatch: pytest.MonkeyPatch) -> Transcriber:
    monkeypatch.setattr(hearing, "RoomTranscriber", Transcriber)
    part: Any = Hearing(room, None, TranscriptionSettings())  # type: ignore[arg-type]
    room.parts = [*room.parts, part]
    found: Transcriber = part._transcriber
    return found


async def test_who_says_which_language_they_speak_is_heard_in_it_and_after_a_restart_too(monkeypatch: pytest.MonkeyPatch) -> None:
    log = MemoryLog()
    room = await opened(log, "ann", "bob")
    transcriber = listening(room, monkeypatch)
    assert transcriber.languages == {"ann": "en", "bob": "en"}  # the design's
    async with running(room):
        await room.do(person("ann"), SpeakLanguage(language="pt-BR"))
        assert transcriber.languages == {"ann": "pt-BR", "bob": "en"}
        before = len(log.events)
        await room.do(person("ann"), SpeakLanguage(language="pt-BR"))
        assert len(log.events) == before  # nothing new
        await room.do(person("bob"), SpeakLanguage(language="und"))
        assert transcriber.languages["bob"] == "und"
        assert listening(room, monkeypatch).languages == {"ann": "pt-BR", "bob": "und"}  # folded again
        await room.do(person("ann"), SpeakLanguage(language=None))
        assert transcriber.languages["ann"] == "en"
