from __future__ import annotations

from typing import Any

import pytest

from deliberation.balloting import CastBallot, count
from deliberation.commands import AddStatement, CastVote, WithdrawStatement
from deliberation.design import parse_design
from deliberation.errors import Conflict, InvalidInput, ParleyError
from deliberation.privacy import redact
from deliberation.redactor import Mode
from deliberation.room import fold_all
from deliberation.view import room_view, visible_event
from tests.deliberation.rooms import DESIGN, Log, flat

PEOPLE = ("ann", "ben", "cat")


def ballot_room(*, people: tuple[str, ...] = PEOPLE, **settings: Any) -> Log:
    """A room in its ballot stage, which comes after a vote on three statements."""
    stages = [
        {"id": "vote", "title": "Vote", "kind": "statements", "minutes": 5, "seed_statements": ["Trams.", "Buses.", "Boats."]},
        {"id": "choose", "title": "Choose", "kind": "ballot", "minutes": 5, "ballot": settings},
        {"id": "end", "title": "End", "kind": "closing", "minutes": 5},
    ]
    more = {"segments": {"role": ["member", "guest"]}} if "power" in settings else {}
    return Log(people, stages=stages, **more)


def named(rule: str, **more: Any) -> Log:
    return ballot_room(rule=rule, options=["Red", "Green", "Blue"], **more).start(1)


R, G, B = (f"choose-option-{n}" for n in (1, 2, 3))


def test_a_ballot_stage_opens_with_the_designs_options() -> None:
    room = named("approval")
    view = room_view(room.state, "participant", "ann").ballots["choose"]
    assert [(o.id, o.text) for o in view.options] == [(R, "Red"), (G, "Green"), (B, "Blue")]
    assert (view.open, view.cast, view.mine, view.result) == (True, 0, None, None)


def test_without_options_the_statements_most_agreed_with_stand_on_the_paper() -> None:
    room = ballot_room(rule="schulze", longest=2).start(0)
    for person in PEOPLE:
        room.do(person, CastVote(statement_id="vote-seed-3", value=1))
    room.do("ann", AddStatement(text="Ferries."))
    room.do("ann", CastVote(statement_id="vote-seed-2", value=1))
    room.tick(301)
    assert list(room.state.ballots["choose"].options) == ["vote-seed-2", "vote-seed-3"]


def test_ones_own_ballot_is_seen_and_others_only_counted_until_the_stage_ends() -> None:
    room = named("approval")
    room.do("ann", CastBallot(stage_id="choose", approves=(R, G)))
    room.do("ben", CastBallot(stage_id="choose", approves=(G,)))
    mine = room_view(room.state, "participant", "ann").ballots["choose"]
    assert mine.mine and mine.mine.approves == (R, G) and mine.cast == 2 and mine.result is None
    for viewer in (("participant", "cat"), ("facilitator", None)):
        other = room_view(room.state, *viewer).ballots["choose"]  # type: ignore[arg-type]
        assert (other.cast, other.mine, other.result) == (2, None, None)
    [event] = [e for e in room.events if e.kind == "ballot.cast" and e.actor == "ann"]
    assert visible_event(event, room.state, "participant", "ann") and visible_event(event, room.state, "participant", "cat") is None
    assert visible_event(event, room.state, "facilitator") is None
    room.tick(301)
    result = room_view(room.state, "participant", "cat").ballots["choose"].result
    assert result and result.people == 2 and [(s.id, s.score, s.won) for s in result.standings] == [(G, 2.0, True), (R, 1.0, False), (B, 0.0, False)]


def test_a_later_ballot_replaces_the_earlier_one_and_the_same_again_changes_nothing() -> None:
    room = named("plurality")
    room.do("ann", CastBallot(stage_id="choose", ranking=((R,),)))
    assert room.do("ann", CastBallot(stage_id="choose", ranking=((R,),))) == []
    room.do("ann", CastBallot(stage_id="choose", ranking=((B,),)))
    counted = count(room.state, "choose")
    assert counted and counted.winners == (B,) and counted.people == 1


@pytest.mark.parametrize(
    ("rule", "ballot", "code"),
    [
        ("approval", {"approves": (R, R)}, "ranked_twice"),
        ("approval", {"approves": ("elsewhere",)}, "unknown_option"),
        ("approval", {"ranking": ((R,),)}, "bad_ballot"),
        ("plurality", {"ranking": ((R,), (G,))}, "one_choice"),
        ("irv", {"ranking": ((R, G), (R,))}, "ranked_twice"),
        ("schulze", {"approves": (R,)}, "bad_ballot"),
        ("weighted", {"allocation": {R: 20, G: 6}}, "over_budget"),
        ("quadratic", {"allocation": {R: 25, G: 1}}, "over_budget"),
        ("quadratic", {"allocation": {R: 4}, "approves": (G,)}, "bad_ballot"),
    ],
)
def test_a_ballot_that_does_not_fit_the_rule_is_refused(rule: str, ballot: dict[str, Any], code: str) -> None:
    room = named(rule)
    with pytest.raises(InvalidInput) as refused:
        room.do("ann", CastBallot(stage_id="choose", **ballot))
    assert refused.value.code == code and not room.state.ballots["choose"].cast


def test_nobody_votes_before_or_after_the_stage() -> None:
    room = ballot_room(rule="approval", options=["Red", "Green"]).start(0)
    with pytest.raises(Conflict):
        room.do("ann", CastBallot(stage_id="choose", approves=(R,)))
    room.tick(301)
    room.do("ann", CastBallot(stage_id="choose", approves=(R,)))
    room.tick(301)
    with pytest.raises(ParleyError) as refused:
        room.do("ben", CastBallot(stage_id="choose", approves=(R,)))
    assert refused.value.code == "stage_over"


def test_a_statement_that_is_hidden_leaves_every_ballot() -> None:
    room = ballot_room(rule="irv").start(1)
    ids = list(room.state.ballots["choose"].options)
    for person in PEOPLE:
        room.do(person, CastBallot(stage_id="choose", ranking=((ids[0],), (ids[1],))))
    room.host(WithdrawStatement(statement_id=ids[0]))
    counted = count(room.state, "choose")
    assert counted and counted.winners == (ids[1],) and ids[0] not in {s.option for s in counted.scores}


@pytest.mark.parametrize(
    ("rule", "ballots", "winner", "score"),
    [
        # Quadratic (Snapshot's form), by hand: red (√(4/4) + 0)² = 1, green (√(2/4) + √(3/3))² ≈ 2.914, scaled to a total power of 3.
        ("quadratic", {"ann": {"allocation": {R: 4}}, "ben": {"allocation": {G: 2, B: 2}}, "cat": {"allocation": {G: 3}}}, G, 3 * 2.9142 / (1 + 2.9142 + 0.5)),
        ("weighted", {"ann": {"allocation": {R: 9, G: 1}}, "ben": {"allocation": {G: 1}}, "cat": {"allocation": {B: 1, R: 1}}}, R, 1.4),
        ("schulze", {"ann": {"ranking": ((R,), (G,))}, "ben": {"ranking": ((G,), (R,))}, "cat": {"ranking": ((R, G),)}}, R, 1.0),
    ],
)
def test_each_rule_counts_as_published(rule: str, ballots: dict[str, Any], winner: str, score: float) -> None:
    room = named(rule)
    for person, fields in ballots.items():
        room.do(person, CastBallot(stage_id="choose", **fields))
    counted = count(room.state, "choose")
    assert counted and winner in counted.winners
    assert next(s.score for s in counted.scores if s.option == winner) == pytest.approx(score, abs=0.001)


def test_power_counts_by_segment_and_seats_are_filled() -> None:
    power = {"power_by": "role", "power": {"member": 3}, "seats": 2}
    room = ballot_room(people=(), rule="approval", options=["Red", "Green", "Blue"], **power)
    for person, role in (("ann", "member"), ("ben", "guest"), ("cat", "guest")):
        room.join(person, segments={"role": role})
    room.start(1)
    assert room_view(room.state, "participant", "ann").ballots["choose"].my_power == 3
    room.do("ann", CastBallot(stage_id="choose", approves=(R,)))
    room.do("ben", CastBallot(stage_id="choose", approves=(B,)))
    room.do("cat", CastBallot(stage_id="choose", approves=(B,)))
    counted = count(room.state, "choose")
    assert counted and [(s.option, s.score) for s in counted.scores] == [(R, 3.0), (G, 0.0), (B, 2.0)] and counted.winners == (R, B)


@pytest.mark.parametrize(
    ("stage", "mistake"),
    [
        ({"options": ["One"]}, "at least two options"),
        ({"options": ["One", "Two"], "seats": 2}, "seats"),
        ({}, "needs options, or a statements stage"),
        ({"options": ["One", "Two"], "power": {"x": 2}}, "come together"),
        ({"options": ["One", "Two"], "power": {"x": 2}, "power_by": "role"}, "must name values"),
    ],
)
def test_a_ballot_that_cannot_be_held_is_refused_with_the_reason(stage: dict[str, Any], mistake: str) -> None:
    with pytest.raises(InvalidInput, match=mistake):
        parse_design({**DESIGN, "stages": [{"id": "b", "title": "B", "kind": "ballot", "ballot": stage}]})


@pytest.mark.parametrize("mode", ["named", "pseudonym", "chatham-house"])
def test_ballots_leave_the_room_as_the_privacy_mode_says_and_count_the_same(mode: Mode) -> None:
    room = ballot_room(rule="irv").start(1)
    ids = room.state.ballots["choose"].options
    for person, order in (("ann", (0, 1, 2)), ("ben", (0, 2, 1)), ("cat", (1, 0, 2))):
        room.do(person, CastBallot(stage_id="choose", ranking=tuple((ids[n],) for n in order)))
    room.tick(301)
    room.tick(301)
    inside = count(room.state, "choose")
    released = redact(room.events, mode, key=b"k")
    outside = count(fold_all(released), "choose")
    assert inside and outside and [s.score for s in outside.scores] == [s.score for s in inside.scores]
    text = flat([e.payload.model_dump() for e in released if e.kind == "ballot.cast"])
    assert ("ann" in text) == (mode == "named")
    if mode == "chatham-house":
        assert {e.payload.owner for e in released if e.kind == "ballot.cast"} == {"ballot-1", "ballot-2", "ballot-3"}
        assert {e.at for e in released if e.kind == "ballot.cast"} == {float(round(room.events[-1].at))}
