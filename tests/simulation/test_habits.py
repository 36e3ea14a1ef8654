"""Habits are pure: views in virtual time in, acts out."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from deliberation.balloting import CastBallot
from deliberation.commands import (
    AddStatement,
    AnswerIntervention,
    AnswerPoll,
    AnswerSafety,
    CastVote,
    EndTurn,
    LowerHand,
    MarkSummary,
    PostChat,
    RaiseHand,
    Ready,
)
from deliberation.events import (
    InterventionMade,
    RoomClosed,
    SafetyAsked,
    Sentence,
    SpeechStarted,
    StatementAdded,
    SummaryProposed,
)
from deliberation.view import room_view
from simulation.habits import HABITS, Act, Drop, Habit, Incident, Mind, Person, Say, next_acts
from tests.deliberation.rooms import Log


class Watcher:
    """Looks at a log twice a second with one person's habits; does what it decides, speaking takes ten seconds a clip."""

    def __init__(
        self, log: Log, habit: str | Habit = "medium", who: str = "ann", seed: int = 1, **changes: Any
    ) -> None:
        self.log, self.who, self.mind, self.dice = log, who, Mind(), Random(seed)
        self.person = replace(Person(HABITS[habit] if isinstance(habit, str) else habit), **changes)
        self.acts: list[Act] = []
        self._until = 0.0

    def look(self) -> list[Act]:
        if self.mind.speaking and self.log.now >= self._until:
            self.mind = replace(self.mind, speaking=False)
        view = room_view(self.log.state, "participant", self.who)
        acts, self.mind = next_acts(view, self.log.now, self.person, self.mind, self.dice)
        for act in acts:
            if isinstance(act, Say):
                self._until = self.log.now + 10 * act.clips
            elif not isinstance(act, Drop):
                self.log.do(self.who, act)
        self.acts += acts
        return acts

    def watch(self, seconds: float) -> list[Act]:
        seen = []
        for _ in range(int(seconds * 2)):
            self.log.wait(0.5)
            seen += self.look()
        return seen


def card(log: Log, *, to: tuple[str, ...] | None = ("ann",), actions: tuple[Any, ...] = ("speak", "decline")) -> None:
    log.add(
        InterventionMade(intervention_id=log.new_id(), rule="invite", text="Ann?", to=to, about="ann", actions=actions)
    )


@pytest.mark.parametrize(
    ("habit", "earliest", "latest"),
    [("dominant", 0.6, 5), ("medium", 2, 9), ("occasional", 4.5, 17), ("shy", None, None)],
)
def test_each_habit_bears_its_own_silence(habit: str, earliest: float | None, latest: float | None) -> None:
    watcher = Watcher(Log().start(), habit)
    began = watcher.log.now
    spoke_at = None
    for _ in range(120):
        watcher.log.wait(0.5)
        if spoke_at is None and any(isinstance(act, Say) for act in watcher.look()):
            spoke_at = watcher.log.now - began
    if earliest is None or latest is None:
        assert spoke_at is None
    else:
        assert spoke_at is not None and earliest <= spoke_at <= latest


def test_nobody_begins_while_somebody_speaks_or_while_reading() -> None:
    log = Log().start().add(SpeechStarted(participant_id="ben", started_at=0))
    assert not any(isinstance(act, Say) for act in Watcher(log, "dominant").watch(30))
    reader = Watcher(Log().start(), "dominant", reading_seconds=(14.0,))
    assert not any(isinstance(act, Say) for act in reader.watch(13))
    assert any(isinstance(act, Say) for act in reader.watch(5))


def test_the_floor_and_the_queue_of_the_stage_before_are_left_while_reading() -> None:
    log = Log().start()
    log.do("ann", RaiseHand())
    reader = Watcher(log, reading_seconds=(10.0,))
    assert reader.watch(3) == [LowerHand()]
    log.do("ann", RaiseHand()), log.tick(0)
    assert reader.watch(3) == [EndTurn()]


def test_nobody_is_ready_while_somebody_speaks() -> None:
    log = Log().start().wait(290).add(SpeechStarted(participant_id="ben", started_at=0))
    assert not any(isinstance(act, Ready) for act in Watcher(log, "shy").watch(5))


def test_a_turn_is_used_and_given_back() -> None:
    log = Log().start()
    log.do("ann", RaiseHand()), log.tick(0)
    watcher = Watcher(log, reading_seconds=(0.0,))
    assert [type(act) for act in watcher.watch(12)] == [Say, EndTurn]
    assert log.state.turn is None


def test_whose_turn_it_is_lets_the_speaker_finish_for_a_while() -> None:
    log = Log().start().add(SpeechStarted(participant_id="ben", started_at=0))
    log.do("ann", RaiseHand()), log.tick(0)
    watcher = Watcher(log, reading_seconds=(0.0,))
    assert watcher.watch(7) == []
    assert [type(act) for act in watcher.watch(2)] == [Say]


def test_an_invitation_is_taken_up() -> None:
    log = Log().start()
    card(log)
    watcher = Watcher(log, replace(HABITS["shy"], heeds_private=1.0, accepts_invitation=1.0))
    acts = watcher.watch(8)
    assert AnswerIntervention(intervention_id="id1", answer="accepted") in acts and RaiseHand() in acts
    assert not any(isinstance(act, Say) for act in acts)
    log.tick(0)
    assert any(isinstance(act, Say) for act in watcher.watch(2))


def test_without_timed_turns_an_invitation_is_taken_up_at_once() -> None:
    log = Log(facilitation={"turns": {"seconds": None}}).start()
    card(log)
    watcher = Watcher(log, replace(HABITS["shy"], heeds_private=1.0, accepts_invitation=1.0))
    assert any(isinstance(act, Say) for act in watcher.watch(8))


def test_an_invitation_may_be_declined_or_not_heeded() -> None:
    log = Log().start()
    card(log)
    assert [a.answer for a in Watcher(log, "reader").watch(8) if isinstance(a, AnswerIntervention)] == ["declined"]
    card(log)
    assert Watcher(log, replace(HABITS["shy"], heeds_private=0.0)).watch(8) == []


def test_somebody_elses_invitation_is_left_alone() -> None:
    log = Log().start()
    card(log, to=None)
    acts = Watcher(log, replace(HABITS["shy"], rates_cards=0.0), who="cat").watch(10)
    assert not any(isinstance(act, AnswerIntervention | RaiseHand) for act in acts)


def test_every_open_statement_gets_one_vote_and_ones_own_agreement() -> None:
    log = Log().start(1)
    for number in range(4):
        log.add(StatementAdded(statement_id=f"s{number}", participant_id=None, text=f"Claim {number}.", origin="ai"))
    acts = Watcher(log, statements=("Claim 2.",)).watch(30)
    votes = [act for act in acts if isinstance(act, CastVote)]
    assert sorted(vote.statement_id for vote in votes) == ["s0", "s1", "s2", "s3"]
    assert next(vote.value for vote in votes if vote.statement_id == "s2") == 1


def test_a_statement_is_added_once_and_only_one_that_is_not_there() -> None:
    log = Log().start(1)
    log.add(StatementAdded(statement_id="s", participant_id=None, text="Taken.", origin="ai"))
    acts = Watcher(log, "dominant", statements=("Taken.", "Mine.")).watch(40)
    assert [act.text for act in acts if isinstance(act, AddStatement)] == ["Mine."]


def test_readiness_comes_late_in_a_stage_and_not_before_the_votes() -> None:
    log = Log().start()
    watcher = Watcher(log, "shy")
    assert not any(isinstance(act, Ready) for act in watcher.watch(200))
    assert any(isinstance(act, Ready) for act in watcher.watch(20))


def test_closing_is_marked_polled_and_then_left_ready() -> None:
    log = Log().start(2)
    watcher = Watcher(log)
    assert not any(isinstance(act, Ready) for act in watcher.watch(30))  # there is no summary yet
    log.add(SummaryProposed(summary_id="sum", sentences=(Sentence(text="x"), Sentence(text="y")), method="m"))
    acts = watcher.watch(30)
    assert sorted(a.sentence for a in acts if isinstance(a, MarkSummary) and a.sentence is not None) == [0, 1]
    polls = [a for a in watcher.acts if isinstance(a, AnswerPoll)]
    assert [a.poll for a in polls] == ["closing"] and 1 <= polls[0].answers["keen"] <= 5
    assert isinstance(acts[-1], Ready)


def test_a_safety_question_is_answered() -> None:
    log = Log().start()
    said = log.utter("ben", "rude")
    log.add(SafetyAsked(case_id="c", participant_id="ben", subject_id=said, asked=("ann", "cat"), why="w"))
    assert sum(isinstance(act, AnswerSafety) for act in Watcher(log).watch(10)) == 1


def test_incidents_happen_once_in_their_time() -> None:
    rude, drop = PostChat(text="Rubbish."), Drop(4.0)
    watcher = Watcher(Log().start(), "shy", incidents=(Incident(3.0, rude), Incident(6.0, drop)))
    assert watcher.watch(2) == []
    assert watcher.watch(30) == [rude, drop]


def test_nothing_is_done_before_the_first_stage_or_after_the_end() -> None:
    assert Watcher(Log(), "dominant").watch(10) == []
    log = Log().start().add(RoomClosed(reason="finished"))
    assert Watcher(log, "dominant").watch(10) == []


def test_the_same_seed_does_the_same() -> None:
    def life(seed: int) -> list[Act]:
        log = Log().start()
        log.utter("ben", "hello")
        return Watcher(log, "dominant", seed=seed).watch(60)

    assert life(3) == life(3)


@pytest.mark.parametrize("rule", ["approval", "plurality", "irv", "schulze", "weighted", "quadratic"])
def test_a_ballot_is_cast_once_in_the_form_of_its_rule(rule: str) -> None:
    ballot = {"rule": rule, "options": ["Red", "Green", "Blue"]}
    log = Log(stages=[{"id": "choose", "title": "Choose", "kind": "ballot", "minutes": 5, "ballot": ballot}]).start()
    acts = Watcher(log).watch(60)
    assert sum(isinstance(act, CastBallot) for act in acts) == 1
    assert set(log.state.ballots["choose"].cast) == {"ann"} and isinstance(acts[0], CastBallot)


def test_a_card_is_written_values_are_compared_and_every_case_is_judged_before_somebody_is_ready() -> None:
    cases = {"cases": [{"id": "c1", "text": "One."}, {"id": "c2", "text": "Two."}], "templates": [{"id": "a", "text": "A"}, {"id": "b", "text": "B"}]}
    stages = [
        {"id": "cards", "kind": "values", "title": "V", "minutes": 2, "values": {"contexts": ["when"], "seeds": [{"title": "Speed", "attends": ["time"]}]}},
        {"id": "compare", "kind": "wiser", "title": "W", "minutes": 2},
        {"id": "judge", "kind": "cases", "title": "C", "minutes": 2, "cases": cases},
    ]
    someone = Watcher(Log(stages=stages).start(0))
    someone.watch(60)
    assert [c.participant_id for c in someone.log.state.values.standing] == [None, "ann"]
    someone.log.start(1)
    someone.watch(60)
    assert len(someone.log.state.values.wiser["ann"]) == 1
    someone.log.start(2)
    someone.watch(100)
    assert len(someone.log.state.ratings["judge"]["ann"]) == 4 and "ann" in someone.log.state.ready
