from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberation.commands import (
    AddStatement,
    AnswerIntervention,
    CallHelp,
    CastVote,
    FileReport,
    MarkSummary,
    PostChat,
    RaiseHand,
)
from deliberation.events import (
    AI,
    InterventionMade,
    MemberLeft,
    MemberReturned,
    SafetyAsked,
    SafetyDecided,
    Sentence,
    SummaryProposed,
)
from deliberation.view import merge_patch, room_view, visible_event
from simulation.client import apply_patch, read_view
from tests.deliberation.rooms import Log, flat


def voting() -> Log:
    log = Log().start(1)
    (added,) = log.do("ann", AddStatement(text="Build it."))
    log.do("ann", CastVote(statement_id=added.statement_id, value=1))
    log.do("ben", CastVote(statement_id=added.statement_id, value=-1))
    return log


def test_votes_are_seen_as_tallies_beside_ones_own() -> None:
    log = voting()
    for who, mine, vote in (("ann", True, 1), ("ben", False, -1), ("cat", False, None)):
        (statement,) = room_view(log.state, "participant", who).statements.values()
        assert (statement.agree, statement.disagree, statement.passed) == (1, 1, 0)
        assert (statement.mine, statement.my_vote, statement.open) == (mine, vote, True)
    log.start(2)
    (statement,) = room_view(log.state, "participant", "ann").statements.values()
    assert not statement.open


def test_who_was_removed_hears_and_reads_no_more_of_the_room_until_they_are_let_in_again() -> None:
    log = Log().start()
    log.do("ann", PostChat(text="Before."))
    log.wait(1).add(MemberLeft(participant_id="cat", reason="removed"))
    log.wait(1).do("ann", PostChat(text="After."))
    assert [m.text for m in room_view(log.state, "participant", "cat").chat.values()] == ["Before."]
    assert len(room_view(log.state, "participant", "ben").chat) == 2
    last = log.events[-1]
    assert visible_event(last, log.state, "participant", "cat") is None
    assert visible_event(last, log.state, "participant", "ben") is not None
    log.add(MemberReturned(participant_id="cat"))
    assert len(room_view(log.state, "participant", "cat").chat) == 2


def test_a_private_card_reaches_its_addressees_and_facilitators() -> None:
    log = (
        Log()
        .start()
        .add(
            InterventionMade(intervention_id="all", rule="welcome", text="Hello"),
            InterventionMade(intervention_id="one", rule="invite", text="Ann?", to=("ann",)),
        )
    )
    log.do("ann", AnswerIntervention(intervention_id="one", answer="helpful"))
    seen = {who: set(room_view(log.state, "participant", who).cards) for who in ("ann", "ben")}
    assert seen == {"ann": {"all", "one"}, "ben": {"all"}}
    host = room_view(log.state, "facilitator").cards["one"]
    assert (host.private, host.helpful, host.my_answer) == (True, 1, None)


def test_reports_and_calls_for_help_reach_facilitators_and_the_caller_only() -> None:
    log = Log().start()
    log.do("ann", FileReport(text="Ben is rude.")), log.do("ann", CallHelp())
    host, ann, ben = (
        room_view(log.state, *viewer) for viewer in (("facilitator",), ("participant", "ann"), ("participant", "ben"))
    )
    assert [r.text for r in host.reports] == ["Ben is rude."] and host.help is not None
    assert ann.reports == () and ann.help is not None
    assert ben.reports == () and ben.help is None
    assert "rude" not in flat(ben.model_dump())


@pytest.mark.parametrize(
    ("mode", "name"), [("named", "Ann"), ("pseudonym", "Participant 1"), ("chatham-house", "Participant 1")]
)
def test_monitors_see_names_as_the_privacy_mode_allows_and_members_see_each_other(mode: str, name: str) -> None:
    log = Log(privacy={"mode": mode}).start()
    assert room_view(log.state, "facilitator").members["ann"].name == name
    assert room_view(log.state, "participant", "ben").members["ann"].name == "Ann"
    assert ("Ann" in flat(room_view(log.state, "facilitator").model_dump())) is (mode == "named")


def test_hidden_words_are_seen_by_facilitators_only() -> None:
    log = Log().start()
    said = log.utter("ann", "rude words")
    log.add(SafetyAsked(case_id="c", participant_id="ann", subject_id=said, asked=("ben",), why="w"))
    log.add(SafetyDecided(case_id="c", verdict="hide", by="group"))
    assert room_view(log.state, "participant", "cat").utterances[said].text == ""
    assert room_view(log.state, "facilitator").utterances[said].text == "rude words"
    assert set(room_view(log.state, "participant", "ben").safety) == {"c"}
    assert room_view(log.state, "participant", "ann").safety == {}


def test_the_floor_the_queue_and_the_shares_are_in_view() -> None:
    log = Log().start().speak("ann", 30).speak("ben", 10)
    log.do("ben", RaiseHand()), log.tick(0)
    log.do("ann", RaiseHand())
    view = room_view(log.state, "participant", "cat")
    assert view.turn is not None and view.turn.participant_id == "ben"
    assert [hand.participant_id for hand in view.queue] == ["ann"]
    assert {m.participant_id: m.share for m in view.members.values()} == {"ann": 0.75, "ben": 0.25, "cat": 0.0}
    assert view.stage is not None and view.stage.needed == 2
    assert [stage.progress for stage in view.agenda] == ["now", "next", "next"]


def test_marks_are_counted_and_only_ones_own_is_named() -> None:
    log = (
        Log()
        .start(2)
        .add(SummaryProposed(summary_id="s", sentences=(Sentence(text="x"), Sentence(text="y")), method="m"))
    )
    log.do("ann", MarkSummary(summary_id="s", sentence=0, verdict="right"))
    log.do("ben", MarkSummary(summary_id="s", sentence=0, verdict="wrong"))
    log.do("ben", MarkSummary(summary_id="s", verdict="missing", text="The costs."))
    summary = room_view(log.state, "participant", "ann").summary
    assert summary is not None and summary.missing == ("The costs.",)
    assert [(s.right, s.wrong, s.my_mark) for s in summary.sentences] == [(1, 1, "right"), (0, 0, None)]


def test_a_view_from_outside_the_room_has_no_me() -> None:
    me = room_view(Log().start().state, "facilitator").me
    assert (me.role, me.participant_id, me.seat, me.consent) == ("facilitator", None, None, {})


# -- events on the wire follow the same rules


def sent(log: Log, kind: str, role: Any, who: str | None = None) -> list[dict[str, Any]]:
    events = [event for event in log.events if event.kind == kind]
    return [data for event in events if (data := visible_event(event, log.state, role, who)) is not None]


def test_other_peoples_votes_and_consent_are_not_sent() -> None:
    log = voting()
    assert [e["payload"]["participant_id"] for e in sent(log, "vote.cast", "participant", "ann")] == ["ann"]
    assert sent(log, "vote.cast", "facilitator") == []
    assert [e["payload"]["participant_id"] for e in sent(log, "consent.given", "participant", "cat")] == ["cat"]


def test_the_author_of_a_statement_is_told_by_neither_payload_nor_envelope() -> None:
    (event,) = sent(voting(), "statement.added", "participant", "ben")
    assert "ann" not in flat(event)


def test_private_events_reach_whom_they_concern() -> None:
    log = Log().start()
    log.add(InterventionMade(intervention_id="one", rule="invite", text="Ann?", to=("ann",)), actor=AI)
    log.do("ann", FileReport(text="Ben is rude."))
    for kind in ("intervention.made", "report.filed"):
        assert len(sent(log, kind, "participant", "ann")) == 1
        assert len(sent(log, kind, "facilitator")) == 1
        assert sent(log, kind, "participant", "ben") == []


@pytest.mark.parametrize(("mode", "named"), [("named", True), ("pseudonym", False)])
def test_names_in_events_follow_the_privacy_mode(mode: str, named: bool) -> None:
    log = Log(privacy={"mode": mode})
    (first, *_) = sent(log, "member.joined", "facilitator")
    assert (first["payload"]["name"] == "Ann") is named
    assert "segments" not in first["payload"]
    assert sent(log, "member.joined", "participant", "ben")[0]["payload"]["name"] == "Ann"


# -- merge patch


JSON = st.recursive(
    st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "x", "y"]),
    lambda inner: st.lists(inner | st.none(), max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=4),
    max_leaves=12,
)
OBJECT = st.dictionaries(st.sampled_from("abcd"), JSON, max_size=4)


@given(OBJECT, OBJECT)
def test_a_patch_turns_the_old_into_the_new_and_is_empty_when_nothing_changed(before: Any, after: Any) -> None:
    assert apply_patch(before, merge_patch(before, after)) == after
    assert merge_patch(after, after) == {}


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_patches_apply_as_in_the_appendix_of_rfc_7396(target: Any, patch: Any, result: Any) -> None:
    assert apply_patch(target, patch) == result


def test_a_view_survives_the_nulls_that_patches_cannot_carry() -> None:
    log = voting().add(MemberLeft(participant_id="cat", reason="left"))
    view = room_view(log.state, "participant", "ben")
    assert read_view(apply_patch({}, view.model_dump(mode="json"))) == view
