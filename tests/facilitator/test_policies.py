"""Each rule at each edge of its thresholds: state in, act or silence out."""

from __future__ import annotations

from typing import Any

import pytest

from deliberation.events import (
    HandRaised,
    HelpAnswered,
    InterventionAnswered,
    InterventionMade,
    MemberAway,
    MemberJoined,
    MemberReturned,
    ReportFiled,
    SafetyDecided,
    StageExtended,
    StatementAdded,
    TurnStarted,
    UtteranceStruck,
    VoteCast,
)
from facilitator.moves import AskOthers, CallHuman, Say
from facilitator.policies import (
    absence,
    all_voted,
    budget,
    ease_dominant,
    invite_quiet,
    raised_hand,
    safety,
    silence,
    stage_card,
    time_left,
    welcome,
)
from tests.facilitator.rooms import START, Room, design


def said(move: Any) -> str | None:
    return move.rule if move else None


def made(rule: str, about: str | None = None, to: tuple[str, ...] | None = None, **more: Any) -> InterventionMade:
    return InterventionMade(intervention_id=f"i-{rule}-{about}", rule=rule, text="…", about=about, to=to, **more)


# -- welcome and stages


def test_the_room_is_welcomed_once_and_a_latecomer_privately() -> None:
    room = Room()
    assert said(welcome.decide(room.state, START)) == "welcome"
    room.add(0, made("welcome"))
    assert welcome.decide(room.state, START + 1) is None
    room.add(60, MemberJoined(participant_id="p9", seat=9, name="Ida"))
    late = welcome.decide(room.state, START + 61)
    assert late is not None and (late.rule, late.to) == ("late.welcome", ("p9",))
    room.add(61, made("late.welcome", "p9", ("p9",)))
    assert welcome.decide(room.state, START + 62) is None


def test_nothing_is_said_before_the_first_stage() -> None:
    assert welcome.decide(Room(stage=None).state, START) is None


def test_each_stage_is_explained_once() -> None:
    room = Room()
    assert said(stage_card.decide(room.state, START)) == "stage.discussion"
    room.add(0, made("stage.discussion"))
    assert stage_card.decide(room.state, START + 1) is None
    room.start(1, 100)
    assert said(stage_card.decide(room.state, START + 100)) == "stage.statements"


@pytest.mark.parametrize(
    ("minutes", "seconds", "rule"),
    [
        (30, 899, None),
        (30, 900, "time.half"),
        (30, 1679, "time.half"),
        (30, 1680, "time.final"),
        (30, 1800, "time.over"),
        (5, 150, None),  # half of five minutes is too near the final two to be news
        (5, 179, None),
        (5, 180, "time.final"),
        (3, 100, None),  # shorter than twice the final minutes
        (3, 180, "time.over"),
    ],
)
def test_time_remarks(minutes: float, seconds: float, rule: str | None) -> None:
    plan = design(stages=[{"id": "talk", "title": "Talk", "minutes": minutes}])
    assert said(time_left.decide(Room(plan=plan).state, START + seconds)) == rule


def test_a_time_remark_comes_once_and_again_after_more_time_was_given() -> None:
    room = Room(plan=design(stages=[{"id": "talk", "title": "Talk", "minutes": 5}]))
    room.add(180, made("time.final", numbers={"ends_at": START + 300}))
    assert time_left.decide(room.state, START + 200) is None
    room.add(200, StageExtended(stage_id="talk", seconds=120, ends_at=START + 420, why="group"))
    assert time_left.decide(room.state, START + 299) is None
    assert said(time_left.decide(room.state, START + 300)) == "time.final"


# -- inviting the quiet


def lively(quiet: float = 0.0, people: int = 4, until: float = 300.0) -> Room:
    """Everybody but the last speaks for 80 s in turns of 20 s; the last for `quiet` seconds."""
    room = Room(people)
    at = 0.0
    for _ in range(4):
        for seat in range(1, people):
            room.speak(f"p{seat}", at, at + 20)
            at += 20
    if quiet:
        room.speak(f"p{people}", at, at + quiet)
    assert at + quiet <= until
    return room


@pytest.mark.parametrize(
    ("quiet", "seconds", "rule"),
    [
        (0, 179, None),  # too early
        (0, 300, "invite.private"),  # (0+60) / (80+60) = 0.43 of the median
        (9, 300, "invite.private"),  # 69 / 140 = 0.493
        (10, 300, None),  # 70 / 140: half the median is not under it
        (40, 300, None),
    ],
)
def test_who_is_under_half_the_median_share_is_invited_privately(
    quiet: float, seconds: float, rule: str | None
) -> None:
    move = invite_quiet.decide(lively(quiet).state, START + seconds)
    assert said(move) == rule
    if move:
        assert (move.to, move.about, move.actions) == (("p4",), "p4", ("speak", "decline"))
        assert move.numbers["share"] < move.numbers["limit"]


@pytest.mark.parametrize(("waited", "rule"), [(119, None), (120, "invite.public")])
def test_the_public_invitation_follows_two_minutes_after_the_private_one(waited: float, rule: str | None) -> None:
    room = lively()
    room.add(300, made("invite.private", "p4", ("p4",)))
    move = invite_quiet.decide(room.state, START + 300 + waited)
    assert said(move) == rule
    if move:
        assert move.to is None and "decline" in move.actions


@pytest.mark.parametrize("answer", ["declined", "not_helpful"])
def test_nobody_is_invited_again_who_declined(answer: Any) -> None:
    room = lively()
    room.add(300, made("invite.private", "p4", ("p4",)))
    room.add(310, InterventionAnswered(intervention_id="i-invite.private-p4", participant_id="p4", answer=answer))
    assert invite_quiet.decide(room.state, START + 600) is None
    room.add(700, made("stage.discussion"))
    room.start(0, 700)
    assert invite_quiet.decide(room.state, START + 1200) is None


@pytest.mark.parametrize(("waited", "rule"), [(179, None), (180, "invite.private")])
def test_after_a_public_invitation_the_next_is_private_again_and_three_minutes_later(
    waited: float, rule: str | None
) -> None:
    room = lively()
    room.add(300, made("invite.private", "p4", ("p4",)))
    room.add(430, made("invite.public", "p4"))
    assert said(invite_quiet.decide(room.state, START + 430 + waited)) == rule


def test_who_has_a_hand_up_speaks_or_has_the_turn_is_not_invited() -> None:
    hand, speaking, turn, gone = lively(), lively(), lively(), lively()
    hand.add(299, HandRaised(participant_id="p4"))
    speaking.begin("p4", 299)
    turn.add(299, TurnStarted(participant_id="p4", ends_at=START + 340))
    gone.add(299, MemberAway(participant_id="p4"))
    for room in (hand, speaking, turn, gone):
        assert invite_quiet.decide(room.state, START + 300) is None


def test_nobody_is_invited_while_the_group_votes() -> None:
    room = lively()
    room.start(1, 300)
    assert invite_quiet.decide(room.state, START + 400) is None


def test_a_latecomer_has_three_minutes_before_being_invited() -> None:
    room = lively()
    room.add(300, MemberJoined(participant_id="p9", seat=9, name="Ida"))
    room.speak("p4", 300, 380)
    assert invite_quiet.decide(room.state, START + 479) is None
    assert said(invite_quiet.decide(room.state, START + 480)) == "invite.private"


# -- easing


def talkative(seconds: float, people: int = 4) -> Room:
    """The first holds the floor for `seconds` of the first five minutes, still talking at 300; the others share the rest."""
    room = Room(people)
    rest = (300 - seconds) / (people - 1)
    for seat in range(2, people + 1):
        room.speak(f"p{seat}", (seat - 2) * rest, (seat - 1) * rest)
    room.begin("p1", 300 - seconds)
    return room


@pytest.mark.parametrize(
    ("seconds", "rule"),
    [
        (156, None),  # (156+60) / (300+240) = 0.4 = 1.6 × 1/4: not more than it
        (157, "ease.share"),
        (250, "ease.share"),
    ],
)
def test_who_holds_more_than_1_6_even_shares_is_eased(seconds: float, rule: str | None) -> None:
    move = ease_dominant.decide(talkative(seconds).state, START + 300)
    assert said(move) == rule
    if move:
        assert (move.to, move.about) == (("p1",), "p1")


def test_easing_waits_for_a_whole_window_and_for_the_one_to_speak() -> None:
    room = talkative(250)
    assert ease_dominant.decide(room.state, START + 299) is None
    quiet = talkative(156)
    quiet.speak("p1", 144, 300)
    quiet.speak("p2", 301, 303)
    assert ease_dominant.decide(quiet.state, START + 303.5) is None


@pytest.mark.parametrize(("waited", "rule"), [(299, None), (300, "ease.share")])
def test_nobody_is_eased_again_at_once(waited: float, rule: str | None) -> None:
    room = talkative(250)
    room.add(300, made("ease.share", "p1", ("p1",)))
    assert said(ease_dominant.decide(room.state, START + 300 + waited)) == rule


@pytest.mark.parametrize(("protected", "rule"), [(29, None), (30, "ease.share")])
def test_nobody_is_eased_in_the_first_half_minute_of_a_turn(protected: float, rule: str | None) -> None:
    room = talkative(250)
    room.add(310, TurnStarted(participant_id="p1", ends_at=START + 355))
    assert said(ease_dominant.decide(room.state, START + 310 + protected)) == rule


@pytest.mark.parametrize(
    ("talked", "waiting", "rule"),
    [(119, True, None), (120, True, "ease.monologue"), (200, False, None)],
)
def test_two_minutes_without_a_pause_while_others_wait(talked: float, waiting: bool, rule: str | None) -> None:
    room = Room()
    room.begin("p1", 0)
    if waiting:
        room.add(10, HandRaised(participant_id="p2"))
    assert said(ease_dominant.decide(room.state, START + talked)) == rule


@pytest.mark.parametrize(("pause", "rule"), [(2, "ease.monologue"), (2.1, None)])
def test_a_breath_is_no_pause(pause: float, rule: str | None) -> None:
    room = Room()
    room.add(0, HandRaised(participant_id="p2"))
    room.speak("p1", 0, 100)
    room.begin("p1", 100 + pause)
    assert said(ease_dominant.decide(room.state, START + 130)) == rule


def test_waiting_people_who_are_away_do_not_count() -> None:
    room = Room()
    room.begin("p1", 0)
    room.add(10, HandRaised(participant_id="p2"), MemberAway(participant_id="p2"))
    assert ease_dominant.decide(room.state, START + 150) is None


# -- silence


@pytest.mark.parametrize(
    ("seconds", "rule"),
    [(111, None), (112, "silence.ask"), (144, "silence.ask"), (145, "silence.move_on")],
)
def test_silence_after_talk(seconds: float, rule: str | None) -> None:
    room = Room()
    room.speak("p1", 0, 100)
    assert said(silence.decide(room.state, START + seconds)) == rule


def test_one_question_and_one_offer_for_each_silence() -> None:
    room = Room()
    room.speak("p1", 0, 100)
    room.add(112, made("silence.ask"))
    assert silence.decide(room.state, START + 140) is None
    assert said(silence.decide(room.state, START + 145)) == "silence.move_on"
    room.add(145, made("silence.move_on"))
    assert silence.decide(room.state, START + 400) is None
    room.speak("p2", 400, 410)
    assert said(silence.decide(room.state, START + 422)) == "silence.ask"


def test_writing_speaking_and_a_running_turn_are_no_silence() -> None:
    writing, speaking, turn = Room(), Room(), Room()
    writing.write("p1", 100, "hello")
    speaking.begin("p1", 0)
    turn.add(100, TurnStarted(participant_id="p2", ends_at=START + 145))
    for room in (writing, speaking, turn):
        assert silence.decide(room.state, START + 111) is None


def test_nobody_is_urged_on_in_a_young_stage_or_while_voting() -> None:
    plan = design(facilitation={"silence": {"ask_seconds": 5, "move_on_seconds": 20}})
    room = Room(plan=plan)
    assert said(silence.decide(room.state, START + 29)) == "silence.ask"
    assert said(silence.decide(room.state, START + 30)) == "silence.move_on"
    room.start(1, 100)
    assert silence.decide(room.state, START + 160) is None


# -- voting, hands


def test_when_every_vote_is_cast_the_group_may_move_on() -> None:
    room = Room(2, stage=1)
    room.add(1, StatementAdded(statement_id="s1", participant_id=None, text="Yes.", origin="seed"))
    room.add(2, VoteCast(statement_id="s1", participant_id="p1", value=1))
    assert all_voted.decide(room.state, START + 60) is None
    room.add(3, VoteCast(statement_id="s1", participant_id="p2", value=0))
    assert all_voted.decide(room.state, START + 29) is None
    assert said(all_voted.decide(room.state, START + 30)) == "voted"
    room.add(30, made("voted"))
    assert all_voted.decide(room.state, START + 60) is None


@pytest.mark.parametrize(("timed", "waited", "rule"), [(False, 29, None), (False, 30, "hand"), (True, 60, None)])
def test_a_hand_is_named_where_no_timer_calls_the_queue(timed: bool, waited: float, rule: str | None) -> None:
    plan = design(facilitation={"turns": {"seconds": 45 if timed else None}})
    room = Room(plan=plan)
    room.begin("p1", 0)
    room.add(100, HandRaised(participant_id="p2"))
    move = raised_hand.decide(room.state, START + 100 + waited)
    assert said(move) == rule
    if move:
        room.add(130, made("hand", "p2"))
        assert raised_hand.decide(room.state, START + 200) is None


# -- absence


@pytest.mark.parametrize(("unseen", "rule"), [(59.9, None), (60, "absence")])
def test_are_you_there_after_a_minute_without_a_sign(unseen: float, rule: str | None) -> None:
    room = Room()
    now = START + 500
    move = absence.ask_present(room.state, now, {"p1": now, "p2": now - unseen, "p3": now})
    assert said(move) == rule
    if move:
        assert (move.to, move.actions) == (("p2",), ("here",))


def test_are_you_there_is_asked_once_for_each_absence() -> None:
    room = Room()
    room.add(500, made("absence", "p2", ("p2",)))
    assert absence.ask_present(room.state, START + 510, {"p2": START + 440}) is None
    assert said(absence.ask_present(room.state, START + 700, {"p2": START + 600})) == "absence"


@pytest.mark.parametrize(
    ("away", "waited", "rule"),
    [(2, 30, None), (3, 14, None), (3, 15, "small_group")],
)
def test_a_group_under_its_minimum_is_offered_a_way_out(away: int, waited: float, rule: str | None) -> None:
    room = Room(4)
    for seat in range(1, away + 1):
        room.add(100, MemberAway(participant_id=f"p{seat}"))
    move = absence.small_group(room.state, START + 100 + waited)
    assert said(move) == rule
    if move:
        assert "call_human" in move.actions
        room.add(120, made("small_group"))
        assert absence.small_group(room.state, START + 300) is None
        room.add(310, MemberReturned(participant_id="p1"))
        room.add(320, MemberAway(participant_id="p1"))
        assert said(absence.small_group(room.state, START + 340)) == "small_group"


# -- safety


@pytest.mark.parametrize(
    ("language", "text", "asked"),
    [
        ("en", "You are stupid, everyone knows it.", True),
        ("en", "That was a stupid idea of the mayor.", False),
        ("en", "SHUT UP, please.", True),
        ("en", "They shut it up to the roof.", False),
        ("en", "A bastardised form of the law.", False),  # whole words only
        ("es", "Eres un IMBECIL.", True),  # accents folded
        ("es", "Imbéciles no hay aquí.", True),
        ("es", "Estoy en completo desacuerdo.", False),
        ("ar", "أنت غبي", True),
        ("ar", "لا أوافق على هذا", False),
    ],
)
def test_insults_ask_the_others(language: str, text: str, asked: bool) -> None:
    room = Room(3)
    room.speak("p1", 0, 5, text, language)
    moves = safety.decide(room.state, START + 6)
    alert = CallHuman(None, "a possible insult; the others are asked")
    expected = [alert, AskOthers("p1", "u1", ("p2", "p3"), "possible insult")] if asked else []
    assert moves == expected


def test_the_design_adds_words_of_its_own_and_can_switch_safety_off() -> None:
    own = Room(3, design(facilitation={"safety": {"insults": ["bean counter"]}}))
    own.speak("p1", 0, 5, "You bean counter!")
    assert [type(m) for m in safety.decide(own.state, START + 6)] == [CallHuman, AskOthers]
    off = Room(3, design(facilitation={"safety": {"enabled": False}}))
    off.speak("p1", 0, 5, "You idiot!")
    assert safety.decide(off.state, START + 6) == []


def test_a_case_is_asked_once_and_one_person_has_one_open_case() -> None:
    from facilitator.agent import payload_of

    room = Room(3)
    room.speak("p1", 0, 5, "You idiot!")
    room.add(6, *(payload_of(move, room.state, lambda: "case") for move in safety.decide(room.state, START + 6)))
    assert room.state.help is not None  # a human is alerted, and can overrule
    room.speak("p1", 7, 9, "You moron!")
    assert safety.decide(room.state, START + 10) == []
    room.add(20, SafetyDecided(case_id="case", verdict="hide", by="group"))
    assert [type(m) for m in safety.decide(room.state, START + 21)] == [AskOthers]
    assert room.state.utterances["u1"].hidden


def test_words_older_than_two_minutes_or_struck_are_left_alone() -> None:
    room = Room(3)
    room.speak("p1", 0, 5, "You idiot!")
    assert safety.decide(room.state, START + 125) != []
    assert safety.decide(room.state, START + 126) == []
    room.add(10, UtteranceStruck(utterance_id="u1", participant_id="p1"))
    assert safety.decide(room.state, START + 11) == []


@pytest.mark.parametrize(
    ("language", "text"),
    [("en", "Sometimes I want to die."), ("es", "No quiero vivir más."), ("ar", "أريد أن أموت")],
)
def test_distress_calls_a_human_first(language: str, text: str) -> None:
    room = Room(3)
    room.speak("p2", 0, 5, text, language)
    call, card = safety.decide(room.state, START + 6)
    assert call == CallHuman("p2", "words of distress were heard")
    assert isinstance(card, Say) and card.to == ("p2",) and "call_human" in card.actions


def test_distress_in_the_chat_counts_and_is_called_once_in_two_minutes() -> None:
    room = Room(3)
    room.write("p2", 0, "I want to die")
    assert len(safety.decide(room.state, START + 1)) == 2
    room.add(1, made("safety.distress", "p2", ("p2",)))
    assert safety.decide(room.state, START + 2) == []
    room.write("p2", 60, "I really want to die")
    assert safety.decide(room.state, START + 61) == []
    room.write("p2", 125, "I want to die")
    assert len(safety.decide(room.state, START + 126)) == 2


def test_a_report_alerts_a_human_and_asks_the_others_about_what_was_said() -> None:
    room = Room(4)
    room.speak("p1", 0, 5, "People from there should be silent.")
    room.add(10, ReportFiled(report_id="r1", participant_id="p2", about="u1", text="That was hurtful."))
    call, ask, card = safety.decide(room.state, START + 11)
    assert isinstance(call, CallHuman) and call.participant_id == "p2"
    assert ask == AskOthers("p1", "u1", ("p3", "p4"), "reported by a participant")
    assert isinstance(card, Say) and card.to == ("p2",)


def test_a_report_is_handled_once_even_after_the_call_was_taken() -> None:
    room = Room(4)
    room.add(10, ReportFiled(report_id="r1", participant_id="p2", about="", text="I hear nothing."))
    assert len(safety.decide(room.state, START + 11)) == 2
    room.add(11, made("safety.report", "p2", ("p2",), numbers={"report": 0.0}))
    room.add(12, HelpAnswered(by="f1"))
    assert safety.decide(room.state, START + 13) == []


# -- the budget


@pytest.mark.parametrize(("gap", "allowed"), [(29.9, False), (30, True)])
def test_thirty_seconds_between_any_two_messages(gap: float, allowed: bool) -> None:
    room = Room()
    room.add(100, made("silence.ask"))
    assert budget.allows(room.state, "ease.share", START + 100 + gap) is allowed


@pytest.mark.parametrize(("gap", "allowed"), [(89.9, False), (90, True)])
def test_ninety_seconds_between_two_of_a_kind(gap: float, allowed: bool) -> None:
    room = Room()
    room.add(100, made("ease.share", "p1", ("p1",)))
    assert budget.allows(room.state, "ease.share", START + 100 + gap) is allowed


@pytest.mark.parametrize("rule", ["welcome", "stage.discussion", "time.half", "safety.distress", "drafted.model"])
def test_interface_and_safety_use_up_no_budget(rule: str) -> None:
    room = Room()
    room.add(100, made(rule))
    assert budget.allows(room.state, "silence.ask", START + 101)


def test_a_human_facilitators_message_uses_up_no_budget() -> None:
    room = Room()
    room.add(100, made("message", by="facilitator", solicited=True))
    assert budget.allows(room.state, "silence.ask", START + 101)


def test_never_two_in_the_same_speakers_turn() -> None:
    room = Room()
    room.begin("p1", 0)
    room.add(50, made("invite.private", "p4", ("p4",)))
    assert not budget.is_open(room.state, START + 200)
    room.speak("p2", 201, 202)  # a "mhm" takes no turn
    assert not budget.is_open(room.state, START + 203)
    room.add(210, TurnStarted(participant_id="p3", ends_at=START + 255))
    assert budget.is_open(room.state, START + 211)
