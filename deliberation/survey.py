"""A survey: the design's question and the groups' statements, answered in writing by people who meet nobody, each in their own time.

A survey is one more log of the deliberation, made of the same events as a room's: whoever answers joins, consents, writes utterances, votes
and is ready when done. So records, privacy modes, exports and erasure are the rooms'. Owns what is different: there is no agenda and no clock,
a statement of the groups is put to those who come later, a short answer that agrees is asked about once, and answers are counted in lots, so
that no figure tells by its change what the last one said. Pure; called by `server/survey` and by the outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from deliberation.design import Design, Survey
from deliberation.events import (
    Event,
    InterventionMade,
    MemberJoined,
    Payload,
    RoomOpened,
    StageReady,
    StageStarted,
    StatementAdded,
    StatementWithdrawn,
    UtteranceFinal,
    VoteCast,
)
from deliberation.outcomes.cohorts import is_vague
from deliberation.outcomes.disclosure import MINIMUM
from deliberation.state import RoomState, Statement

FOLLOW_UP = "survey.follow_up"


def settings(design: Design) -> Survey:
    """Return the survey's settings; a design whose survey was taken out keeps the usual ones for what has been answered."""
    return design.survey or Survey()


def opened(design: Design, room_id: str, new_id: Callable[[], str]) -> list[Payload]:
    """Return a survey's first events: its one stage never ends, and the design's seed statements stand to the vote."""
    index = next((n for n, stage in enumerate(design.agenda) if stage.kind == "statements"), 0)
    seeds = [text for stage in design.agenda for text in stage.seed_statements]
    return [
        RoomOpened(deliberation_id=design.id, room_id=room_id, number=0, design=design.model_dump(mode="json")),
        StageStarted(stage_id=design.agenda[index].id, index=index, ends_at=None),
        *(
            StatementAdded(statement_id=new_id(), participant_id=None, text=text, origin="seed")
            for text in dict.fromkeys(seeds)
        ),
    ]


def places(survey: RoomState, limit: int) -> int:
    """Return how many more statements a survey may be given, of `limit` that stand there at most."""
    return max(0, limit - len({s.text for s in survey.statements.values() if not s.withdrawn}))


def added(
    survey: RoomState, rooms: Sequence[tuple[RoomState, Mapping[str, str]]], limit: int, new_id: Callable[[], str]
) -> list[Payload]:
    """Return the groups' statements that are to be put to the survey from now on, until `limit` stand there.

    `rooms` are the rooms that are over, each with its statements' texts as they may leave it. What most people voted on comes first.
    """
    standing = {s.text for s in survey.statements.values() if not s.withdrawn}
    candidates: dict[str, tuple[int, RoomState, Statement]] = {}
    for state, texts in rooms:
        for statement in state.statements.values():
            text = texts.get(statement.statement_id, "")
            if statement.withdrawn or statement.flagged or not text or text in standing:
                continue
            votes, *source = candidates.get(text, (0, state, statement))
            candidates[text] = (votes + len(statement.votes), *source)  # type: ignore[assignment]  # the source goes with its votes
    ranked = sorted(candidates.items(), key=lambda one: (-one[1][0], one[0]))
    return [
        StatementAdded(
            statement_id=new_id(), participant_id=None, text=text, origin="carried",
            source_room=state.room_id, source_statement=statement.statement_id,
        )
        for text, (_, state, statement) in ranked[: places(survey, limit)]
    ]  # fmt: skip


def taken_back(state: RoomState, statement_ids: Sequence[str]) -> list[Payload]:
    """Return what takes carried statements back that stand here still; in rooms as in surveys."""
    standing = [i for i in statement_ids if i in state.statements and not state.statements[i].withdrawn]
    return [StatementWithdrawn(statement_id=i, by="source") for i in standing]


def wants_follow_up(state: RoomState, participant_id: str) -> dict[str, float] | None:
    """Return the numbers that call for a follow-up question to somebody's latest answer; None where none is due.

    Asked once, of an answer without reasons by somebody who has not disagreed with anything.
    """
    told = [u for u in state.utterances.values() if u.participant_id == participant_id and u.usable]
    asked = any(card.rule == FOLLOW_UP and card.about == participant_id for card in state.interventions.values())
    against = any(s.votes.get(participant_id) == -1 for s in state.statements.values())
    limit = settings(state.plan).vague_words
    if not told or asked or against or not is_vague(told[-1].text, limit):
        return None
    return {"words": float(len(told[-1].text.split())), "limit": float(limit)}


def counted(events: Sequence[Event], design: Design, *, over: bool = False) -> list[Event]:
    """Return what counts of a survey by now: all of those who were done first, in whole lots of five.

    Nothing before `min_responders` are done. What one of them votes or writes later counts with the next lot. Once it is over the others,
    and what came late, count too, unless that would tell what fewer than five people said. The result is a whole log, numbered from 1.
    """
    done: dict[str, int] = {}
    for event in events:
        if isinstance(event.payload, StageReady) and event.payload.ready:
            done.setdefault(event.payload.participant_id, event.seq)
    number = len(done) - len(done) % MINIMUM if len(done) >= settings(design).min_responders else 0
    everybody = {e.payload.participant_id for e in events if isinstance(e.payload, MemberJoined)}
    if over and (not number or len(everybody) - number >= MINIMUM):
        return list(events)
    people = set(list(done)[:number])
    since = max((done[person] for person in people), default=0)  # when the last lot was whole
    later = {e.payload.participant_id for e in events if isinstance(e.payload, VoteCast | UtteranceFinal) and e.seq > since} & people
    if over and len(later) >= MINIMUM:
        since = events[-1].seq
    kept = [e for e in events if _concerns(e.payload) <= people and not (isinstance(e.payload, VoteCast | UtteranceFinal) and e.seq > since)]
    return [Event(seq, e.at, e.actor, e.payload) for seq, e in enumerate(kept, 1)]


def _concerns(payload: Payload) -> set[str]:
    """Return the participants that an event is about."""
    owner = getattr(payload, "participant_id", None)
    to: Iterable[str] = payload.to or () if isinstance(payload, InterventionMade) else ()
    return {p for p in (owner, *to) if p}
