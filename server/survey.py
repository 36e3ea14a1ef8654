"""Surveys as they run: who answers is added to the log, may write, vote and say that they are done, and sees their own part of it.

Called by the HTTP handlers. A survey has no owner task: each answer is folded and stored at once, and where another node has stored
one meanwhile it is decided anew. What may be done is the rooms' own `decide`; what is special to a survey stands in `deliberation.survey`.

Invariant: what is remembered of a log is as the store has it; after an erasure it is read again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Annotated

from pydantic import Field

from deliberation import survey
from deliberation.command import Actor
from deliberation.commands import (
    CastVote,
    CorrectUtterance,
    PostChat,
    Ready,
    StrikeUtterance,
    WithdrawConsent,
)
from deliberation.decisions import decide
from deliberation.design import Design
from deliberation.errors import Conflict, NotFound, Unavailable
from deliberation.events import AI, SYSTEM, Event, Payload, RoomClosed, StatementAdded
from deliberation.room import fold_all
from deliberation.state import RoomState
from facilitator.agent import payload_of
from facilitator.moves import Say
from server.clock import now
from server.http.models import SurveyAnswer, SurveyPage, SurveyStatement
from server.ids import new_id
from server.rooms.seating import arrival
from server.storage.records import ParticipantRecord
from server.storage.released import names_of, release
from server.storage.store import Store

TRIES = 10  # how often an answer is decided anew when other nodes store theirs first
KEPT = 64  # surveys whose logs stay folded in memory
ERASING = ("utterance.struck", "statement.withdrawn", "consent.withdrawn")

SurveyCommand = Annotated[
    PostChat | CastVote | Ready | StrikeUtterance | CorrectUtterance | WithdrawConsent, Field(discriminator="type")
]


class Surveys:
    """The surveys of all deliberations."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._states: dict[str, RoomState] = {}
        self._busy: dict[str, asyncio.Lock] = {}

    async def enter(self, person: ParticipantRecord) -> None:
        """Let somebody answer: the survey is opened with its first person, and hears what the groups have come to."""
        design = (await self._store.deliberation(person.deliberation_id)).design
        if design.survey is None:
            raise Conflict("no_survey", "This deliberation has no survey.", "Join a room instead.")
        async with self._busy.setdefault(design.id, asyncio.Lock()):
            room_id = await self._open_log(design)
            heard = await self._heard(design, await self._state(room_id))

            def arrive(state: RoomState) -> list[Payload]:
                known = {s.source_statement for s in state.statements.values()}
                return [*(s for s in heard if s.source_statement not in known), *arrival(person, len(state.members) + 1, design)]

            await self._store.set_room(person.participant_id, room_id)
            await self._append(room_id, SYSTEM, arrive)

    async def do(self, participant_id: str, command: SurveyCommand) -> SurveyPage:
        """Carry out what somebody who answers asks for. Raises the `ParleyError` that refuses it."""
        room_id = await self._room_of(participant_id)
        actor = Actor(participant_id, "participant")
        state = await self._append(room_id, participant_id, lambda s: decide(s, actor, command, now(), new_id))
        if isinstance(command, PostChat) and survey.wants_follow_up(state, participant_id):
            state = await self._append(room_id, AI, lambda s: _follow_up(s, participant_id))
        return page(state, participant_id)

    async def page(self, participant_id: str) -> SurveyPage:
        """Return what somebody who answers sees. Raises `NotFound` for whoever is in no survey."""
        return page(await self._state(await self._room_of(participant_id)), participant_id)

    async def take_back(self, room_id: str, statement_ids: Sequence[str]) -> None:
        """Take statements out of a survey whose sources are gone."""
        await self._append(room_id, SYSTEM, lambda s: survey.taken_back(s, statement_ids))

    async def close(self, deliberation_id: str) -> None:
        """End the survey: from now on all its answers count."""
        for room in await self._store.rooms(deliberation_id):
            if room.survey and room.closed_at is None:
                await self._append(room.room_id, SYSTEM, lambda s: [RoomClosed(reason="finished")] if s.open else [])

    async def _open_log(self, design: Design) -> str:
        """Return the id of the survey that runs, opening one where there is none (any more)."""
        rooms = [room for room in await self._store.rooms(design.id) if room.survey]
        running = next((room.room_id for room in rooms if room.closed_at is None), None)
        if running is not None:
            return running
        room_id = new_id()
        at = now()
        payloads = survey.opened(design, room_id, new_id)
        await self._store.append(room_id, 1, [Event(seq, at, SYSTEM, one) for seq, one in enumerate(payloads, 1)])
        return room_id

    async def _heard(self, design: Design, state: RoomState) -> list[StatementAdded]:
        """Return the groups' statements that this survey has not been given yet, in words that may leave the rooms."""
        limit = survey.settings(design).statements
        if not survey.places(state, limit):
            return []
        names = await names_of(self._store, design.id)
        rooms = []
        for record in await self._store.rooms(design.id):
            if record.meeting and record.closed_at is not None:
                whole = await asyncio.to_thread(fold_all, await self._store.events(record.room_id))
                shown = (await release(self._store, record.room_id, names)).state
                texts = {own: told.text for own, told in zip(whole.statements, shown.statements.values(), strict=True)}
                rooms.append((whole, texts))
        made = survey.added(state, rooms, limit, new_id)
        return [one for one in made if isinstance(one, StatementAdded)]

    async def _room_of(self, participant_id: str) -> str:
        person = await self._store.participant(participant_id)
        if person.mode != "survey" or person.room_id is None or person.withdrawn_at is not None:
            raise NotFound("no_survey", "You are not in a survey.")
        return person.room_id

    async def _state(self, room_id: str) -> RoomState:
        """Return the log's state: what is remembered and what has come since, or all anew once something was erased."""
        known = self._states.get(room_id, RoomState())
        fresh = await self._store.events(room_id, known.seq)
        if known.seq and any(event.kind in ERASING for event in fresh):
            known, fresh = RoomState(), await self._store.events(room_id)
        state = await asyncio.to_thread(fold_all, fresh, known) if fresh else known
        self._states.pop(room_id, None)
        self._states[room_id] = state
        while len(self._states) > KEPT:
            self._states.pop(next(iter(self._states)))
        return state

    async def _append(self, room_id: str, actor: str, make: Callable[[RoomState], list[Payload]]) -> RoomState:
        async with self._busy.setdefault(room_id, asyncio.Lock()):  # of this node's one at a time; other nodes' are what is tried again for
            return await self._try(room_id, actor, make)

    async def _try(self, room_id: str, actor: str, make: Callable[[RoomState], list[Payload]]) -> RoomState:
        for _ in range(TRIES):
            state = await self._state(room_id)
            payloads = make(state)
            at = max(now(), state.at)
            events = [Event(state.seq + n, at, actor, payload) for n, payload in enumerate(payloads, 1)]
            try:
                await self._store.append(room_id, state.seq + 1, events)
            except Conflict as error:
                if error.code != "log_moved":
                    raise
                continue
            return await self._state(room_id)
        raise Unavailable("survey_busy", "Many people answer just now.", "Please try again in a moment.")


def _follow_up(state: RoomState, participant_id: str) -> list[Payload]:
    numbers = survey.wants_follow_up(state, participant_id)
    if numbers is None:
        return []
    words: dict[str, str | int] = {name: round(value) for name, value in numbers.items()}
    asked = Say(survey.FOLLOW_UP, "interface", (participant_id,), participant_id, words, numbers)
    return [payload_of(asked, state, new_id)]


def page(state: RoomState, participant_id: str) -> SurveyPage:
    """Return one person's part of a survey: nothing of what others wrote or how they voted."""
    me = state.members[participant_id]
    cards = [c for c in state.interventions.values() if c.about == participant_id and c.rule == survey.FOLLOW_UP]
    answers = [u for u in state.utterances.values() if u.participant_id == participant_id]
    card = cards[-1] if cards else None
    return SurveyPage(
        participant_id=participant_id,
        title=state.plan.title,
        question=state.plan.question,
        answers=tuple(
            SurveyAnswer(utterance_id=u.utterance_id, text=u.text, struck=u.struck, language=u.language) for u in answers
        ),
        follow_up=card.text if card else None,
        follow_up_why=card.why if card else "",
        followed=card is not None and any(u.ended_at > card.at for u in answers),
        statements=tuple(
            SurveyStatement(statement_id=s.statement_id, text=s.text, my_vote=s.votes.get(participant_id))
            for s in state.statements.values()
            if not s.withdrawn
        ),
        consent=dict(me.consent),
        done=participant_id in state.ready,
        open=state.open,
    )
