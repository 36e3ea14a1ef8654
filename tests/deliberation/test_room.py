from __future__ import annotations

import pytest

from deliberation.events import (
    SYSTEM,
    AiCalled,
    ChatPosted,
    ChatStruck,
    ConsentWithdrawn,
    Event,
    FacilitationPaused,
    HandRaised,
    HelpAnswered,
    HelpCalled,
    InterventionAnswered,
    InterventionMade,
    ListenerChanged,
    MemberAway,
    MemberLeft,
    MemberReturned,
    PollAnswered,
    RecordingChanged,
    ReportFiled,
    RoomClosed,
    SafetyAsked,
    SafetyDecided,
    Sentence,
    SpeechEnded,
    SpeechStarted,
    StageExtended,
    StageReady,
    StatementAdded,
    StatementWithdrawn,
    SummaryMarked,
    SummaryProposed,
    TranscriptionBehind,
    TurnStarted,
    UtteranceRevised,
    UtteranceStruck,
    VoteCast,
    erase,
)
from deliberation.room import fold, fold_all
from tests.deliberation.rooms import DESIGN, START, Log


def test_a_gap_or_a_duplicate_in_the_log_is_noticed() -> None:
    log = Log()
    for seq in (log.state.seq, log.state.seq + 2):
        with pytest.raises(AssertionError, match="gap or a duplicate"):
            fold(log.state, Event(seq, log.now, SYSTEM, RoomClosed(reason="finished")))


def test_members_sit_in_their_seats_with_what_they_agreed_to() -> None:
    state = Log().state
    assert [(m.seat, m.name) for m in state.present] == [(1, "Ann"), (2, "Ben"), (3, "Cat")]
    assert state.members["ann"].consent == {"take_part": True, "record": True, "quote": True}
    assert state.open and state.plan.title == "Trams"


def test_an_arm_changes_the_facilitation_of_its_rooms_only() -> None:
    arms = [{"name": "quiet", "facilitation": "off"}, {"name": "fast", "overrides": {"turns": {"seconds": 30}}}]
    log = Log(facilitation={"arms": arms})
    opened = log.events[0].payload
    for arm, mode, seconds in (("quiet", "off", 45), ("fast", "model", 30), ("", "model", 45)):
        state = fold_all([Event(1, START, SYSTEM, opened.model_copy(update={"arm": arm}))])
        assert (state.facilitation.mode, state.facilitation.turns.seconds) == (mode, seconds)


def test_somebody_away_keeps_seat_and_queue_place_and_loses_the_floor() -> None:
    log = Log().start()
    log.add(HandRaised(participant_id="ben"), TurnStarted(participant_id="ann", ends_at=START + 45))
    log.add(MemberAway(participant_id="ann"), MemberAway(participant_id="ben"))
    assert log.state.turn is None
    assert [h.participant_id for h in log.state.queue] == ["ben"]
    assert log.state.voters == {"ann", "ben", "cat"}
    log.wait(5).add(MemberReturned(participant_id="ann"))
    assert log.state.members["ann"].present and log.state.members["ann"].away_since is None


def test_somebody_who_left_is_gone_from_queue_floor_and_counts() -> None:
    log = Log().start()
    log.add(HandRaised(participant_id="ann"), StageReady(participant_id="ann", ready=True))
    log.add(RecordingChanged(participant_id="ann", recording=True), MemberLeft(participant_id="ann", reason="left"))
    state = log.state
    assert "ann" not in state.voters | state.ready | state.recording
    assert state.queue == ()
    assert state.members["ann"].seat == 1


def test_speech_is_open_until_its_end_is_heard() -> None:
    log = Log().add(SpeechStarted(participant_id="ann", started_at=START))
    assert log.state.speaking == {"ann": START}
    log.wait(4).add(SpeechEnded(participant_id="ann", started_at=START, ended_at=START + 4))
    assert log.state.speaking == {}
    assert [(s.started_at, s.ended_at) for s in log.state.speech] == [(START, START + 4)]


def test_speech_cut_off_by_going_away_is_counted_once_when_its_end_comes_in_late() -> None:
    log = Log().add(SpeechStarted(participant_id="ann", started_at=START))
    log.wait(3).add(MemberAway(participant_id="ann"))
    assert [s.ended_at for s in log.state.speech] == [START + 3]
    log.wait(1).add(SpeechEnded(participant_id="ann", started_at=START, ended_at=START + 2.5))
    assert [(s.started_at, s.ended_at) for s in log.state.speech] == [(START, START + 2.5)]


def test_a_revision_replaces_the_text_and_keeps_what_it_does_not_mention() -> None:
    log = Log()
    said = log.utter("ann", "trams are grate")
    log.add(UtteranceRevised(utterance_id=said, participant_id="ann", text="trams are great", by="speaker"))
    utterance = log.state.utterances[said]
    assert (utterance.text, utterance.revised, utterance.confidence) == ("trams are great", "speaker", 0.9)
    assert utterance.usable


def test_a_strike_empties_the_words_and_flags_what_cites_them() -> None:
    log = Log().start(1)
    said, other = log.utter("ann", "trams are great"), log.utter("ben", "they cost money")
    log.add(StatementAdded(statement_id="s1", participant_id=None, text="Trams.", supports=(said,), origin="ai"))
    sentences = (Sentence(text="Ben.", utterances=(other,)), Sentence(text="Both.", utterances=(other, said)))
    log.add(SummaryProposed(summary_id="sum", sentences=sentences, method="extractive"))
    log.add(UtteranceStruck(utterance_id=said, participant_id="ann"))
    state = log.state
    assert (state.utterances[said].text, state.utterances[said].words, state.utterances[said].usable) == ("", (), False)
    assert state.statements["s1"].flagged
    assert state.summary is not None and state.summary.flagged == {1}


def test_a_summary_that_cites_words_already_struck_is_born_flagged() -> None:
    log = Log()
    said = log.utter("ann", "trams are great")
    log.add(UtteranceStruck(utterance_id=said, participant_id="ann"))
    log.add(SummaryProposed(summary_id="sum", sentences=(Sentence(text="x", utterances=(said,)),), method="m"))
    assert log.state.summary is not None and log.state.summary.flagged == {0}


def test_a_later_vote_and_a_later_mark_replace_the_earlier_ones() -> None:
    log = Log().start(1)
    log.add(StatementAdded(statement_id="s1", participant_id="ann", text="Trams."))
    log.add(
        VoteCast(statement_id="s1", participant_id="ben", value=1),
        VoteCast(statement_id="s1", participant_id="ben", value=-1),
    )
    assert log.state.statements["s1"].votes == {"ben": -1}
    log.add(SummaryProposed(summary_id="sum", sentences=(Sentence(text="x"),), method="m"))
    for verdict in ("right", "wrong"):
        log.add(SummaryMarked(summary_id="sum", participant_id="ben", sentence=0, verdict=verdict))
    for text in ("costs", "noise"):
        log.add(SummaryMarked(summary_id="sum", participant_id="ben", sentence=None, verdict="missing", text=text))
    assert log.state.summary is not None
    assert [(m.verdict, m.text) for m in log.state.summary.marks] == [
        ("wrong", None),
        ("missing", "costs"),
        ("missing", "noise"),
    ]


def test_a_decided_safety_case_hides_and_a_facilitator_can_show_again() -> None:
    log = Log()
    log.add(ChatPosted(message_id="m1", participant_id="ann", text="rude"))
    log.add(SafetyAsked(case_id="c1", participant_id="ann", subject_id="m1", asked=("ben",), why="insult"))
    log.add(SafetyDecided(case_id="c1", verdict="hide", by="group"))
    assert log.state.chat["m1"].hidden
    log.add(SafetyDecided(case_id="c1", verdict="fine", by="facilitator"))
    assert not log.state.chat["m1"].hidden
    said = log.utter("ann", "rude words")
    log.add(SafetyAsked(case_id="c2", participant_id="ann", subject_id=said, asked=("ben",), why="insult"))
    log.add(SafetyDecided(case_id="c2", verdict="remove", by="group"))
    assert log.state.utterances[said].hidden and not log.state.utterances[said].usable


def test_the_rest_of_the_record_is_kept() -> None:
    log = Log().start()
    log.add(
        StageExtended(stage_id="talk", seconds=60, ends_at=START + 360, why="facilitator"),
        PollAnswered(participant_id="ann", poll="opening", answers={"keen": 2}),
        ReportFiled(report_id="r", participant_id="ann", about="ben", text="help"),
        HelpCalled(participant_id="ann"),
        InterventionMade(intervention_id="i", rule="welcome", text="Hello"),
        InterventionAnswered(intervention_id="i", participant_id="ann", answer="helpful"),
        AiCalled(
            call_id="c",
            purpose="summary",
            model="m",
            prompt="p",
            prompt_hash="h",
            first_seq=1,
            last_seq=2,
            output="o",
            latency_ms=3,
            outcome="ok",
        ),
        FacilitationPaused(paused=True),
        ListenerChanged(listener_id="l", name="Host", state="listening"),
        TranscriptionBehind(seconds=4),
        RecordingChanged(participant_id="ann", recording=True, file="ann.ogg", started_at=START),
        RecordingChanged(participant_id="ann", recording=True, file="ann.webm", started_at=START + 1, picture=True),
        RecordingChanged(participant_id="ben", recording=True, file="ben.webm", started_at=START, picture=True),
        RecordingChanged(participant_id="ben", recording=False, picture=True),
        ConsentWithdrawn(participant_id="ann", items=("record",)),
        ChatPosted(message_id="m", participant_id="ann", text="hi"),
        ChatStruck(message_id="m", participant_id="ann"),
        StatementAdded(statement_id="s", participant_id="ann", text="Trams."),
        StatementWithdrawn(statement_id="s", by="author"),
    )
    state = log.state
    assert state.stage is not None and (state.stage.extensions, state.stage.ends_at) == (1, START + 360)
    assert state.polls["opening"]["ann"] == {"keen": 2}
    assert state.reports[0].text == "help" and state.help is not None
    assert state.interventions["i"].answers == {"ann": "helpful"}
    assert state.ledger["c"].output == "o" and state.facilitation_paused
    assert state.listeners["l"].name == "Host" and state.transcription_behind == 4
    assert [(r.file, r.picture) for r in state.recordings] == [("ann.ogg", False), ("ann.webm", True), ("ben.webm", True)]
    assert state.recording == {"ann"} and state.filming == {"ann"}
    assert state.members["ann"].consent["record"] is False
    assert state.chat["m"].struck and state.chat["m"].text == ""
    assert state.statements["s"].withdrawn
    log.add(
        HelpAnswered(by="host"),
        ListenerChanged(listener_id="l", name=None, state="gone"),
        RoomClosed(reason="finished"),
    )
    assert log.state.help is None and log.state.listeners == {} and not log.state.open


def test_an_event_about_something_unknown_changes_nothing_but_the_count() -> None:
    log = Log()
    before = log.state
    log.add(
        VoteCast(statement_id="gone", participant_id="ann", value=1),
        UtteranceStruck(utterance_id="gone", participant_id="ann"),
    )
    assert log.state.seq == before.seq + 2
    assert (log.state.statements, log.state.utterances) == (before.statements, before.utterances)


def test_an_erased_log_folds_to_the_same_room_without_the_words() -> None:
    log = Log().start(1)
    said = log.utter("ann", "my address is Elm Street")
    log.add(ChatPosted(message_id="m", participant_id="ann", text="Elm Street"))
    log.add(StatementAdded(statement_id="s", participant_id="ann", text="Elm Street should stay."))
    log.add(VoteCast(statement_id="s", participant_id="ben", value=1))
    state = fold_all(erase(log.events, owner="ann"))
    assert "Elm Street" not in repr(state) and "Ann" not in repr(state)
    assert state.seq == log.state.seq
    assert state.utterances[said].struck and state.chat["m"].struck and state.statements["s"].withdrawn
    assert state.statements["s"].votes == {"ben": 1}
    assert state.members["ben"].name == "Ben" and state.members["ann"].name is None


def test_the_design_of_the_room_is_the_one_it_was_opened_with() -> None:
    assert Log().state.plan.stages[1].id == DESIGN["stages"][1]["id"]
