from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from deliberation.command import Actor
from deliberation.commands import (
    AddStatement,
    AnswerHelp,
    AnswerIntervention,
    AnswerPoll,
    AnswerSafety,
    CallHelp,
    CastVote,
    CloseRoom,
    CorrectUtterance,
    DecideSafety,
    EndTurn,
    FileReport,
    Leave,
    Listen,
    LowerHand,
    MarkSummary,
    MoreTime,
    NextStage,
    PauseFacilitation,
    PostChat,
    RaiseHand,
    Ready,
    RemoveMember,
    SendMessage,
    StrikeChat,
    StrikeUtterance,
    WithdrawConsent,
    WithdrawStatement,
)
from deliberation.decisions import MAX_STATEMENTS_EACH, decide
from deliberation.errors import Conflict, InvalidInput, NotAllowed, NotFound, ParleyError, TooMany
from deliberation.events import (
    InterventionMade,
    MemberAway,
    MemberLeft,
    MemberReturned,
    SafetyAsked,
    Sentence,
    SpeechEnded,
    SpeechStarted,
    StatementAdded,
    SummaryProposed,
    erase,
)
from deliberation.room import fold_all
from deliberation.view import merge_patch, room_view
from simulation.client import apply_patch, read_view
from tests.deliberation.rooms import Log, flat, kinds


def refused(log: Log, who: str, command: Any, role: str = "participant") -> str:
    before = log.state
    with pytest.raises(ParleyError) as error:
        log.do(who, command, role)
    assert log.state is before
    assert error.value.message.endswith(".")
    return error.value.code


# -- who may


@pytest.mark.parametrize("role", ["participant", "researcher", "admin", "facilitator"])
def test_a_role_may_do_its_own_commands_only(role: str) -> None:
    log = Log().start()
    host = role in ("admin", "facilitator")
    for command, theirs in ((RaiseHand(), role == "participant"), (PauseFacilitation(paused=True), host)):
        if theirs:
            log.do("ann", command, role)
        else:
            assert refused(log, "ann", command, role) == "role_not_allowed"


def test_only_members_act_and_not_once_they_left() -> None:
    log = Log().start()
    assert refused(log, "zoe", RaiseHand()) == "not_a_member"
    log.do("ann", Leave())
    assert refused(log, "ann", RaiseHand()) == "left_room"


def test_after_the_end_one_may_still_put_ones_own_words_right() -> None:
    log = Log().start()
    said, other = log.utter("ann", "trams are grate"), log.utter("ann", "I take that back")
    log.host(CloseRoom())
    for command in (RaiseHand(), PostChat(text="hi"), Ready()):
        assert refused(log, "ann", command) == "room_closed"
    assert refused(log, "host", NextStage(), "facilitator") == "room_closed"
    log.do("ann", CorrectUtterance(utterance_id=said, text="trams are great"))
    log.do("ann", StrikeUtterance(utterance_id=other))
    log.do("ann", AnswerPoll(poll="closing", answers={"keen": 4}))
    log.do("ann", WithdrawConsent(items=("record",)))
    assert log.state.utterances[said].text == "trams are great"


# -- words


def test_only_the_speaker_strikes_or_corrects_and_struck_stays_struck() -> None:
    log = Log().start()
    said = log.utter("ann", "hello")
    assert refused(log, "ben", StrikeUtterance(utterance_id=said)) == "not_yours"
    assert refused(log, "ben", CorrectUtterance(utterance_id=said, text="x")) == "not_yours"
    assert refused(log, "ann", StrikeUtterance(utterance_id="none")) == "no_such_utterance"
    assert kinds(log.do("ann", StrikeUtterance(utterance_id=said))) == ["utterance.struck"]
    assert log.do("ann", StrikeUtterance(utterance_id=said)) == []
    assert refused(log, "ann", CorrectUtterance(utterance_id=said, text="x")) == "utterance_struck"


def test_only_the_writer_takes_a_message_back() -> None:
    log = Log().start()
    (posted,) = log.do("ann", PostChat(text="hi"))
    assert refused(log, "ben", StrikeChat(message_id=posted.message_id)) == "not_yours"
    assert refused(log, "ann", StrikeChat(message_id="none")) == "no_such_message"
    log.do("ann", StrikeChat(message_id=posted.message_id))
    assert log.do("ann", StrikeChat(message_id=posted.message_id)) == []


# -- statements and votes


def test_statements_are_added_while_voting_on_statements() -> None:
    log = Log().start()
    assert refused(log, "ann", AddStatement(text="Build it.")) == "not_voting"
    said = log.utter("ann", "build it")
    log.start(1)
    (added,) = log.do("ann", AddStatement(text="Build it.", supports=(said,)))
    assert added.supports == (said,)
    assert refused(log, "ben", AddStatement(text="BUILD it.")) == "statement_exists"
    assert refused(log, "ben", AddStatement(text="New.", supports=("none",))) == "no_such_utterance"
    log.do("ann", StrikeUtterance(utterance_id=said))
    assert refused(log, "ben", AddStatement(text="New.", supports=(said,))) == "no_such_utterance"


def test_everyone_may_add_only_so_many_statements_at_a_time() -> None:
    log = Log().start(1)
    added = [log.do("ann", AddStatement(text=f"Number {n}."))[0] for n in range(MAX_STATEMENTS_EACH)]
    assert refused(log, "ann", AddStatement(text="One more.")) == "too_many_statements"
    log.do("ann", WithdrawStatement(statement_id=added[0].statement_id))
    assert log.do("ann", WithdrawStatement(statement_id=added[0].statement_id)) == []
    log.do("ann", AddStatement(text="One more."))


def test_votes_can_change_until_the_stage_closes() -> None:
    log = Log().start(1)
    (added,) = log.do("ann", AddStatement(text="Build it."))
    vote = added.statement_id
    log.do("ben", CastVote(statement_id=vote, value=1))
    assert log.do("ben", CastVote(statement_id=vote, value=1)) == []
    log.do("ben", CastVote(statement_id=vote, value=-1))
    assert log.state.statements[vote].votes == {"ben": -1}
    log.start(2)
    assert refused(log, "ben", CastVote(statement_id=vote, value=1)) == "stage_over"


def test_a_withdrawn_statement_takes_no_votes_and_only_its_author_or_a_host_withdraws_it() -> None:
    log = Log().start(1)
    (added,) = log.do("ann", AddStatement(text="Build it."))
    assert refused(log, "ben", WithdrawStatement(statement_id=added.statement_id)) == "not_yours"
    log.host(WithdrawStatement(statement_id=added.statement_id))
    assert log.host(WithdrawStatement(statement_id=added.statement_id)) == []
    assert refused(log, "ben", CastVote(statement_id=added.statement_id, value=1)) == "statement_withdrawn"
    assert refused(log, "ben", CastVote(statement_id="none", value=1)) == "no_such_statement"


# -- closing


def test_sentences_are_marked_and_what_is_missing_needs_words() -> None:
    log = Log().start(2)
    assert refused(log, "ann", MarkSummary(summary_id="sum", sentence=0, verdict="right")) == "summary_changed"
    log.add(SummaryProposed(summary_id="sum", sentences=(Sentence(text="x"),), method="m"))
    log.do("ann", MarkSummary(summary_id="sum", sentence=0, verdict="right"))
    log.do("ann", MarkSummary(summary_id="sum", verdict="missing", text="The costs."))
    assert refused(log, "ann", MarkSummary(summary_id="sum", sentence=1, verdict="wrong")) == "no_such_sentence"
    assert refused(log, "ann", MarkSummary(summary_id="sum", verdict="right")) == "no_such_sentence"
    assert refused(log, "ann", MarkSummary(summary_id="sum", verdict="missing")) == "text_missing"


@pytest.mark.parametrize("answers", [{"keen": 0}, {"keen": 6}, {"other": 1}])
def test_poll_answers_must_fit_their_scale(answers: dict[str, int]) -> None:
    assert refused(Log(), "ann", AnswerPoll(poll="closing", answers=answers)) == "bad_answer"


def test_the_opening_poll_is_over_once_people_talk() -> None:
    assert refused(Log(), "ann", AnswerPoll(poll="opening", answers={"keen": 3})) == "poll_over"


def test_leaving_with_erasure_withdraws_consent_even_afterwards() -> None:
    log = Log().start()
    assert kinds(log.do("ann", Leave(erase=True))) == ["consent.withdrawn", "member.left"]
    assert log.do("ben", Leave()) and log.do("ben", Leave()) == []
    assert kinds(log.do("ben", Leave(erase=True)))[0] == "consent.withdrawn"
    assert not any(log.state.members["ann"].consent.values())


# -- cards, safety, help


def test_a_private_card_is_answered_by_its_addressee_only() -> None:
    log = Log().start().add(InterventionMade(intervention_id="i", rule="invite", text="Ann?", to=("ann",)))
    assert refused(log, "ben", AnswerIntervention(intervention_id="i", answer="helpful")) == "no_such_card"
    log.do("ann", AnswerIntervention(intervention_id="i", answer="declined"))
    assert log.do("ann", AnswerIntervention(intervention_id="i", answer="declined")) == []


@pytest.mark.parametrize(
    ("verdicts", "outcome"),
    [
        (("fine", "fine"), "fine"),
        (("hide", "hide"), "hide"),
        (("remove", "remove"), "remove"),
        (("remove", "hide", "fine"), "warn"),
        (("remove", "fine", "fine"), "fine"),
        (("hide", "warn", "fine"), "warn"),
    ],
)
def test_a_majority_of_those_asked_decides_else_the_mildest_measure(verdicts: tuple[Any, ...], outcome: str) -> None:
    people = ["ann", "ben", "cat", "dan"][: max(3, len(verdicts) + 1)]
    log = Log(people=people).start()
    said, asked = log.utter("ann", "rude"), tuple(people[1 : len(verdicts) + 1])
    log.add(SafetyAsked(case_id="c", participant_id="ann", subject_id=said, asked=asked, why="insult"))
    for person, verdict in zip(asked, verdicts, strict=True):
        if log.state.safety["c"].verdict is None:
            log.do(person, AnswerSafety(case_id="c", verdict=verdict))
    assert log.state.safety["c"].verdict == outcome
    assert (log.state.members["ann"].presence == "left") is (outcome == "remove")


def test_only_those_asked_answer_a_safety_question_and_a_human_overrules() -> None:
    log = Log().start()
    said = log.utter("ann", "rude")
    log.add(SafetyAsked(case_id="c", participant_id="ann", subject_id=said, asked=("ben",), why="insult"))
    assert refused(log, "cat", AnswerSafety(case_id="c", verdict="fine")) == "no_such_case"
    log.do("ben", AnswerSafety(case_id="c", verdict="hide"))
    assert refused(log, "ben", AnswerSafety(case_id="c", verdict="fine")) == "case_decided"
    log.host(DecideSafety(case_id="c", verdict="fine"))
    assert not log.state.utterances[said].hidden


def test_one_person_alone_removes_nobody_but_a_human_is_called() -> None:
    log = Log().start()
    said = log.utter("ann", "rude")
    log.add(SafetyAsked(case_id="c", participant_id="ann", subject_id=said, asked=("ben",), why="insult"))
    log.do("ben", AnswerSafety(case_id="c", verdict="remove"))
    assert log.state.safety["c"].verdict == "hide" and log.state.members["ann"].present
    assert log.state.utterances[said].hidden and log.state.help is not None


def test_one_call_for_help_at_a_time() -> None:
    log = Log().start()
    assert kinds(log.do("ann", CallHelp())) == ["help.called"] and log.do("ben", CallHelp()) == []
    assert kinds(log.host(AnswerHelp())) == ["help.answered"] and log.host(AnswerHelp()) == []


def test_what_a_host_does_to_people_must_name_people_of_the_room() -> None:
    log = Log().start()
    assert refused(log, "host", RemoveMember(participant_id="zoe"), "facilitator") == "no_such_member"
    assert refused(log, "host", SendMessage(text="hi", to=("zoe",)), "facilitator") == "no_such_member"
    log.host(RemoveMember(participant_id="ann"))
    assert refused(log, "host", RemoveMember(participant_id="ann"), "facilitator") == "no_such_member"
    (message,) = log.host(SendMessage(text="hi", to=("ben",)))
    assert (message.by, message.to) == ("facilitator", ("ben",))


def test_listening_in_is_announced_once_a_change() -> None:
    log = Log().start()
    changes = [log.host(Listen(state=state)) for state in ("listening", "listening", "speaking", "gone", "gone")]
    assert [len(change) for change in changes] == [1, 0, 1, 1, 0]


@pytest.mark.parametrize(
    ("cls", "fields"),
    [
        (PostChat, {"text": "   "}),
        (PostChat, {"text": "x" * 1001}),
        (AddStatement, {"text": "x" * 281}),
        (CastVote, {"statement_id": "s", "value": 2}),
        (CastVote, {"statement_id": "", "value": 1}),
        (WithdrawConsent, {"items": ()}),
        (WithdrawConsent, {"items": ("take_part",)}),
        (RaiseHand, {"loud": True}),
    ],
)
def test_malformed_commands_are_not_commands(cls: Any, fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        cls(**fields)


def test_every_refusal_has_its_place_in_the_error_tree() -> None:
    statuses = {InvalidInput: 400, NotAllowed: 403, NotFound: 404, Conflict: 409, TooMany: 429}
    assert {cls.status for cls in statuses} == set(statuses.values())


# -- whatever people do


PEOPLE = ("ann", "ben", "cat", "dan")
TEXT = st.sampled_from(["Elm Street", "trams are loud", "trams cost money", "I like trams"])
WHO = st.sampled_from(PEOPLE)
IDS = st.integers(1, 12).map(lambda n: f"id{n}")
VERDICT = st.sampled_from(["fine", "hide", "warn", "remove"])

COMMANDS = st.one_of(
    st.builds(RaiseHand, short=st.booleans()),
    st.just(LowerHand()),
    st.just(EndTurn()),
    st.builds(Ready, ready=st.booleans()),
    st.just(MoreTime()),
    st.builds(AddStatement, text=TEXT),
    st.builds(WithdrawStatement, statement_id=IDS),
    st.builds(CastVote, statement_id=IDS, value=st.sampled_from([-1, 0, 1])),
    st.builds(CastVote, statement_id=IDS, value=st.sampled_from([-1, 0, 1])),
    st.builds(StrikeUtterance, utterance_id=IDS),
    st.builds(CorrectUtterance, utterance_id=IDS, text=TEXT),
    st.builds(PostChat, text=TEXT),
    st.builds(StrikeChat, message_id=IDS),
    st.builds(FileReport, text=TEXT),
    st.just(CallHelp()),
    st.builds(AnswerPoll, poll=st.just("closing"), answers=st.fixed_dictionaries({"keen": st.integers(1, 5)})),
    st.builds(AnswerSafety, case_id=IDS, verdict=VERDICT),
    st.builds(MarkSummary, summary_id=st.just("sum"), sentence=st.integers(0, 1), verdict=st.just("wrong")),
    st.builds(WithdrawConsent, items=st.just(("record",))),
    st.builds(Leave, erase=st.booleans()),
)
HOSTED = st.one_of(
    st.just(NextStage()),
    st.builds(RemoveMember, participant_id=WHO),
    st.builds(SendMessage, text=TEXT, to=st.none() | WHO.map(lambda who: (who,))),
    st.builds(PauseFacilitation, paused=st.booleans()),
    st.builds(WithdrawStatement, statement_id=IDS),
    st.builds(DecideSafety, case_id=IDS, verdict=VERDICT),
)
STEPS = st.one_of(
    st.tuples(st.just("do"), WHO, COMMANDS),
    st.tuples(st.just("do"), WHO, COMMANDS),
    st.tuples(st.just("host"), st.just("host"), HOSTED),
    st.tuples(st.just("tick"), st.just(""), st.floats(0.1, 90)),
    st.tuples(st.sampled_from(["away", "back", "speak", "hush"]), WHO, st.just(None)),
    st.tuples(st.just("utter"), WHO, TEXT),
    st.tuples(st.sampled_from(["case", "summary", "draft"]), WHO, IDS),
)


def play(steps: list[tuple[str, str, Any]]) -> Log:
    """Do what the steps say as far as it is allowed; everything else must be refused without a trace."""
    log = Log(people=PEOPLE)
    log.tick(0)
    for what, who, detail in steps:
        log.wait(0.5)
        state = log.state
        try:
            match what:
                case "do":
                    log.do(who, detail)
                case "host":
                    log.host(detail)
                case "tick":
                    log.tick(detail)
                case _ if not state.open:
                    pass
                case "away" if state.members[who].present:
                    log.add(MemberAway(participant_id=who))
                case "back" if state.members[who].presence == "away":
                    log.add(MemberReturned(participant_id=who))
                case "speak" if who not in state.speaking and state.members[who].present:
                    log.add(SpeechStarted(participant_id=who, started_at=log.now))
                case "hush" if who in state.speaking:
                    log.add(SpeechEnded(participant_id=who, started_at=state.speaking[who], ended_at=log.now))
                case "utter":
                    log.utter(who, detail)
                case "case":
                    asked = tuple(p for p in PEOPLE if p != who)
                    log.add(SafetyAsked(case_id=detail, participant_id=who, subject_id=detail, asked=asked, why="w"))
                case "summary":
                    sentences = (Sentence(text="x", utterances=(detail,)), Sentence(text="y"))
                    log.add(SummaryProposed(summary_id="sum", sentences=sentences, method="m"))
                case "draft":
                    log.add(
                        StatementAdded(statement_id=detail, participant_id=None, text=f"Draft {detail}.", origin="ai")
                    )
        except ParleyError:
            assert log.state is state
    return log


@settings(max_examples=120, deadline=None)
@given(st.lists(STEPS, max_size=60))
def test_whatever_people_do_the_invariants_hold(steps: list[tuple[str, str, Any]]) -> None:
    log = play(steps)
    state = log.state
    assert [event.seq for event in log.events] == list(range(1, state.seq + 1))
    assert fold_all(log.events) == state
    queued = [hand.participant_id for hand in state.queue]
    assert len(set(queued)) == len(queued) and set(queued) <= state.voters
    assert state.ready <= state.voters and state.more_time <= state.voters
    assert state.turn is None or (state.open and state.members[state.turn.participant_id].present)
    assert len({member.seat for member in state.members.values()}) == len(PEOPLE)
    spans = [(s.participant_id, s.started_at) for s in state.speech]
    assert len(set(spans)) == len(spans)
    assert {s.participant_id for s in state.speech if s.ended_at is None} == set(state.speaking)


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=60))
def test_votes_come_from_people_seated_at_the_time_on_statements_open_at_the_time(steps: list[Any]) -> None:
    log = play(steps)
    for index, event in enumerate(log.events):
        if event.kind == "vote.cast":
            then = fold_all(log.events[:index])
            statement = then.statements[event.payload.statement_id]
            assert event.payload.participant_id in then.voters
            assert then.stage is not None and statement.stage_id == then.stage.stage_id and not statement.withdrawn


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=60), st.integers(1, 60))
def test_a_page_kept_by_patches_sees_what_a_page_sees_that_loads_anew(steps: list[Any], cut: int) -> None:
    log = play(steps)
    early, late = fold_all(log.events[:cut]), log.state
    for role, who in (("participant", "ann"), ("facilitator", None)):
        old = room_view(early, role, who).model_dump(mode="json")
        new = room_view(late, role, who)
        held = apply_patch(apply_patch({}, old), merge_patch(old, new.model_dump(mode="json")))
        assert read_view(held) == new


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=60), WHO)
def test_erasing_a_person_leaves_none_of_their_words(steps: list[Any], who: str) -> None:
    log = play(steps)
    erased = list(erase(log.events, owner=who))
    assert [event.seq for event in erased] == [event.seq for event in log.events]
    theirs = [event for event in erased if event.payload.owner == who]
    assert all(getattr(event.payload, name) is None for event in theirs for name in event.payload.personal_fields())
    state = fold_all(erased)
    mine = [
        *(u for u in state.utterances.values() if u.participant_id == who),
        *(c for c in state.chat.values() if c.participant_id == who),
        *(s for s in state.statements.values() if s.participant_id == who),
        *(r for r in state.reports if r.participant_id == who),
    ]
    assert all(thing.text == "" for thing in mine)
    assert who.title() not in flat([m.name for m in state.members.values()])


def test_decide_never_changes_what_it_is_given() -> None:
    log = Log().start()
    before = log.state
    decide(log.state, Actor("ann", "participant"), PostChat(text="hi"), log.now, log.new_id)
    assert log.state is before and log.state.chat == {}


def test_a_removed_member_may_not_come_back_by_commands() -> None:
    log = Log().start().add(MemberLeft(participant_id="ann", reason="removed"))
    assert refused(log, "ann", Ready()) == "left_room"
