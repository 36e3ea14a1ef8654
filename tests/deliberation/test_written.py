"""Taking part in writing: what is written is a contribution like what others say, and counts as one."""

from __future__ import annotations

import pytest

from deliberation.command import Actor
from deliberation.commands import NameSpeaker, PostChat
from deliberation.decisions import MAX_CHAT_EACH, decide
from deliberation.equity import spoken_seconds
from deliberation.errors import NotAllowed, TooMany
from deliberation.events import UtteranceFinal
from deliberation.privacy import redact
from deliberation.room import fold_all
from deliberation.view import room_view
from tests.deliberation.rooms import Log

TEXT = "A tram to the harbour would help the night shift more than a new road would"


def room() -> Log:
    log = Log(())
    for person, mode in (("ann", "online"), ("ben", "online"), ("cat", "chat")):
        log.join(person, mode=mode)
    return log.start()


def write(log: Log, person: str, text: str = TEXT) -> Log:
    return log.add(*decide(log.state, Actor(person, "participant"), PostChat(text=text), log.now, log.new_id), actor=person)


def test_what_a_writer_posts_is_an_utterance_and_what_a_speaker_posts_is_chat() -> None:
    log = write(write(room(), "cat"), "ann", "brb")
    (said,) = log.state.utterances.values()
    assert (said.participant_id, said.text, said.written, said.stage_id) == ("cat", TEXT, True, "talk")
    assert [m.text for m in log.state.chat.values()] == ["brb"]
    shown = room_view(log.state, "participant", "ann").utterances[said.utterance_id]
    assert shown.written and shown.text == TEXT


def test_writing_counts_as_speaking_for_as_long_as_it_takes_to_read_it_out() -> None:
    log = write(room().speak("ann", 6), "cat")
    spoken = spoken_seconds(log.state, log.now)
    assert spoken["cat"] == pytest.approx(len(TEXT.split()) / 2.5, abs=0.01) and spoken["ann"] == 6
    assert log.state.last_speech_end == log.now  # nobody is asked why it is so quiet


def test_nobody_fills_the_record_in_writing() -> None:
    log = room()
    for n in range(MAX_CHAT_EACH):
        log.add(UtteranceFinal(utterance_id=f"u{n}", participant_id="cat", started_at=1, ended_at=2, text="x", written=True))
    with pytest.raises(TooMany):
        write(log, "cat")


def test_under_the_chatham_house_rule_writing_does_not_tell_the_writer() -> None:
    log = Log((), privacy={"mode": "chatham-house"})
    for person, mode in (("ann", "online"), ("ben", "online"), ("cat", "chat")):
        log.join(person, mode=mode)
    write(log.start(), "cat")
    log.utter("ann", "We should ask the night shift what they need.")
    released = fold_all(redact(log.events, "chatham-house", key=b"k"))
    assert not any(u.written for u in released.utterances.values())
    assert {m.mode for m in released.members.values()} == {"online"}
    assert len({u.confidence for u in released.utterances.values()}) == 1


def test_a_shared_microphone_names_its_speakers_by_hand_and_only_its_own() -> None:
    log = Log(())
    for person, mode in (("hall", "on-site"), ("ben", "online")):
        log.join(person, mode=mode)
    said = log.start().utter("hall", "Yolanda and I want a tram.")
    log.do("hall", NameSpeaker(utterance_id=said, speaker="Yolanda"))
    assert room_view(log.state, "participant", "ben").utterances[said].speaker == "Yolanda"
    with pytest.raises(NotAllowed):
        log.do("ben", NameSpeaker(utterance_id=log.utter("ben", "Me too."), speaker="Zed"))
    for mode in ("pseudonym", "chatham-house"):
        assert "Yolanda" not in " ".join(e.payload.model_dump_json() for e in redact(log.events, mode, key=b"k"))
    log.do("hall", NameSpeaker(utterance_id=said))
    assert log.state.utterances[said].speaker is None
