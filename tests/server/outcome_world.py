"""Rooms that are over, for tests of outcomes: twenty people in four groups of five, in two camps, over one or two rounds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from deliberation.design import Design, parse_design
from deliberation.events import (
    ConsentGiven,
    Event,
    MemberJoined,
    Payload,
    PollAnswered,
    RoomClosed,
    RoomOpened,
    StageStarted,
    StatementAdded,
    UtteranceFinal,
    VoteCast,
)
from server.storage.records import ParticipantRecord
from server.storage.store import Store

START = 1_800_000_000.0
PEOPLE = [f"person{i:02}" for i in range(20)]
OWN = (
    "A tram for everybody.", "Teach cooking in all schools.", "Build cheaper flats near the station.", "Open the harbour to swimmers.",
    "Pay the orchestra from taxes.", "Forbid fireworks in January.", "Let dogs run free in parks.", "Clean up the river banks.",
)  # fmt: skip
SEEDS = ("Keep the library.", "Close the ring road.", "Plant more trees.", "Raise the parking fee.")


def design(**more: Any) -> Design:
    return parse_design(
        {
            "id": "town", "title": "The town", "question": "What should the town do?",
            "stages": [{"id": "talk", "title": "Talk"}, {"id": "vote", "kind": "statements", "title": "Vote", "seed_statements": list(SEEDS)}],
            "poll": [{"id": "trust", "text": "I trust the council."}],
            "segments": {"side": ["east", "west"]},
            "outcome_methods": ["opinion-groups", "bridging", "agreement", "slate", "ballots"],
            "rounds": 2,
            **more,
        }
    )  # fmt: skip


def vote_of(person: int, statement: int) -> int:
    """Everybody wants trees; the two camps disagree on the rest."""
    camp = 1 if person % 2 else -1
    return (camp, -camp, 1, camp if person % 5 else 0)[statement]


def events(plan: Design, room: str, number: int, round_: int, people: Iterable[int], extra: Iterable[Payload] = ()) -> list[Event]:
    people = list(people)
    payloads: list[Payload] = [
        RoomOpened(deliberation_id=plan.id, room_id=room, number=number, round=round_, design=plan.model_dump(mode="json")),
    ]
    for seat, i in enumerate(people, 1):
        segments = {"side": "east" if i % 2 else "west"}
        payloads += [
            MemberJoined(participant_id=PEOPLE[i], seat=seat, name=f"Zebulon{i}", segments=segments),
            ConsentGiven(participant_id=PEOPLE[i], items={"take_part": True, "quote": i % 2 == 1}, version="1", language="en"),
            PollAnswered(participant_id=PEOPLE[i], poll="opening", answers={"trust": 2}),
        ]
    payloads += [
        UtteranceFinal(
            utterance_id=f"{room}-u{i}", participant_id=PEOPLE[i], started_at=START, ended_at=START + 4, text=f"Zebulon{people[0]} is right about trees."
        )
        for i in people
    ]
    payloads.append(StageStarted(stage_id="vote", index=1, ends_at=None))
    payloads += [StatementAdded(statement_id=f"vote-seed-{n}", participant_id=None, text=text, origin="seed") for n, text in enumerate(SEEDS, 1)]
    supports = tuple(f"{room}-u{i}" for i in people)
    own = OWN[(number - 1) % len(OWN)]
    payloads.append(StatementAdded(statement_id=f"{room}-own", participant_id=PEOPLE[people[0]], text=own, supports=supports))
    payloads += list(extra)
    for i in people:
        payloads += [VoteCast(statement_id=f"vote-seed-{n}", participant_id=PEOPLE[i], value=vote_of(i, n - 1)) for n in range(1, 5)]  # type: ignore[arg-type]
        payloads.append(VoteCast(statement_id=f"{room}-own", participant_id=PEOPLE[i], value=1))
        payloads.append(PollAnswered(participant_id=PEOPLE[i], poll="closing", answers={"trust": 3 + i % 2}))
    payloads.append(RoomClosed(reason="finished"))
    begin = START + 10_000 * round_ + 100 * number
    return [Event(seq, begin + seq, "system", payload) for seq, payload in enumerate(payloads, 1)]


async def fill(store: Store, plan: Design, rounds: int = 1) -> None:
    await store.create_deliberation(plan, START)
    for i, person in enumerate(PEOPLE):
        record = ParticipantRecord(
            person, plan.id, START + i, f"Zebulon{i}", consent={"take_part": True}, segments={"side": "east" if i % 2 else "west"},
            room_id=f"room{i % 4}",
        )  # fmt: skip
        await store.add_participant(record)
    for group in range(4):
        await store.append(f"room{group}", 1, events(plan, f"room{group}", group + 1, 1, range(group * 5, group * 5 + 5)))
    if rounds > 1:
        for group in range(4):
            carried = StatementAdded(
                statement_id=f"c{group}", participant_id=None, text="A tram for everybody.", origin="carried", source_room="room0"
            )
            votes = [VoteCast(statement_id=f"c{group}", participant_id=PEOPLE[i], value=1) for i in range(group, 20, 4)]
            made = events(plan, f"second{group}", group + 5, 2, range(group, 20, 4), [carried, *votes])
            await store.append(f"second{group}", 1, made)
