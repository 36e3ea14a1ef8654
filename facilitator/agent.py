"""One room's facilitator: rules at once (`tick`), slow work beside it (`run`).

Owns what has been tried in this room and the newest state it was shown. Never changes the room itself: it returns payloads, or hands
them to `act`, and the room folds them. Called by the room's owner task.

Invariants: `tick` depends on nothing but its arguments (and the ids it is given); at most one job of slow work runs at a time; each stage
is drafted, and each summary made, at most once by this object.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from deliberation.events import (
    HelpCalled,
    InterventionMade,
    Payload,
    SafetyAsked,
    StatementAdded,
)
from deliberation.group_statement import running as searching
from deliberation.state import RoomState
from facilitator import classify, drafting, group_statement, summary, values_cards
from facilitator.llm import LanguageModel
from facilitator.meaning import Embedder
from facilitator.moves import Act, AskOthers, CallHuman, Move, Say
from facilitator.policies import decide
from facilitator.taken_back import without_taken_back
from facilitator.wording import written

log = logging.getLogger(__name__)


class RoomFacilitator:
    """The facilitator of one room. `act` appends to the room's log; `clock` is room time in seconds."""

    def __init__(
        self,
        model: LanguageModel | None,
        act: Act,
        new_id: Callable[[], str],
        clock: Callable[[], float],
        embedder: Embedder | None = None,
    ) -> None:
        self._model = model
        self._embedder = embedder
        self._act = act
        self._new_id = new_id
        self._clock = clock
        self._state: RoomState | None = None
        self._news = asyncio.Event()
        self._tried: set[str] = set()

    def tick(self, state: RoomState, now: float, last_seen: Mapping[str, float] | None = None) -> list[Payload]:
        """Return what the rules do at `now`; called once a second and after each event.

        `last_seen` maps participants to when anything last came from them (room time), for "are you there?".
        """
        return [payload_of(move, state, self._new_id) for move in decide(state, now, last_seen)]

    def observe(self, state: RoomState) -> None:
        """Take note of the newest state; never blocks, older ones are dropped."""
        self._state = state
        self._news.set()

    async def run(self) -> None:
        """Do the slow work that the observed states call for, until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            await self.settle()

    async def settle(self) -> None:
        """Do the slow work that is due now. A job that fails is logged and not tried again."""
        while self._state is not None and (job := self._next_job(self._state)) is not None:
            name, work = job
            self._tried.add(name)
            try:
                given = self._state
                made = await work(given)
                if made:
                    await self._act(partial(without_taken_back, made, given))
            except (
                Exception
            ) as error:  # a room goes on without its facilitator; the message may hold speech, so it is not logged
                log.error("facilitator job failed", extra={"job": name.split(":")[0], "error": type(error).__name__})

    def _next_job(self, state: RoomState) -> tuple[str, Callable[[RoomState], Awaitable[list[Payload]]]] | None:
        if state.design is None:
            return None
        stage, clock = state.current_stage, state.stage
        jobs: list[tuple[str, Callable[[RoomState], Awaitable[list[Payload]]]]] = []
        if state.summary is not None and state.summary.flagged:
            jobs.append((f"recheck:{state.summary.summary_id}:{len(state.summary.flagged)}", self._recheck))
        if state.open and stage is not None and clock is not None:
            drafted = any(s.origin == "ai" and s.stage_id == clock.stage_id for s in state.statements.values())
            if stage.kind == "statements" and not drafted:
                jobs.append((f"statements:{clock.stage_id}", self._statements))
            one = searching(state)
            if one is not None and one.step in ("drafting", "revising"):
                jobs.append((f"group:{clock.stage_id}:{one.step}", self._group_statement))
            jobs += [
                (f"value:{talk.number}", partial(self._value, person=person))
                for person, talk in state.values.talks.items()
                if talk.waiting
            ]
            if stage.kind == "values" and len(state.values.standing) > 1:
                jobs.append((f"alike:{len(state.values.cards)}", self._alike))
            if stage.kind == "closing" and state.summary is None:
                jobs.append(("summary", self._summary))
            if self._model is not None and classify.is_due(state, self._clock()):
                jobs.append((f"content:{state.at:.0f}", self._content))
        return next((job for job in jobs if job[0] not in self._tried), None)

    async def _statements(self, state: RoomState) -> list[Payload]:
        drafts = await drafting.draft(state, self._model, self._new_id, self._clock)
        payloads: list[Payload] = [drafts.call] if drafts.call else []
        now = (self._state or state).stage
        if now is None or state.stage is None or now.stage_id != state.stage.stage_id:
            return payloads  # the group has moved on: a statement belongs to the stage it was drafted for
        payloads += [
            StatementAdded(
                statement_id=self._new_id(),
                participant_id=None,
                text=item.text,
                supports=item.supports,
                contests=item.contests,
                origin="ai",
            )
            for item in drafts.drafts
        ]
        if state.facilitation.mode == "off" or state.facilitation_paused or not state.facilitation.drafted_statements:
            return payloads
        how = "none" if not drafts.drafts else "fallback" if drafts.fallback else drafts.method
        card = Say(
            f"drafted.{how}",
            "interface",
            words={"count": len(drafts.drafts), "model": self._model.name if self._model else ""},
            numbers={"statements": float(len(drafts.drafts)), "rejected": float(drafts.rejected)},
            call_id=drafts.call.call_id if drafts.call else None,
        )
        return [*payloads, payload_of(card, state, self._new_id)]

    async def _group_statement(self, state: RoomState) -> list[Payload]:
        one = searching(state)
        assert one is not None, "the job is made for a search that runs"
        made = await group_statement.propose(state, one, self._model, self._new_id, self._clock)
        now = searching(self._state or state)
        if now is None or (now.stage_id, now.step) != (one.stage_id, one.step):
            return [made.call] if made.call else []  # the group has moved on
        if state.facilitation.mode == "off" or state.facilitation_paused:
            return list(made.payloads)
        first = "none" if not made.count else "fallback" if made.fallback else made.method
        how = "revised" if one.step == "revising" else first
        card = Say(
            f"group.{how}",
            "interface",
            words={"count": made.count, "model": self._model.name if self._model else ""},
            numbers={"candidates": float(made.count), "rejected": float(made.dropped)},
            call_id=made.call.call_id if made.call else None,
        )
        return [*made.payloads, payload_of(card, state, self._new_id)]

    async def _value(self, state: RoomState, person: str) -> list[Payload]:
        return await values_cards.reply(state, person, self._model, self._new_id, self._clock)

    async def _alike(self, state: RoomState) -> list[Payload]:
        return list(await asyncio.to_thread(values_cards.alike, state))

    async def _summary(self, state: RoomState) -> list[Payload]:
        made = await summary.summarise(state, self._model, self._new_id, self._clock, self._embedder)
        return [*made.calls, made.proposed(self._new_id())]

    async def _recheck(self, state: RoomState) -> list[Payload]:
        made = summary.recheck(state)
        return [made.proposed(self._new_id())] if made else []

    async def _content(self, state: RoomState) -> list[Payload]:
        assert self._model is not None
        call = await classify.label(state, self._model, self._new_id(), self._clock)
        return [call] if call else []


def payload_of(move: Move, state: RoomState, new_id: Callable[[], str]) -> Payload:
    """Turn a move into the event's payload: give it an id, and its words."""
    match move:
        case Say():
            text, why = written(move, state)
            return InterventionMade(
                intervention_id=new_id(),
                rule=move.rule,
                text=text,
                to=move.to,
                about=move.about,
                why=why,
                numbers=dict(move.numbers),
                actions=move.actions,
                call_id=move.call_id,
            )
        case CallHuman():
            return HelpCalled(participant_id=move.participant_id, why=move.why)
        case AskOthers():
            return SafetyAsked(
                case_id=new_id(),
                participant_id=move.participant_id,
                subject_id=move.subject_id,
                asked=move.asked,
                why=move.why,
            )
