"""Many rooms' outcome: gathered from their logs, computed off the loop, kept until a room changes, and shown as the reader may see it.

Only rooms that are over count: a figure that changed with each vote would tell how the last voter voted. Called by the HTTP handlers of
`server/http/outcomes`. Owns no rule of disclosure (`deliberation.outcomes.disclosure`), no method
(`deliberation.outcomes.registry`) and not which methods a design asks for (`server/outcome_plans`).

Invariants: at most one computation per deliberation at a time; every figure is computed from the record that researchers can download.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, Protocol

import structlog

from deliberation.design import Design
from deliberation.equity import gini, spoken_seconds
from deliberation.errors import ParleyError
from deliberation.events import Event
from deliberation.outcomes import report
from deliberation.outcomes.disclosure import MINIMUM
from deliberation.outcomes.gather import Gathered, RoomLog, gather
from deliberation.outcomes.record import VOTED_KINDS, Item
from deliberation.outcomes.result import Result, hash_of
from deliberation.privacy import redact, safety_rule
from deliberation.state import RoomState
from deliberation.survey import counted
from facilitator.text import content_words
from server.clock import now
from server.http.models import OutcomeItem, OutcomeQuote, OutcomeResult, Outcomes
from server.outcome_drafts import METHOD_OF, compute_with, without_drafts
from server.outcome_plans import figures_for_everybody, plan, title_of
from server.storage.records import DeliberationRecord, DraftRecord, LinkRecord, ParticipantRecord, RoomRecord
from server.storage.released import PRIVACY_KEY
from server.storage.store import Store

log = structlog.get_logger()

KEPT_SECONDS = 3600  # what retention erases is gone from here as soon
KEPT = 16  # deliberations whose outcomes stay in memory; the one asked for longest ago goes first
DERIVED = ("contribution", "response", "sentence", "outcome")  # items that credit needs, and no page lists
Version = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Logs:
    """What an outcome was computed from besides the design: how much was in all logs, whether it may stay so, and stored drafts.

    `settled`: no room or survey is open, and the last round has been held or nobody can join any more. Somebody may still come.
    """

    written: int
    settled: bool
    drafts: tuple[DraftRecord, ...]

    @classmethod
    def of(cls, deliberation: DeliberationRecord, rooms: Sequence[RoomRecord], drafts: Sequence[DraftRecord]) -> Logs:
        """Take all of a deliberation's rooms, its surveys among them."""
        real = [room for room in rooms if not room.practice]
        held = max((room.round for room in real if room.meeting), default=0)
        settled = held > 0 and (held >= deliberation.design.rounds or not deliberation.open)
        settled = settled and all(room.closed_at is not None for room in real)
        return cls(sum(room.last_seq for room in real), settled, tuple(drafts))


class Drafting(Protocol):
    """Who writes texts for outcomes. `server/outcome_drafts` is one."""

    def consider(self, found: Computed) -> bool:
        """Look at an outcome that was asked for; say whether something is being written for it."""


@dataclass(frozen=True, slots=True)
class Computed:
    """A deliberation's outcome at one state of its rooms. `refused` says of each method without a result why there is none.

    `basis` is a hash of the votes, of the texts that were voted on, and of the design, which chooses what is compared.
    """

    version: Version
    deliberation: DeliberationRecord
    gathered: Gathered
    results: tuple[Result, ...]
    refused: Mapping[str, str]
    people: tuple[ParticipantRecord, ...]
    rooms: tuple[RoomRecord, ...]
    logs: Logs
    basis: str

    @property
    def design(self) -> Design:
        """The design as it stands."""
        return self.deliberation.design


class OutcomeBook:
    """Outcomes of all deliberations of a server, computed when asked for."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: OrderedDict[str, Computed] = OrderedDict()
        self._busy: dict[str, asyncio.Lock] = {}
        self._surveys: dict[str, tuple[int, str]] = {}  # by running survey: how long it was, and a hash of what counted of it
        self.drafter: Drafting | None = None

    def drafting(self, found: Computed) -> bool:
        """Say whether a model is writing texts for an outcome just now; where they are wanting it is made to."""
        return self.drafter is not None and self.drafter.consider(found)

    async def computed(self, deliberation_id: str) -> Computed:
        """Return the outcome of the rooms that are over. Raises `NotFound`."""
        deliberation = await self._store.deliberation(deliberation_id)
        async with self._busy.setdefault(deliberation_id, asyncio.Lock()):
            every = await self._store.rooms(deliberation_id)
            rooms = tuple(room for room in every if room.meeting)
            logs_now = Logs.of(deliberation, every, await self._store.drafts(deliberation_id))
            people = tuple(p for p in await self._store.participants(deliberation_id) if not p.simulated)
            over = [room for room in every if not room.practice and (room.survey or room.closed_at is not None)]
            version: Version = (
                deliberation, tuple([(r.room_id, await self._end_of(r, deliberation.design), r.closed_at) for r in over]), len(rooms),
                int(now() // KEPT_SECONDS), len(people), frozenset(p.participant_id for p in people if p.withdrawn_at is not None),
                logs_now.settled, logs_now.drafts,
            )  # fmt: skip
            kept = self._kept.get(deliberation_id)
            if kept is None or kept.version != version:
                logs = []
                for room in over:
                    events = await self._store.events(room.room_id)
                    over_now = room.closed_at is not None
                    logs.append(await asyncio.to_thread(counted, events, deliberation.design, over=over_now) if room.survey else events)
                key = (await self._store.secret(PRIVACY_KEY)).encode()
                kept = await asyncio.to_thread(_compute, version, deliberation, rooms, people, logs, key, logs_now)
                self._kept[deliberation_id] = kept
            self._kept.move_to_end(deliberation_id)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            return kept


    async def _end_of(self, room: RoomRecord, design: Design) -> object:
        """Return what changes with what counts of a log: of a running survey few answers do, and each of them would cost a computation."""
        if not room.survey or room.closed_at is not None:
            return room.last_seq
        known = self._surveys.get(room.room_id)
        if known is None or known[0] != room.last_seq:
            events = await self._store.events(room.room_id)
            known = room.last_seq, await asyncio.to_thread(_counted_hash, events, design)
            self._surveys[room.room_id] = known
        return known[1]


def _counted_hash(events: Sequence[Event], design: Design) -> str:
    return hash_of([event.payload.model_dump(mode="json") for event in counted(events, design)])


def _compute(
    version: Version, deliberation: DeliberationRecord, rooms: tuple[RoomRecord, ...], people: tuple[ParticipantRecord, ...],
    logs: Sequence[Any], key: bytes, logs_now: Logs,
) -> Computed:  # fmt: skip
    # Here, since scikit-learn and SciPy take seconds to load, which a server's start has not.
    from deliberation.outcomes import registry

    design = deliberation.design
    names = {p.participant_id: p.name for p in people}
    erased = design.privacy.on_withdraw == "erase"
    withdrawn = {p.participant_id for p in people if p.withdrawn_at is not None} if erased else set()
    mode = design.privacy.mode
    gathered = gather(
        [RoomLog(events, redact(events, mode, key=key, names=names)) for events in logs if events],
        mode, key=key, withdrawn=withdrawn, words_of=content_words,
    )  # fmt: skip
    matrix = gathered.record.matrix()
    texts = [(item.id, item.text) for item in gathered.record.items if item.kind in VOTED_KINDS]
    versions = [registry.METHODS[name].version for name in METHOD_OF.values()]
    basis = hash_of(matrix.input_hash, texts, design.model_dump(mode="json"), versions)
    voters = int((matrix.votes_per_person() > 0).sum())
    results, refused = [], {}
    for method, parameters in plan(design, gathered.record, voters):
        try:
            if isinstance(parameters, str):
                refused[method] = parameters
                continue
            if method in METHOD_OF.values():
                written = [draft for draft in logs_now.drafts if draft.basis == basis]
                results.append(compute_with(method, parameters, gathered.record, design.language, written))
            else:
                results.append(registry.compute(method, gathered.record, parameters))
        except ParleyError as error:
            refused[method] = error.message
        except Exception:
            log.exception("an outcome could not be computed", deliberation=deliberation.deliberation_id, method=method)
            refused[method] = "This could not be computed."
    return Computed(version, deliberation, gathered, tuple(results), refused, people, rooms, logs_now, basis)


def view(found: Computed, *, full: bool, drafting: bool = False) -> Outcomes:
    """Return the outcome for its page: with rows for researchers (`full`), else as anybody may see it. `drafting`: texts are being written."""
    record, design = found.gathered.record, found.design
    over = [room for room in found.rooms if room.closed_at is not None]
    return Outcomes(
        id=design.id,
        title=design.title,
        question=design.question,
        privacy=design.privacy.mode,
        full=full,
        minimum=MINIMUM,
        people=found.gathered.people,
        rooms=len(over),
        rooms_open=len(found.rooms) - len(over),
        rounds=max((room.round for room in over), default=0),
        items=tuple(
            OutcomeItem(
                id=item.id,
                kind=item.kind if item.kind in ("question", "option", "value", "case", "template") else "statement",
                text=item.text,
                origin=item.attributes.get("origin", ""),
                rooms=tuple(int(n) for n in item.attributes.get("rooms", "").split()),
                rounds=tuple(int(n) for n in item.attributes.get("rounds", "").split()),
                scale=int(item.attributes["scale"]) if "scale" in item.attributes else None,
                low=item.attributes.get("low", ""),
                high=item.attributes.get("high", ""),
                content_hash=item.content_hash,
                parent=item.parent if item.kind in ("value", "case") else "",
                details=_details(item),
                quotes=tuple(
                    OutcomeQuote(room=q.room, utterance=q.utterance, speaker=q.speaker, text=q.text)
                    for q in found.gathered.quotes.get(item.id, ())
                ),
            )
            for item in record.items
            if item.kind not in DERIVED
        ),
        results=tuple(
            OutcomeResult(
                method=result.method,
                version=result.version,
                parameters=dict(result.parameters) if full else without_drafts(result.parameters),
                seed=result.seed,
                input_hash=result.input_hash,
                title=title_of(design, result),
                figures=dict(result.figures) if full else figures_for_everybody(result),
            )
            for result in found.results
        ),
        refused=dict(found.refused),
        drafting=drafting,
    )


def _details(item: Item) -> dict[str, str]:
    """Return the words of a values card beyond its title, or the dimensions of a case."""
    if item.kind == "value":
        return {key: item.attributes[key] for key in ("attends", "contexts") if item.attributes.get(key)}
    return dict(item.attributes) if item.kind == "case" else {}


def process_card(found: Computed) -> report.ProcessCard:
    """Return who took part, what was asked, what the AI did, how it was computed, what changed, and the limits.

    It is public: values of segments that fewer than five people share are left out.
    """
    design, record = found.design, found.gathered.record
    present = [p for p in record.participants if p.segments]
    compared = tuple(
        entry for entry in report.representation(present, design.targets) if entry.people == 0 or entry.people >= MINIMUM
    )
    run = run_report(found)
    over = [room for room in found.rooms if room.closed_at is not None]
    return report.ProcessCard(
        title=design.title,
        question=design.question,
        organiser=design.consent.organiser,
        recruited=design.recruitment or "The organiser has not said how people were recruited.",
        people=found.gathered.people,
        rooms=len(over),
        rounds=max((room.round for room in over), default=0),
        representation=compared,
        asked=(
            *(f"{stage.title}: {stage.prompt}" if stage.prompt else stage.title for stage in design.stages),
            *(f"{question.text} (1 = {question.low}, {question.scale} = {question.high})" for question in design.poll),
        ),
        ai=ai_uses(found.gathered.rooms, found.logs.drafts),
        methods=tuple(report.method_use(replace(r, parameters=without_drafts(r.parameters))) for r in found.results),
        changed=_changes(found),
        limits=report.limits_of(found.gathered.people, compared, run) if over else ("No room is over yet.",),
    )


def run_report(found: Computed, links: Sequence[LinkRecord] = ()) -> report.RunReport:
    """Return what happened when it ran; `links` are all that were issued."""
    rooms = [room for room in found.gathered.rooms if room.number]  # a survey is no room
    seated = {person for room in found.gathered.rooms for person in room.members}
    last: dict[str, RoomState] = {}
    for room in sorted(rooms, key=lambda r: r.opened_at):
        last |= dict.fromkeys(room.members, room)
    finished = sum(room.close_reason == "finished" and room.members[p].presence != "left" for p, room in last.items())
    ginis = [gini(spoken_seconds(room, room.closed_at or room.at).values()) for room in rooms if room.speech]
    outages: Counter[str] = Counter()
    for room in rooms:
        outages["language model"] += sum(e.outcome in ("timeout", "unavailable", "open_circuit") for e in room.ledger.values())
    invitations = [link for link in links if link.role == "invitation"]
    still_open = {person.participant_id for person in found.people if person.room_id} - seated
    return report.RunReport(
        invitations=len(invitations),
        offered=None if any(link.seats is None for link in invitations) else sum(link.seats or 0 for link in invitations),
        opened=sum(link.opened for link in invitations),
        accepted=len(found.people),
        joined=len(seated),
        finished=finished,
        no_shows=len(found.people) - len(seated | still_open),
        rooms_opened=len(found.rooms),
        rooms_finished=sum(room.close_reason == "finished" for room in rooms),
        rooms_merged=sum(room.close_reason == "merged" for room in rooms),
        speaking_gini=round(median(ginis), 3) if ginis else None,
        interventions=dict(Counter(_rule(card.rule) for room in rooms for card in room.interventions.values() if card.by == "ai")),
        outages={name: times for name, times in outages.items() if times},
        withdrawn=sum(person.withdrawn_at is not None for person in found.people),
    )


def ai_uses(rooms: Sequence[RoomState], drafts: Sequence[DraftRecord] = ()) -> tuple[report.AiUse, ...]:
    """Count what the AI did: calls to a model by purpose, remarks by rule, drafted statements; and how often people overruled it.

    Overruled: a remark that somebody found unhelpful or declined, a draft that was taken back, a summary's sentence marked as wrong.
    """
    times: Counter[tuple[str, str, str]] = Counter()
    overruled: Counter[tuple[str, str, str]] = Counter()
    for draft in drafts:
        times[f"asked a model: {draft.call.purpose}", draft.call.model, draft.call.prompt] += 1
    for room in rooms:
        for call in room.ledger.values():
            times[f"asked a model: {call.purpose}", call.model, call.prompt] += 1
        for card in room.interventions.values():
            if card.by == "ai":
                what = (f"said something to the group: {_rule(card.rule)}", "", "")
                times[what] += 1
                overruled[what] += any(answer in ("not_helpful", "declined") for answer in card.answers.values())
        for statement in room.statements.values():
            if statement.origin == "ai":
                times["drafted a statement", "", ""] += 1
                overruled["drafted a statement", "", ""] += statement.withdrawn
        if room.summary is not None:
            times["wrote a group's summary", room.summary.method, ""] += 1
            wrong = {mark.sentence for mark in room.summary.marks if mark.verdict == "wrong"}
            overruled["wrote a group's summary", room.summary.method, ""] += bool(wrong)
    return tuple(report.AiUse(what, n, model, prompt, overruled[what, model, prompt]) for (what, model, prompt), n in sorted(times.items()))


def _rule(rule: str) -> str:
    """Return how a count names a rule: what sort of safety matter it was is told to nobody."""
    return "safety" if safety_rule(rule) else rule


def _changes(found: Computed) -> tuple[str, ...]:
    """Name what was taken out or changed while it ran."""
    changes = []
    withdrawn = sum(person.withdrawn_at is not None for person in found.people)
    if withdrawn:
        gone = "their words, votes and answers were taken out" if found.design.privacy.on_withdraw == "erase" else "their names were taken out"
        changes.append(f"{withdrawn} {'person' if withdrawn == 1 else 'people'} withdrew: {gone}.")
    hidden = sum(s.withdrawn for room in found.gathered.rooms for s in room.statements.values())
    if hidden:
        changes.append(f"{hidden} statement{'s were' if hidden != 1 else ' was'} taken back or hidden, and not counted.")
    struck = sum(u.struck for room in found.gathered.rooms for u in room.utterances.values())
    if struck:
        changes.append(f"{struck} utterance{'s were' if struck != 1 else ' was'} struck by the speakers.")
    designs = {room.plan.model_dump_json() for room in found.gathered.rooms}
    if len(designs) > 1:
        changes.append("The design was changed while rooms were held.")
    return tuple(changes)

