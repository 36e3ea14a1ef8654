"""The Chatham House Rule: what was said, never who or from where; what is left of people is split into worlds that cannot be joined.

Owns which events keep their place and time, and how the worlds at the end of the log are made and shuffled. Pure. Called by `privacy`, whose
docstring says what the mode promises.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from deliberation.balloting import BallotCast
from deliberation.casework import CaseRated
from deliberation.events import (
    SYSTEM,
    Event,
    InterventionAnswered,
    MemberJoined,
    Payload,
    PollAnswered,
    SpeechEnded,
    SummaryMarked,
    VoteCast,
)
from deliberation.group_statement import CandidatesRanked, StanceTaken
from deliberation.redactor import SOMEONE, Redactor, common_background, renumbered
from deliberation.room import fold_all
from deliberation.state import RoomState
from deliberation.values import WiserAnswered

TALK_SECONDS = 10.0  # totals of speech are rounded to this in chatham-house mode
# In chatham-house mode these keep their place and time; everything else is dropped, or told once at the end.
_IN_PLACE = """
room.opened room.closed stage.started stage.extended stage.ended utterance.final utterance.revised utterance.struck chat.posted
chat.struck statement.added statement.withdrawn ballot.opened values.added values.withdrawn values.alike values.merged group_statement.proposed
group_statement.opened group_statement.chosen group_statement.critiqued group_statement.revising summary.proposed intervention.made ai.called facilitation.paused listener.changed
transcription.behind
"""
_TIMELINE = frozenset(_IN_PLACE.split())


def _shuffled(people: Iterable[str], world: str, room_id: str, key: bytes) -> dict[str, int]:
    """Number people from 1 in an order that only the key tells."""

    def rank(person: str) -> bytes:
        return hmac.new(key, f"{room_id}\0{world}\0{person}".encode(), hashlib.sha256).digest()

    return {person: n for n, person in enumerate(sorted(people, key=rank), 1)}


def chatham(events: Sequence[Event], redactor: Redactor, key: bytes) -> list[Event]:
    """Return the events of a room that is over in this mode, not yet numbered anew; `key` shuffles the labels."""
    state = fold_all(renumbered(events))

    def shuffled(world: str, people: Iterable[str]) -> dict[str, int]:
        return _shuffled(people, world, state.room_id, key)

    opened = float(round(state.opened_at))
    ended = float(round(state.closed_at if state.closed_at is not None else state.at))
    said = [redactor.event(e, float(round(e.at))) for e in events if e.kind in _TIMELINE]
    talk = shuffled("talk", state.members)
    backgrounds = common_background(state)
    seats: list[Payload] = [
        MemberJoined(
            participant_id=f"talk-{n}",
            seat=n,
            name=f"Participant {n}",
            language=language,
            mode=mode,
            cohort=cohort,
            simulated=simulated,
        )
        for n, (language, mode, cohort, simulated) in enumerate(backgrounds, 1)
    ]
    last: list[Payload] = []
    for person, n in talk.items():
        total = sum((s.ended_at or state.at) - s.started_at for s in state.speech if s.participant_id == person)
        until = opened + TALK_SECONDS * round(total / TALK_SECONDS)
        last.append(SpeechEnded(participant_id=f"talk-{n}", started_at=opened, ended_at=until))
    voters = shuffled("votes", {p for s in state.statements.values() for p in s.votes})
    for statement in state.statements.values():
        for person, n in voters.items():
            if person in statement.votes:
                value: Any = statement.votes[person]
                label = redactor.id(statement.statement_id)
                last.append(VoteCast(statement_id=label, participant_id=f"voter-{n}", value=value))
    for person, n in shuffled("values", state.values.wiser).items():
        for (worse, better, context), reply in state.values.wiser[person].items():
            judged: Any = reply
            last.append(
                WiserAnswered(
                    participant_id=f"wiser-{n}",
                    from_card=redactor.id(worse),
                    to_card=redactor.id(better),
                    context=redactor.text(context),
                    answer=judged,
                )
            )
    for stage_id, raters in state.ratings.items():
        for person, n in shuffled(f"cases {stage_id}", raters).items():
            for (case, template), rating in raters[person].items():
                rated: Any = rating
                last.append(
                    CaseRated(stage_id=stage_id, participant_id=f"rater-{n}", case=case, template=template, value=rated)
                )
    for ballot in state.ballots.values():
        for person, n in shuffled(f"ballot {ballot.stage_id}", ballot.cast).items():
            choice = ballot.cast[person]
            last.append(
                BallotCast(
                    stage_id=ballot.stage_id,
                    participant_id=f"ballot-{n}",
                    ranking=redactor.options(choice.ranking),
                    approves=redactor.options(choice.approves),
                    allocation=redactor.options(dict(choice.allocation)),
                )
            )
    for one in state.group_statements.values():
        for person, n in shuffled(f"ranking {one.stage_id} {one.round}", one.rankings).items():
            order = tuple(map(redactor.id, one.rankings[person]))
            last.append(CandidatesRanked(stage_id=one.stage_id, round=one.round, participant_id=f"ranking-{n}", order=order))
        for person, n in shuffled(f"stance {one.stage_id}", one.stances).items():
            stance: Any = one.stances[person].value
            text = redactor.text(one.stances[person].text) or None
            last.append(StanceTaken(stage_id=one.stage_id, participant_id=f"stance-{n}", value=stance, text=text))
    answering = shuffled("polls", {p for poll in state.polls.values() for p in poll})
    for poll, by in state.polls.items():
        which: Any = poll
        for person, n in answering.items():
            if person in by:
                last.append(PollAnswered(participant_id=f"poll-{n}", poll=which, answers=dict(by[person])))
    for card in state.interventions.values():
        for person, n in shuffled(f"card {card.intervention_id}", card.answers).items():
            answer: Any = card.answers[person]
            label = redactor.id(card.intervention_id)
            last.append(InterventionAnswered(intervention_id=label, participant_id=f"answer-{n}", answer=answer))
    last += _marks(state, redactor, shuffled)
    told = [Event(0, opened, SYSTEM, payload) for payload in seats]
    return [*said[:1], *told, *said[1:], *(Event(0, ended, SYSTEM, payload) for payload in last)]


def _marks(
    state: RoomState, redactor: Redactor, shuffled: Callable[[str, Iterable[str]], dict[str, int]]
) -> list[Payload]:
    """Return the marks on the summary; no two sentences' marks can be told to be one person's."""
    marks: list[Payload] = []
    summary = state.summary
    for index in range(len(summary.sentences) if summary else 0):
        assert summary is not None
        by = {m.participant_id: m.verdict for m in summary.marks if m.sentence == index}
        for person, n in shuffled(f"sentence {summary.summary_id} {index}", by).items():
            verdict: Any = by[person]
            marks.append(
                SummaryMarked(
                    summary_id=redactor.id(summary.summary_id),
                    participant_id=f"mark-{index + 1}-{n}",
                    sentence=index,
                    verdict=verdict,
                )
            )
    missing = sorted(redactor.text(m.text or "") for m in summary.marks if m.sentence is None) if summary else []
    for text in missing:
        assert summary is not None
        marks.append(
            SummaryMarked(
                summary_id=redactor.id(summary.summary_id),
                participant_id=SOMEONE,
                sentence=None,
                verdict="missing",
                text=text,
            )
        )
    return marks

