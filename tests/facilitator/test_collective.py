"""Cross-pollination, and the steering audit."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from deliberation.events import AI, Event, MemberJoined, RoomClosed, RoomOpened, StatementAdded, VoteCast
from deliberation.outcomes.gather import RoomLog, gather
from deliberation.privacy import redact
from facilitator import cross_pollination
from facilitator.audit import audit
from tests.facilitator.models import ScriptedModel
from tests.facilitator.rooms import START, Room
from tests.facilitator.test_agent import LINES, facilitator, work


def still() -> float:
    return 0.0


def voted_room(**votes: str) -> Room:
    """A room whose statements are the arguments' names; y, n, p by seat."""
    room = Room(4, stage=1)
    values = {"y": 1, "n": -1, "p": 0}
    for text, cast in votes.items():
        sentence = text.replace("_", " ").capitalize() + "."
        room.add(1, StatementAdded(statement_id=text, participant_id=None, text=sentence, origin="ai"))
        for seat, letter in enumerate(cast, 1):
            room.add(2, VoteCast(statement_id=text, participant_id=f"p{seat}", value=values[letter]))
    return room


# -- cross-pollination


def test_the_statement_that_divides_or_stretches_and_is_backed_and_new_is_carried() -> None:
    receiver = voted_room(close_the_centre_to_cars="yynn", plant_trees_in_the_park="yyyy")
    other = Room(4, stage=1)
    for key, text, votes in (
        ("known", "Close the centre to cars.", "yyyy"),  # known already
        ("lonely", "Build a monorail over the river.", "ynnn"),  # not backed
        ("tame", "Plant more trees in the park.", "yyyy"),  # known in other words
        ("sharp", "Close the centre to delivery vans as well.", "yyyy"),
    ):
        other.add(1, StatementAdded(statement_id=key, participant_id=None, text=text, origin="ai"))
        for seat, letter in enumerate(votes, 1):
            other.add(2, VoteCast(statement_id=key, participant_id=f"p{seat}", value=1 if letter == "y" else -1))
    source = replace(other.state, room_id="elsewhere")
    carried = cross_pollination.choose(receiver.state, [receiver.state, source])
    assert carried is not None and carried.statement.statement_id == "sharp"
    assert carried.division == 1.0
    event = carried.added("new")
    assert (event.origin, event.source_room) == ("carried", "elsewhere")
    receiver.add(3, event)
    assert cross_pollination.choose(receiver.state, [source]) is None


def test_expected_division_is_half_where_nothing_is_known_of_the_group() -> None:
    assert cross_pollination.division(Room(3).state, "Build a monorail.") == 0.5


# -- the steering audit


async def audited_room() -> Room:
    room = Room(0)
    for seat in range(1, 5):
        segments = {"age": "old" if seat > 2 else "young"}
        room.add(0, MemberJoined(participant_id=f"p{seat}", seat=seat, name=f"Name{seat}", segments=segments))
    room.talk([*LINES, *[("p1", "And the centre must get more trees as well, it is far too hot in summer.")] * 40])
    agent = facilitator(room)
    for second in range(370, 420):
        room.add(second, *agent.tick(room.state, START + second), actor=AI)
    room.start(1, 421)
    await work(room, agent)
    return room


async def test_rules_and_extraction_treat_everybody_alike_whatever_name_or_seat() -> None:
    report = await audit((await audited_room()).events)
    assert report["differences"] == {"names_swapped": [], "positions_swapped": []}
    assert report["reproduced"] == 1.0 and report["decisions"] > 0
    assert sum(report["as_it_is"]["prompts"].values()) > 0
    assert report["as_it_is"]["spoken"]["p1"] > report["as_it_is"]["reused"]["p1"]
    assert set(report["by_segment"]["age"]) == {"old", "young"}
    json.dumps(report)


async def test_a_model_that_favours_a_seat_is_found_out() -> None:
    def favours_first_seat(request: Any) -> str:
        speech = json.loads(request.user)["speech"]
        mine = [s for s in speech if s["speaker"] == "P1"]
        key, cite = (
            ("statements", "supports") if request.schema_name == "StatementDraft" else ("sentences", "utterances")
        )
        return json.dumps({key: [{"text": s["text"], cite: [s["n"]]} for s in mine[:1]]})

    report = await audit((await audited_room()).events, ScriptedModel(favours_first_seat))
    assert report["differences"]["positions_swapped"] != []


def test_votes_on_a_carried_statement_return_to_its_source() -> None:
    first, second = voted_room(close_the_centre="yyyn"), voted_room(plant_trees_in_the_park="yyyy")
    first.add(500, RoomClosed(reason="finished"))
    carried = cross_pollination.choose(second.state, [replace(first.state, room_id="elsewhere")])
    assert carried is not None
    second.add(3, carried.added("guest"), VoteCast(statement_id="guest", participant_id="p1", value=-1))
    second.add(500, RoomClosed(reason="finished"))
    logs = [_as_room(room, n) for n, room in enumerate((first, second), 1)]
    record = gather([RoomLog(log, redact(log, "named")) for log in logs], "named", key=b"k").record
    (item,) = [i for i in record.items if i.text == "Close the centre."]
    assert item.attributes["rooms"] == "1 2"
    votes = [j.value for j in record.judgements if j.item == item.id and j.kind == "vote"]
    assert sorted(votes) == [-1, -1, 1, 1, 1]


def _as_room(room: Room, number: int) -> list[Event]:
    """Return a room's log with a number, and people, of its own."""

    def own(value: Any) -> Any:
        return f"{value}-{number}" if isinstance(value, str) and value in ("p1", "p2", "p3", "p4") else value

    out = []
    for event in room.events:
        changes = {name: own(getattr(event.payload, name)) for name in type(event.payload).model_fields}
        if isinstance(event.payload, RoomOpened):
            changes |= {"number": number, "room_id": f"room-{number}"}
        out.append(Event(event.seq, event.at, event.actor, event.payload.model_copy(update=changes)))
    return out
