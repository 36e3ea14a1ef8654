from __future__ import annotations

import pytest

from deliberation import agenda
from deliberation.commands import CloseRoom, ExtendStage, MoreTime, NextStage, Ready
from deliberation.events import MemberAway, MemberLeft, MemberReturned, SpeechEnded, SpeechStarted, StageExtended
from tests.deliberation.rooms import START, Log, kinds


def test_the_first_stage_waits_for_the_smallest_group_but_not_for_ever() -> None:
    log = Log(people=["ann"])
    assert log.tick(59) == []
    assert kinds(log.tick(1)) == ["stage.started"]
    assert kinds(Log(people=["ann", "ben"]).tick(0)) == ["stage.started"]


def test_a_practice_room_starts_with_one() -> None:
    log = Log(people=[])
    opened = log.events[0].payload.model_copy(update={"practice": True})
    log.events, log.state = [], type(log.state)()
    log.add(opened).join("ann")
    assert kinds(log.tick(0)) == ["stage.started"]


def test_stages_follow_their_clock_to_the_end_of_the_room() -> None:
    log = Log()
    happened = [kinds(log.tick(seconds)) for seconds in (0, 299, 1, 300, 300)]
    assert happened == [
        ["stage.started"],
        [],
        ["stage.ended", "stage.started"],
        ["stage.ended", "stage.started"],
        ["stage.ended", "room.closed"],
    ]
    assert log.state.stages_ended == ("talk", "vote", "end")
    assert log.state.close_reason == "finished"
    assert log.tick(1000) == []


def test_a_stage_without_a_limit_ends_only_when_people_want() -> None:
    stages = [{"id": "talk", "title": "Talk", "minutes": None}]
    log = Log(stages=stages).start()
    assert log.tick(10_000) == []
    log.do("ann", Ready()), log.do("ben", Ready())
    assert kinds(log.tick())[0] == "stage.ended"


def test_seed_statements_are_put_to_the_vote_as_their_stage_starts() -> None:
    stages = [{"id": "vote", "title": "Vote", "kind": "statements", "seed_statements": ["Build it.", "Wait."]}]
    log = Log(stages=stages).start()
    assert [(s.text, s.origin, s.stage_id) for s in log.state.statements.values()] == [
        ("Build it.", "seed", "vote"),
        ("Wait.", "seed", "vote"),
    ]


@pytest.mark.parametrize(("ready", "age", "moves"), [(1, 100, False), (2, 100, True), (2, 20, False), (3, 30, True)])
def test_more_than_half_of_those_present_move_an_old_enough_stage_on(ready: int, age: float, moves: bool) -> None:
    log = Log().start()
    for person in ("ann", "ben", "cat")[:ready]:
        log.do(person, Ready())
    assert (kinds(log.tick(age)) == ["stage.ended", "stage.started"]) is moves


def test_only_those_present_count_for_moving_on() -> None:
    log = Log(people=["ann", "ben", "cat", "dan"]).start()
    log.do("ann", Ready()), log.do("ben", Ready())
    assert log.tick(40) == []
    log.add(MemberAway(participant_id="dan"))
    assert log.state.stage is not None and kinds(log.tick(0)) == ["stage.ended", "stage.started"]
    assert log.state.ready == frozenset()


def test_readiness_can_be_taken_back() -> None:
    log = Log().start()
    log.do("ann", Ready()), log.do("ben", Ready()), log.do("ben", Ready(ready=False))
    assert log.tick(100) == []


def test_a_majority_gets_more_time_at_most_so_often() -> None:
    log = Log().start()
    for _ in range(2):
        log.do("ann", MoreTime()), log.do("cat", MoreTime())
        assert kinds(log.tick()) == ["stage.extended"]
        assert log.state.more_time == frozenset()
    assert log.state.stage is not None and log.state.stage.ends_at == START + 300 + 2 * 120
    assert not agenda.may_extend(log.state)
    log.do("ann", MoreTime()), log.do("cat", MoreTime())
    assert log.tick() == []


def test_a_facilitator_extends_and_ends_stages() -> None:
    log = Log().start()
    log.host(ExtendStage(seconds=60))
    assert log.tick(359) == [] and kinds(log.tick(1)) == ["stage.ended", "stage.started"]
    assert kinds(log.host(NextStage())) == ["stage.ended", "stage.started"]
    assert kinds(log.host(NextStage())) == ["stage.ended", "room.closed"]


def test_a_speaker_may_finish_within_the_grace() -> None:
    log = Log().start().wait(299).add(SpeechStarted(participant_id="ann", started_at=START + 299))
    assert log.tick(1) == [] and log.tick(44) == []
    assert kinds(log.tick(1)) == ["stage.ended", "stage.started"]


def test_a_stage_over_time_waits_for_who_was_speaking_then_and_for_nobody_after() -> None:
    log = Log().start().wait(299).add(SpeechStarted(participant_id="ann", started_at=START + 299)).wait(5)
    log.add(SpeechStarted(participant_id="ben", started_at=START + 304))
    assert log.tick(0) == []
    log.add(SpeechEnded(participant_id="ann", started_at=START + 299, ended_at=START + 305))
    assert kinds(log.tick(0)) == ["stage.ended", "stage.started"]


def test_an_empty_room_is_closed_after_ten_minutes() -> None:
    log = Log(people=["ann", "ben"]).start()
    log.add(MemberLeft(participant_id="ann", reason="left")).wait(100).add(MemberAway(participant_id="ben"))
    assert log.tick(599) == []
    assert kinds(log.tick(1)) == ["room.closed"] and log.state.close_reason == "abandoned"


def away(log: Log, *people: str) -> Log:
    return log.add(*(MemberAway(participant_id=person) for person in people))


def test_time_in_which_nobody_was_there_is_given_back_when_the_first_returns() -> None:
    log = away(Log().start().wait(100), "ann", "ben", "cat")
    assert log.tick(400) == []  # the stage was to end 200 seconds ago
    log.add(MemberReturned(participant_id="ben"))
    assert [(e.why, e.seconds) for e in log.tick(0) if isinstance(e, StageExtended)] == [("pause", 400)]
    assert log.state.stage and log.state.stage.ends_at == START + 300 + 400
    assert log.tick(199) == [] and kinds(log.tick(1))[0] == "stage.ended"


def test_a_pause_is_given_back_once_and_uses_up_no_extension() -> None:
    log = Log().start()
    log.do("ann", MoreTime())
    away(log, "ann", "ben", "cat").wait(60)
    log.add(MemberReturned(participant_id="ben"), MemberReturned(participant_id="cat"))
    assert kinds(log.tick(0)) == ["stage.extended"] and log.tick(30) == []
    assert log.state.stage and log.state.stage.extensions == 0 and log.state.more_time == {"ann"}
    away(log, "ben", "cat").wait(20).add(MemberReturned(participant_id="cat"))
    assert [e.seconds for e in log.tick(0) if isinstance(e, StageExtended)] == [20]


def test_while_one_is_there_the_clock_runs_on() -> None:
    log = away(Log().start(), "ann", "ben").wait(100).add(MemberReturned(participant_id="ben"))
    assert log.tick(0) == [] and log.state.stage and log.state.stage.ends_at == START + 300


def test_a_pause_counts_from_the_stages_beginning_and_a_stage_without_a_limit_needs_none() -> None:
    stages = [{"id": "talk", "title": "Talk", "minutes": None}, {"id": "more", "title": "More", "minutes": 5}]
    log = away(Log(stages=stages).start(), "ann", "ben", "cat").wait(50)
    log.host(NextStage())
    log.wait(30).add(MemberReturned(participant_id="ann"))
    assert [e.seconds for e in log.tick(0) if isinstance(e, StageExtended)] == [30]
    other = away(Log(stages=stages).start(), "ann", "ben", "cat").wait(50).add(MemberReturned(participant_id="ann"))
    assert other.tick(0) == []


def test_what_remained_of_a_stage_remains_when_the_server_was_away() -> None:
    log = Log().start().speak("ann", 100)
    (back,) = agenda.back_from_downtime(log.state, log.now + 5000)
    assert isinstance(back, StageExtended) and (back.why, back.ends_at) == ("pause", START + 300 + 5000)
    log.wait(5000).add(back)
    assert log.tick(199) == [] and kinds(log.tick(1))[0] == "stage.ended"


def test_downtime_is_not_counted_twice_where_nobody_was_there_and_closes_no_room() -> None:
    log = away(Log().start(), "ann", "ben", "cat").wait(5000)
    assert agenda.back_from_downtime(log.state, log.now) == []
    assert agenda.due(log.state, log.now, served_since=log.now - 599) == []
    assert kinds(agenda.due(log.state, log.now, served_since=log.now - 600)) == ["room.closed"]
    log.add(MemberReturned(participant_id="ann"))
    assert [e.seconds for e in log.tick(0) if isinstance(e, StageExtended)] == [5000]


def test_downtime_before_the_first_stage_or_after_the_end_changes_nothing() -> None:
    assert agenda.back_from_downtime(Log().state, START + 99) == []
    over = Log().start()
    over.host(CloseRoom())
    assert agenda.back_from_downtime(over.state, START + 99) == []


@pytest.mark.parametrize(
    ("count", "of", "more"), [(0, 0, False), (1, 2, False), (2, 3, True), (2, 4, False), (3, 4, True)]
)
def test_majority_means_more_than_half(count: int, of: int, more: bool) -> None:
    assert agenda.majority(count, of) is more
