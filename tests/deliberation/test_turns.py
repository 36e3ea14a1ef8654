from __future__ import annotations

import pytest

from deliberation.commands import EndTurn, LowerHand, RaiseHand
from deliberation.events import MemberAway, MemberReturned
from deliberation.turns import ordered_queue
from tests.deliberation.rooms import Log, kinds


def queue(log: Log) -> list[str]:
    return [hand.participant_id for hand in ordered_queue(log.state, log.now)]


def test_the_first_hand_gets_the_floor_at_once() -> None:
    log = Log().start()
    log.do("ben", RaiseHand())
    assert kinds(log.tick(0)) == ["turn.started"]
    assert log.state.turn is not None and log.state.turn.participant_id == "ben"
    assert log.state.turn.ends_at == log.now + 45
    assert log.state.queue == ()


def test_who_has_spoken_least_comes_first_then_who_came_first() -> None:
    log = Log(people=["ann", "ben", "cat", "dan"]).start()
    log.speak("ann", 40).speak("ben", 3).speak("cat", 8)
    log.do("dan", RaiseHand()), log.tick(0)
    for person in ("ann", "cat", "ben"):
        log.wait(1).do(person, RaiseHand())
    assert queue(log) == ["cat", "ben", "ann"]  # 8 s and 3 s are the same ten seconds


def test_somebody_away_is_passed_over_until_back() -> None:
    log = Log().start()
    log.do("cat", RaiseHand()), log.tick(0)
    log.do("ann", RaiseHand()), log.wait(1).do("ben", RaiseHand())
    log.add(MemberAway(participant_id="ann"))
    log.do("cat", EndTurn()), log.tick(0)
    assert log.state.turn is not None and log.state.turn.participant_id == "ben"
    log.add(MemberReturned(participant_id="ann"))
    log.do("ben", EndTurn()), log.tick(0)
    assert log.state.turn is not None and log.state.turn.participant_id == "ann"


def test_a_turn_is_warned_then_overtime_then_over() -> None:
    log = Log().start()
    log.do("ann", RaiseHand()), log.tick(0)
    assert [kinds(log.tick(s)) for s in (34, 1, 9, 1, 9, 1)] == [
        [],
        ["turn.warned"],
        [],
        ["turn.warned"],
        [],
        ["turn.ended"],
    ]


def test_a_short_turn_is_short_and_not_warned_beforehand() -> None:
    log = Log().start()
    log.do("ann", RaiseHand(short=True)), log.tick(0)
    assert log.tick(9) == []
    (warned,) = log.tick(1)
    assert warned.kind == "turn.warned" and warned.overtime


def test_the_first_seconds_of_a_turn_are_protected() -> None:
    log = Log().start()
    log.do("ann", RaiseHand(short=True)), log.tick(0)
    assert "turn.ended" not in kinds([p for _ in range(29) for p in log.tick(1)])  # 10 s and 10 s of grace are over
    assert kinds(log.tick(1)) == ["turn.ended"]


@pytest.mark.parametrize("mute", [True, False])
def test_only_a_design_that_says_so_mutes(mute: bool) -> None:
    log = Log(facilitation={"turns": {"mute_overtime": mute}}).start()
    log.do("ann", RaiseHand()), log.tick(0)
    log.tick(45)
    (ended,) = log.tick(10)
    assert (ended.why, ended.muted) == ("time", mute)


def test_asking_twice_is_asking_once_and_can_be_taken_back() -> None:
    log = Log().start()
    log.do("ann", RaiseHand()), log.tick(0)
    assert log.do("ann", RaiseHand()) == []  # has the floor
    log.do("ben", RaiseHand())
    assert log.do("ben", RaiseHand()) == []
    assert kinds(log.do("ben", RaiseHand(short=True))) == ["hand.raised"] and queue(log) == ["ben"]
    assert kinds(log.do("ben", LowerHand())) == ["hand.lowered"] and queue(log) == []
    assert log.do("ben", LowerHand()) == []


def test_nobody_is_called_before_the_first_stage_nor_without_a_turn_timer() -> None:
    log = Log(people=["ann"])
    log.do("ann", RaiseHand())
    assert log.tick(1) == []
    log = Log(facilitation={"turns": {"seconds": None}}).start()
    log.do("ann", RaiseHand())
    assert log.tick(1) == [] and queue(log) == ["ann"]


def test_a_turn_ends_with_its_stage() -> None:
    log = Log().start().wait(290)
    log.do("ann", RaiseHand()), log.tick(0)
    log.tick(10)
    assert log.state.stage is not None and log.state.stage.stage_id == "vote" and log.state.turn is None
