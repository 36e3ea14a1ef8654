"""What a simulated participant does, and when: pure decisions from what it sees of the room, the time, and its own dice.

Owns the habits (how much somebody talks, whether they queue, how quickly they vote …) and the one function `next_acts`. Called by `bot` twice
a second. The same seed and the same views give the same acts.

Habits follow what groups show: one person takes a large part of the talk, most speak when there is room or when asked, some only when invited.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isqrt
from random import Random
from typing import Literal

from deliberation.balloting import BallotView, CastBallot
from deliberation.commands import (
    AddStatement,
    AnswerIntervention,
    AnswerPoll,
    AnswerSafety,
    CastVote,
    EndTurn,
    LowerHand,
    MarkSummary,
    ParticipantCommand,
    PostChat,
    RaiseHand,
    Ready,
)
from deliberation.payload import Vote
from deliberation.wire import CardView, RoomView
from simulation import judging


@dataclass(frozen=True, slots=True)
class Habit:
    """One way to take part. Waits in seconds (drawn anew between half and one and a half times), chances 0..1.

    `silence_before_speaking`: how long nobody must have spoken before this one begins unasked; None: never unasked. `clips_in_a_row`: how many
    clips at once. `lets_finish`: keeps quiet while somebody has the floor. `heeds_private`: whether a private invitation is answered at all.
    `ready_at`: share of a stage's time after which it is ready.
    """

    name: str
    silence_before_speaking: float | None
    clips_in_a_row: int = 1
    raises_hand: float = 0.0
    accepts_invitation: float = 1.0
    heeds_private: float = 1.0
    lets_finish: bool = True
    think_seconds: float = 2.5
    vote_seconds: float = 4.0
    adds_statement: float = 0.0
    chats: float = 0.0
    rates_cards: float = 0.3
    ready_at: float = 0.75


HABITS: Mapping[str, Habit] = {
    habit.name: habit
    for habit in (
        Habit("dominant", 1.2, clips_in_a_row=2, lets_finish=False, adds_statement=1.0, rates_cards=0.6, ready_at=0.9),
        Habit("medium", 4.0, raises_hand=0.5, adds_statement=0.5, chats=0.3),
        Habit(
            "shy",
            None,
            accepts_invitation=0.9,
            heeds_private=0.6,
            think_seconds=4.0,
            adds_statement=0.2,
            chats=0.5,
            ready_at=0.7,
        ),
        Habit("occasional", 9.0, raises_hand=0.25, adds_statement=0.3, chats=0.3),
        Habit("reader", None, accepts_invitation=0.0, vote_seconds=6.0, ready_at=0.6),
    )
}

CHAT_LINES = (
    "I agree with what was just said.",
    "Could somebody give an example?",
    "I have to think about that one.",
    "That would help people in my street.",
)
MISSING_LINES = ("The point about people without a computer is missing.", "Nobody mentions the costs here.")
MAX_MARKS = 5
WAIT_FOR_FLOOR_SECONDS = 8.0  # whose turn it is lets the present speaker finish, but not for longer than this


@dataclass(frozen=True, slots=True)
class Say:
    """Speak so many clips; `in_turn` when it is this one's turn (the turn is given back afterwards)."""

    clips: int
    in_turn: bool = False


@dataclass(frozen=True, slots=True)
class Drop:
    """Be out of touch for so many seconds: the network is lost, or (`frozen`) the page stands still with its socket open."""

    seconds: float
    frozen: bool = False


Act = ParticipantCommand | Say | Drop


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that happens to one participant, so many seconds into the deliberation."""

    at: float
    act: ParticipantCommand | Drop


@dataclass(frozen=True, slots=True)
class Mind:
    """What a participant remembers between two looks at the room. Times are Unix seconds."""

    stage_id: str = ""
    stage_seen_at: float = 0.0
    due: Mapping[str, float] = field(default_factory=dict)  # what it has made up its mind to do, and when
    done: frozenset[str] = frozenset()
    speaking: bool = False
    held_turn_at: float | None = None
    invited: bool = False

    def plan(self, key: str, at: float) -> Mind:
        """Return a mind that means to do `key` at a time, unless it means to (or has done so) already."""
        if key in self.due or key in self.done:
            return self
        return replace(self, due={**self.due, key: at})

    def ripe(self, key: str, now: float) -> bool:
        """Tell whether the time for `key` has come."""
        return key in self.due and now >= self.due[key] and key not in self.done

    def did(self, key: str) -> Mind:
        """Return a mind that has done `key`."""
        return replace(self, due={k: v for k, v in self.due.items() if k != key}, done=self.done | {key})

    def forget(self, key: str) -> Mind:
        """Return a mind without `key`, done or planned."""
        return replace(self, due={k: v for k, v in self.due.items() if k != key}, done=self.done - {key})


@dataclass(frozen=True, slots=True)
class Person:
    """Who decides: a habit, the statements they would put to the vote, and whether they lean to agree (0..1).

    `reading_seconds`: for how long they say nothing at the start of the first, second, … stage (the last figure holds for the rest).
    """

    habit: Habit
    statements: Sequence[str] = ()
    agreeable: float = 0.6
    reading_seconds: tuple[float, ...] = (2.0,)
    incidents: tuple[Incident, ...] = ()


def next_acts(view: RoomView, now: float, person: Person, mind: Mind, dice: Random) -> tuple[list[Act], Mind]:
    """Return what to do now and the mind afterwards. `mind.speaking` is set by the caller while its clips are being spoken."""
    me = view.me.participant_id
    if me is None or view.closed_at is not None or view.stage is None:
        return [], mind
    if mind.stage_id != view.stage.stage_id:
        mind = replace(mind, stage_id=view.stage.stage_id, stage_seen_at=now)
    acts: list[Act] = []
    for look in (_incidents, _cards, _talk, _vote, _ballot, _judge, _write, _closing, _move_on):
        some, mind = look(view, now, person, mind, dice)
        acts += some
    return acts, mind


def _around(seconds: float, dice: Random) -> float:
    return seconds * dice.uniform(0.5, 1.5)


def _kind(view: RoomView) -> str:
    return next((stage.kind for stage in view.agenda if stage.progress == "now"), "discussion")


# -- talking


def _talk(view: RoomView, now: float, person: Person, mind: Mind, dice: Random) -> tuple[list[Act], Mind]:
    me, habit, turn = view.me.participant_id, person.habit, view.turn
    if _reading(view, now, person, mind):
        return _hold_back(view, mind)
    if turn is not None and turn.participant_id == me:
        if mind.held_turn_at == turn.started_at:
            return ([], mind) if mind.speaking else _give_back(mind, turn.started_at)
        interrupting = any(p != me for p in view.speaking) and now - turn.started_at < WAIT_FOR_FLOOR_SECONDS
        if mind.speaking or interrupting:
            return [], mind
        clips = 1 if turn.short else habit.clips_in_a_row
        mind = replace(mind, held_turn_at=turn.started_at, invited=False, speaking=True)
        return [Say(clips, in_turn=True)], mind
    if mind.speaking or _kind(view) != "discussion":
        return [], mind
    queued = any(hand.participant_id == me for hand in view.queue)
    others = [p for p in view.speaking if p != me]
    if mind.invited and view.turn_seconds is None and not others:
        return [Say(1)], replace(mind, invited=False, speaking=True)
    if queued:
        return [], mind
    if habit.raises_hand and others:
        key = f"hand:{others[0]}:{len(view.utterances) // 3}"
        if key not in mind.done:
            mind = mind.did(key)
            if dice.random() < habit.raises_hand:
                return [RaiseHand(short=dice.random() < 0.2)], mind
    return _speak_up(view, now, person, mind, dice, busy=bool(others) or (turn is not None and habit.lets_finish))


def _reading(view: RoomView, now: float, person: Person, mind: Mind) -> bool:
    index = view.stage.index if view.stage else 0
    return now - mind.stage_seen_at < person.reading_seconds[min(index, len(person.reading_seconds) - 1)]


def _hold_back(view: RoomView, mind: Mind) -> tuple[list[Act], Mind]:
    """Say nothing; leave the floor and the queue, which may still stand from the stage before."""
    me, mind = view.me.participant_id, mind.forget("speak")
    if view.turn is not None and view.turn.participant_id == me and not mind.speaking:
        return _give_back(mind, view.turn.started_at)
    return [LowerHand()] if any(hand.participant_id == me for hand in view.queue) else [], mind


def _give_back(mind: Mind, turn_started_at: float) -> tuple[list[Act], Mind]:
    key = f"turn:{turn_started_at}"
    return ([], mind) if key in mind.done else ([EndTurn()], mind.did(key))


def _speak_up(
    view: RoomView, now: float, person: Person, mind: Mind, dice: Random, *, busy: bool
) -> tuple[list[Act], Mind]:
    """Begin unasked, after a pause of this one's own length in which nobody spoke."""
    habit = person.habit
    if habit.silence_before_speaking is None:
        return [], mind
    if busy:
        return [], mind.forget("speak")
    mind = mind.plan("speak", now + _around(habit.silence_before_speaking, dice))
    if not mind.ripe("speak", now):
        return [], mind
    return [Say(habit.clips_in_a_row)], replace(mind.forget("speak"), speaking=True)


# -- answering the facilitator


def _cards(view: RoomView, now: float, person: Person, mind: Mind, dice: Random) -> tuple[list[Act], Mind]:
    acts: list[Act] = []
    for card in view.cards.values():
        if card.my_answer is None and card.at >= now - 60:
            some, mind = _card(card, view, now, person, mind, dice)
            acts += some
    for case in view.safety.values():
        if case.my_answer is None and case.verdict is None:
            mind = mind.plan(f"safety:{case.case_id}", now + _around(person.habit.think_seconds, dice))
            if mind.ripe(f"safety:{case.case_id}", now):
                acts.append(AnswerSafety(case_id=case.case_id, verdict="warn" if dice.random() < 0.3 else "fine"))
                mind = mind.did(f"safety:{case.case_id}")
    return acts, mind


def _card(
    card: CardView, view: RoomView, now: float, person: Person, mind: Mind, dice: Random
) -> tuple[list[Act], Mind]:
    habit, key = person.habit, f"card:{card.intervention_id}"
    mind = mind.plan(key, now + _around(habit.think_seconds, dice))
    if not mind.ripe(key, now):
        return [], mind
    mind = mind.did(key)
    mine = view.me.participant_id in (*card.to, card.about)
    if "speak" in card.actions and mine:
        if card.private and dice.random() >= habit.heeds_private:
            return [], mind
        if dice.random() < habit.accepts_invitation:
            answer = AnswerIntervention(intervention_id=card.intervention_id, answer="accepted")
            return [answer, RaiseHand()], replace(mind, invited=True)  # called by the queue, where turns are timed
        return [AnswerIntervention(intervention_id=card.intervention_id, answer="declined")], mind
    if dice.random() < habit.rates_cards:
        verdict: Literal["helpful", "not_helpful"] = "helpful" if dice.random() < 0.8 else "not_helpful"
        return [AnswerIntervention(intervention_id=card.intervention_id, answer=verdict)], mind
    return [], mind


# -- voting, writing, closing


def _vote(view: RoomView, now: float, person: Person, mind: Mind, dice: Random) -> tuple[list[Act], Mind]:
    acts: list[Act] = []
    waiting = 1.0
    for statement in view.statements.values():
        key = f"vote:{statement.statement_id}"
        if not statement.open or statement.my_vote is not None or key in mind.done:
            continue
        mind = mind.plan(key, now + _around(person.habit.vote_seconds * waiting, dice))
        waiting += 0.5
        if mind.ripe(key, now):
            acts.append(CastVote(statement_id=statement.statement_id, value=_opinion(statement.text, person, dice)))
            mind = mind.did(key)
    return acts, mind


def _ballot(view: RoomView, now: float, person: Person, mind: Mind, dice: Random) -> tuple[list[Act], Mind]:
    acts: list[Act] = []
    for ballot in view.ballots.values():
        key = f"ballot:{ballot.stage_id}"
        if not ballot.open or ballot.mine is not None or not ballot.options or key in mind.done:
            continue
        mind = mind.plan(key, now + _around(2 * person.habit.vote_seconds, dice))
        if mind.ripe(key, now):
            acts.append(_filled_in(ballot, dice))
            mind = mind.did(key)
    return acts, mind


def _filled_in(ballot: BallotView, dice: Random) -> CastBallot:
    """Fill in a ballot in the form of its rule, with an order of this one's own."""
    order = dice.sample([option.id for option in ballot.options], len(ballot.options))
    match ballot.rule:
        case "approval":
            return CastBallot(stage_id=ballot.stage_id, approves=tuple(order[: dice.randint(1, len(order))]))
        case "plurality":
            return CastBallot(stage_id=ballot.stage_id, ranking=((order[0],),))
        case "irv" | "schulze":
            return CastBallot(stage_id=ballot.stage_id, ranking=tuple((option,) for option in order))
        case "weighted":
            first = dice.randint(1, ballot.budget)
            return CastBallot(stage_id=ballot.stage_id, allocation={order[0]: first, order[1]: ballot.budget - first})
        case "quadratic":
            most = isqrt(ballot.budget)
            return CastBallot(stage_id=ballot.stage_id, allocation={order[0]: dice.randint(1, most) ** 2})


def _opinion(text: str, person: Person, dice: Random) -> Vote:
    if text in person.statements:
        return 1
    roll = dice.random()
    return 1 if roll < person.agreeable else -1 if roll < person.agreeable + 0.8 * (1 - person.agreeable) else 0


def _judge(view: RoomView, now: float, person: Person, mind: Mind, dice: Random) -> tuple[list[Act], Mind]:
    """Write a values card, answer what is asked about values, judge cases: one thing after the other."""
    step = f"judge:{mind.stage_id}"
    mind = mind.plan(step, now + _around(person.habit.think_seconds / 2, dice))
    if not mind.ripe(step, now):
        return [], mind
    act: Act | None = None
    if view.values is not None:
        written = f"card:{mind.stage_id}"
        if view.values.writing and written not in mind.done:
            act, mind = judging.card(view.values, dice), mind.did(written)
        act = act or judging.next_answer(view.values, dice)
    for stage in view.cases.values():
        act = act or judging.next_rating(stage, dice)
    return ([act] if act else []), mind.forget(step)


def _owes(view: RoomView) -> bool:
    """Tell whether there is something left to compare or to judge."""
    asked = view.values is not None and view.values.comparing and any(one.my_answer is None for one in view.values.comparisons)
    return asked or any(
        stage.open and sum(map(len, stage.mine.values())) < len(stage.cases) * len(stage.templates) for stage in view.cases.values()
    )


def _write(view: RoomView, now: float, person: Person, mind: Mind, dice: Random) -> tuple[list[Act], Mind]:
    habit, stage = person.habit, mind.stage_id
    acts: list[Act] = []
    kind = _kind(view)
    if kind == "statements" and person.statements:
        key = f"statement:{stage}"
        mind = mind.plan(key, now + _around(2 * habit.think_seconds, dice))
        if mind.ripe(key, now):
            mind = mind.did(key)
            taken = {statement.text for statement in view.statements.values()}
            text = next((t for t in person.statements if t not in taken), None)
            if text is not None and dice.random() < habit.adds_statement:
                acts.append(AddStatement(text=text))
    if kind == "discussion" and view.utterances:
        key = f"chat:{stage}"
        mind = mind.plan(key, now + _around(5 * habit.think_seconds, dice))
        if mind.ripe(key, now):
            mind = mind.did(key)
            if dice.random() < habit.chats:
                acts.append(PostChat(text=dice.choice(CHAT_LINES)))
    return acts, mind


def _closing(view: RoomView, now: float, person: Person, mind: Mind, dice: Random) -> tuple[list[Act], Mind]:
    if _kind(view) != "closing":
        return [], mind
    acts: list[Act] = []
    if view.poll and "closing" not in view.me.polls:
        mind = mind.plan("poll", now + _around(2 * person.habit.think_seconds, dice))
        if mind.ripe("poll", now):
            mind = mind.did("poll")
            before = view.me.polls.get("opening", {})
            acts.append(AnswerPoll(poll="closing", answers=poll_answers(view, before, dice)))
    if view.summary is not None:
        key = f"marks:{view.summary.summary_id}"
        mind = mind.plan(key, now + _around(3 * person.habit.think_seconds, dice))
        if mind.ripe(key, now):
            mind = mind.did(key)
            acts += _marks(view, dice)
    return acts, mind


def _marks(view: RoomView, dice: Random) -> list[Act]:
    """Mark some of the sentences: nobody marks them all."""
    assert view.summary is not None
    summary_id, count = view.summary.summary_id, len(view.summary.sentences)
    marks: list[Act] = [
        MarkSummary(summary_id=summary_id, sentence=index, verdict="right" if dice.random() < 0.85 else "wrong")
        for index in sorted(dice.sample(range(count), min(count, MAX_MARKS)))
    ]
    if dice.random() < 0.25:
        marks.append(MarkSummary(summary_id=summary_id, verdict="missing", text=dice.choice(MISSING_LINES)))
    return marks


def poll_answers(view: RoomView, before: Mapping[str, int], dice: Random) -> dict[str, int]:
    """Return answers to the closing poll: near those given `before`, since opinions move a little."""
    return {
        question.id: max(
            1, min(question.scale, before.get(question.id, (question.scale + 1) // 2) + dice.choice((-1, 0, 0, 1)))
        )
        for question in view.poll
    }


def _move_on(view: RoomView, now: float, person: Person, mind: Mind, dice: Random) -> tuple[list[Act], Mind]:
    clock = view.stage
    if clock is None or view.me.participant_id in clock.ready or mind.speaking:
        return [], mind
    key = f"ready:{clock.stage_id}"
    if _kind(view) == "closing":
        finished = (not view.poll or "closing" in view.me.polls) and (
            view.summary is not None and f"marks:{view.summary.summary_id}" in mind.done
        )
        if not finished:
            return [], mind
        mind = mind.plan(key, now + _around(person.habit.think_seconds, dice))
    else:
        length = (clock.ends_at - clock.started_at) if clock.ends_at is not None else 300.0
        mind = mind.plan(key, clock.started_at + length * person.habit.ready_at)
        undecided = any(s.open and s.my_vote is None for s in view.statements.values())
        if view.speaking or undecided or _owes(view) or any(b.open and b.options and b.mine is None for b in view.ballots.values()):
            return [], mind
    return ([Ready()], mind.did(key)) if mind.ripe(key, now) else ([], mind)


def _incidents(view: RoomView, now: float, person: Person, mind: Mind, dice: Random) -> tuple[list[Act], Mind]:
    acts: list[Act] = []
    for number, incident in enumerate(person.incidents):
        key = f"incident:{number}"
        if now - view.opened_at >= incident.at and key not in mind.done:
            mind = mind.did(key)
            acts.append(incident.act)
    return acts, mind
