"""Votes of people who are gone: who leaves keeps them, who withdraws has none."""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

import pytest

from deliberation.answers import ANSWERS
from deliberation.balloting import CastBallot
from deliberation.commands import AddStatement, AnswerPoll, CastVote, CloseRoom, Leave, NextStage, WithdrawConsent
from deliberation.events import PAYLOAD_TYPES, Event
from deliberation.privacy import redact
from deliberation.redactor import Mode
from deliberation.room import fold_all
from deliberation.view import room_view
from tests.deliberation.rooms import Log

STAGES = [
    {"id": "vote", "title": "Vote", "kind": "statements", "minutes": None},
    {"id": "choose", "title": "Choose", "kind": "ballot", "minutes": None, "ballot": {"options": ["Tram", "Bus"]}},
    {"id": "end", "title": "End", "kind": "closing", "minutes": None},
]


def voted(mode: str = "named", on_withdraw: str = "erase") -> Log:
    log = Log(stages=STAGES, privacy={"mode": mode, "on_withdraw": on_withdraw}).start()
    log.do("cat", AddStatement(text="A tram would be good."))
    (statement_id,) = log.state.statements
    for person in ("ann", "ben", "cat"):
        log.do(person, CastVote(statement_id=statement_id, value=-1 if person == "ben" else 1))
    log.host(NextStage())
    option = next(iter(log.state.ballots["choose"].options))
    for person in ("ann", "ben", "cat"):
        log.do(person, CastBallot(stage_id="choose", approves=(option,)))
        log.do(person, AnswerPoll(poll="closing", answers={"keen": 4}))
    return log


def counts(events: Iterable[Event]) -> tuple[int, int, int]:
    """Return how many votes, ballots and closing polls a log comes to."""
    state = fold_all(events)
    (statement,) = state.statements.values()
    shown = room_view(state, "researcher").statements[statement.statement_id]
    assert shown.agree + shown.disagree + shown.passed == len(statement.votes)
    return len(statement.votes), len(state.ballots["choose"].cast), len(state.polls.get("closing", {}))


@pytest.mark.parametrize("mode", get_args(Mode))
def test_who_leaves_keeps_their_votes_and_who_withdraws_has_none_in_the_room_and_outside(mode: Mode) -> None:
    log = voted(mode)
    log.do("ann", Leave())
    log.host(CloseRoom())
    assert counts(log.events) == counts(redact(log.events, mode)) == (3, 3, 3)
    log.do("ben", Leave(erase=True))
    released = redact(log.events, mode)
    assert counts(log.events) == counts(released) == (2, 2, 2)
    assert [e.kind for e in released if e.kind in ANSWERS].count("vote.cast") == 2


@pytest.mark.parametrize("mode", get_args(Mode))
def test_where_withdrawing_takes_only_the_name_the_votes_stay(mode: Mode) -> None:
    log = voted(mode, "pseudonymise")
    log.do("ben", Leave(erase=True))
    log.host(CloseRoom())
    assert counts(log.events) == counts(redact(log.events, mode)) == (3, 3, 3)


def test_taking_back_consent_to_be_quoted_leaves_the_votes() -> None:
    log = voted()
    log.do("ben", WithdrawConsent(items=("quote",)))
    assert counts(log.events) == (3, 3, 3)


def test_every_kind_of_answer_is_somebodys() -> None:
    for kind in ANSWERS:
        assert PAYLOAD_TYPES[kind].owner_field == "participant_id", kind
