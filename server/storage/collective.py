"""From the released rooms of a deliberation to its collective outcome: one record, one result per method that the design names.

Made from released rooms, so nothing is in a record that researchers may not see, and they can compute every result again from the export.
What the public sees passes `disclosure.public` besides. Called by the API.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import structlog

from deliberation.errors import Conflict, ParleyError
from deliberation.outcomes.disclosure import public
from deliberation.outcomes.record import Item, Judgement, Participant, Record, content_hash
from deliberation.outcomes.registry import compute
from server.storage.records import DeliberationRecord
from server.storage.released import Released, names_of, release
from server.storage.store import Store

_log = structlog.get_logger("outcomes")

_cached: WeakKeyDictionary[Store, dict[str, tuple[object, dict[str, Any]]]] = WeakKeyDictionary()
_CACHE_SIZE = 32


def record_of(rooms: Sequence[Released]) -> Record:
    """Return the rooms' statements, votes and polls as one record.

    Statements with the same words are one item, whichever rooms they came up in; people of different rooms are different people. Poll answers
    are ratings: the opening's at time 0, the closing's at time 1.
    """
    items: dict[str, Item] = {}
    people: dict[str, Participant] = {}
    judgements: list[Judgement] = []
    for room in rooms:
        state, prefix = room.state, f"r{room.record.number}-"
        for person, member in state.members.items():
            name = prefix + person
            segments = dict(member.segments)
            known = Participant(name, mode="online", cohort=member.cohort, segments=segments)
            if room.mode != "chatham-house" and not member.simulated:
                people[name] = known
        for statement in state.statements.values():
            if statement.withdrawn or not statement.text:
                continue
            id = f"s-{content_hash(statement.text.casefold())[:10]}"
            sources = tuple(prefix + utterance for utterance in statement.supports)
            held = items.get(id)
            items[id] = Item(
                id,
                text=held.text if held else statement.text,
                at=0.0,
                sources=(*(held.sources if held else ()), *sources),
            )
            for voter, value in statement.votes.items():
                people.setdefault(prefix + voter, Participant(prefix + voter))
                judgements.append(Judgement(prefix + voter, id, "vote", value))
        judgements += _ratings(room, prefix, people)
    return Record(participants=tuple(people.values()), items=tuple(items.values()), judgements=tuple(judgements))


def _ratings(room: Released, prefix: str, people: dict[str, Participant]) -> Iterator[Judgement]:
    for at, poll in enumerate(("opening", "closing")):
        for person, answers in room.state.polls.get(poll, {}).items():
            people.setdefault(prefix + person, Participant(prefix + person))
            for question, value in answers.items():
                yield Judgement(prefix + person, f"poll:{question}", "rating", value, at=float(at))


async def outcomes(store: Store, deliberation_id: str) -> dict[str, Any]:
    """Return what anybody may see: title, question, how many took part, and each method's result over the rooms that are over.

    A method that finds too little to work with is left out. Computed anew only when an event was added to a room, or something erased.
    """
    deliberation = await store.deliberation(deliberation_id)
    records = [r for r in await store.rooms(deliberation_id) if r.closed_at is not None and not r.practice]
    version = (deliberation.design, tuple(r.room_id for r in records), await store.fingerprint(deliberation_id))
    cached = _cached.setdefault(store, {})
    held = cached.get(deliberation_id)
    if held and held[0] == version:
        return held[1]
    names = await names_of(store, deliberation_id)
    rooms = []
    for record in records:
        try:
            rooms.append(await release(store, record.room_id, names))
        except Conflict:
            continue
    found = await asyncio.to_thread(_outcomes, deliberation, rooms)
    while len(cached) >= _CACHE_SIZE:
        cached.pop(next(iter(cached)))
    cached[deliberation_id] = (version, found)
    return found


def _outcomes(deliberation: DeliberationRecord, rooms: Sequence[Released]) -> dict[str, Any]:
    record = record_of(rooms)
    results = []
    methods = [*deliberation.design.outcome_methods, *(["change"] if deliberation.design.poll else [])]
    for method in dict.fromkeys(methods):
        try:
            result = compute(method, record)
        except ParleyError as error:
            _log.info("no outcome by this method yet", method=method, code=error.code)
            continue
        results.append({**result.as_dict(), "figures": public(dict(result.figures))})
    return {
        "id": deliberation.deliberation_id,
        "title": deliberation.design.title,
        "question": deliberation.design.question,
        "rooms": len(rooms),
        "participants": sum(len(room.state.members) for room in rooms),
        "statements": [{"id": item.id, "text": item.text} for item in record.items],
        "results": results,
    }
