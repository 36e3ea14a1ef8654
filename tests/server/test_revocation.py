"""Taking words back, searched for byte by byte: no page, file, other room, survey or backup holds what was made of them."""

from __future__ import annotations

import asyncio
import io
import json
import tarfile
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio

from deliberation.command import Actor
from deliberation.commands import StrikeUtterance, WithdrawStatement
from deliberation.design import parse_design
from deliberation.events import (
    AI,
    AiCalled,
    ConsentGiven,
    Event,
    MemberJoined,
    Payload,
    RoomClosed,
    RoomOpened,
    Sentence,
    StageStarted,
    StatementAdded,
    SummaryProposed,
    UtteranceFinal,
    VoteCast,
)
from deliberation.outcomes.record import record_as_json
from deliberation.room import fold_all
from server.credit import own_credit, provenance_of
from server.outcomes import OutcomeBook, view
from server.rooms.registry import Registry
from server.storage.backup import backup, restore
from server.storage.export import export_deliberation
from server.storage.records import ParticipantRecord
from server.storage.store import Store
from server.survey import Surveys
from tests.server.rooms.test_rounds import NoMedia

START = 1_800_000_000.0
PEOPLE = ("ann", "ben", "cat", "dan", "eve")
SAID = "Night shift workers at the docks cannot get home."
MADE = ("Quayside employees deserve public transport after dark.", "One person spoke of stranded dock staff.")
CARRIED = MADE[0]
OWN = "Benches belong on every street corner of the old town."
KEPT = "A nurse spoke of missed buses."
DESIGN = parse_design(
    {
        "id": "town", "title": "The town", "question": "What should the town do?", "survey": {}, "privacy": {"mode": "named"},
        "stages": [{"id": "talk", "title": "Talk"}, {"id": "vote", "kind": "statements", "title": "Vote"}],
    }
)  # fmt: skip


def room(name: str, number: int, people: tuple[str, ...], made: list[Payload]) -> list[Event]:
    payloads: list[Payload] = [RoomOpened(deliberation_id="town", room_id=name, number=number, design=DESIGN.model_dump(mode="json"))]
    for seat, person in enumerate(people, 1):
        payloads.append(MemberJoined(participant_id=person, seat=seat, name=person.title()))
        payloads.append(ConsentGiven(participant_id=person, items={"take_part": True, "quote": True}, version="1", language="en"))
    payloads += [StageStarted(stage_id="vote", index=1, ends_at=None), *made]
    payloads += [
        VoteCast(statement_id=one.statement_id, participant_id=person, value=1)
        for one in made if isinstance(one, StatementAdded) for person in people
    ]  # fmt: skip
    payloads.append(RoomClosed(reason="finished"))
    return [Event(seq, START + number * 100 + seq, AI, one) for seq, one in enumerate(payloads, 1)]


def first() -> list[Payload]:
    return [
        UtteranceFinal(utterance_id="mine", participant_id="ann", started_at=START, ended_at=START + 4, text=SAID),
        UtteranceFinal(utterance_id="other", participant_id="ben", started_at=START, ended_at=START + 4, text="My nurses miss the bus."),
        StatementAdded(statement_id="made", participant_id=None, text=MADE[0], supports=("mine",), origin="ai"),
        StatementAdded(statement_id="own", participant_id="ann", text=OWN),
        AiCalled(
            call_id="k", purpose="statements", model="m", prompt="p@1", prompt_hash="h", first_seq=1, last_seq=2,
            output=json.dumps({"statements": [MADE[0]]}), latency_ms=1, outcome="ok",
        ),
        SummaryProposed(
            summary_id="sum", method="model:m",
            sentences=(Sentence(text=MADE[1], utterances=("mine",)), Sentence(text=KEPT, utterances=("other",))),
        ),
    ]  # fmt: skip


class World:
    """A deliberation with two rooms that are over, the second of which voted on the first's statements, and a survey that heard them."""

    def __init__(self, store: Store, registry: Registry, folder: Path) -> None:
        self.store, self.registry, self.folder = store, registry, folder

    async def everything(self) -> bytes:
        """Return all that pages, files and a fresh backup hold, in one."""
        book = OutcomeBook(self.store)
        found = await book.computed("town")
        pages: list[Any] = [view(found, full=full).model_dump_json() for full in (False, True)]
        pages += [json.dumps(record_as_json(found.gathered.record)), provenance_of(found, full=True)]
        pages += [(await own_credit(self.store, person, found)).model_dump_json() for person in PEOPLE]
        for record in await self.store.rooms("town"):
            events = await self.store.events(record.room_id)
            pages += [e.payload.model_dump_json() for e in events]
            running = self.registry.here(record.room_id)
            pages += [e.payload.model_dump_json() for e in running.room.events] if running else []
        out = io.BytesIO()
        await export_deliberation(self.store, "town", out)
        with zipfile.ZipFile(out) as archive:
            pages += [archive.read(name).decode(errors="replace") for name in archive.namelist()]
        target = self.folder / "fresh.tar"
        target.unlink(missing_ok=True)
        await backup(f"sqlite:///{self.folder}/parley.db", self.folder, target)
        with tarfile.open(target) as archive2:
            pages += [f.read().decode(errors="replace") for m in archive2.getmembers() if m.isfile() and (f := archive2.extractfile(m))]
        pages += [file.read_bytes().decode(errors="replace") for file in self.folder.glob("parley.db*")]
        return "\n".join(pages).encode()

    async def until_gone(self, *words: str) -> bytes:
        async with asyncio.timeout(20):
            while True:
                held = await self.everything()
                if not any(word.encode() in held for word in words):
                    return held
                await asyncio.sleep(0)


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    store = await Store.open(f"sqlite:///{tmp_path}/parley.db", tmp_path / "audio")
    await store.create_deliberation(DESIGN, START)
    for person in PEOPLE:
        await store.add_participant(ParticipantRecord(person, "town", START, person.title(), consent={"take_part": True, "quote": True}))
    await store.append("one", 1, room("one", 1, PEOPLE, first()))
    copies: list[Payload] = [
        StatementAdded(statement_id=f"copy-{s}", participant_id=None, text=t, origin="carried", source_room="one", source_statement=s)
        for s, t in (("made", CARRIED), ("own", OWN))
    ]
    await store.append("two", 1, room("two", 2, ("fay", "gus", "hal"), copies))
    person = ParticipantRecord("sue", "town", START, "Sue", consent={"take_part": True}, mode="survey", cohort="survey")
    await store.add_participant(person)
    await Surveys(store).enter(person)

    async def no_partner(participant_id: str, deliberation_id: str) -> None: ...

    registry = Registry(store, lambda room: NoMedia(), no_partner)  # type: ignore[arg-type,return-value]
    ready = asyncio.Event()
    task = asyncio.create_task(registry.run(ready))
    await ready.wait()
    yield World(store, registry, tmp_path)
    registry.stop()
    await asyncio.wait_for(task, 20)
    await store.close()


async def test_struck_words_take_along_what_was_made_of_them_wherever_it_went(world: World) -> None:
    before = await world.everything()
    assert all(text.encode() in before for text in (SAID, *MADE, OWN, KEPT))
    survey = next(r.room_id for r in await world.store.rooms("town") if r.survey)
    assert CARRIED in {s.text for s in fold_all(await world.store.events(survey)).statements.values()}
    running = await world.registry.running("one")
    await running.room.do(Actor("ann", "participant"), StrikeUtterance(utterance_id="mine"))
    held = await world.until_gone(SAID, *MADE)
    assert OWN.encode() in held and KEPT.encode() in held
    for room_id in ("two", survey):
        copies = [s for s in fold_all(await world.store.events(room_id)).statements.values() if s.source_statement == "made"]
        assert copies and all(s.withdrawn for s in copies)


async def test_an_author_takes_a_statement_back_from_everywhere_after_the_room(world: World) -> None:
    running = await world.registry.running("one")
    await running.room.do(Actor("ann", "participant"), WithdrawStatement(statement_id="own"))
    held = await world.until_gone(OWN)
    assert MADE[0].encode() in held


async def test_who_withdraws_leaves_no_descendant_and_a_backup_of_before_is_erased_as_it_is_restored(world: World) -> None:
    old = world.folder / "old.tar"
    await backup(f"sqlite:///{world.folder}/parley.db", world.folder, old)
    await world.registry.seating.withdraw("ann")
    await world.store.withdraw("ann", START + 9000)
    await world.until_gone(SAID, *MADE, OWN)
    aside = world.folder / "aside"
    aside.mkdir()
    (aside / "parley.db").write_bytes((world.folder / "parley.db").read_bytes())
    await restore(old, f"sqlite:///{aside}/parley.db", aside)
    held = b"".join(file.read_bytes() for file in aside.glob("parley.db*"))
    assert not [text for text in (SAID, *MADE, OWN) if text.encode() in held] and KEPT.encode() in held


async def test_participants_see_where_their_words_went_and_with_what_share(world: World) -> None:
    found = await OutcomeBook(world.store).computed("town")
    mine = await own_credit(world.store, "ann", found)
    assert mine.uses["mine"].statements == (MADE[0],) and mine.uses["mine"].sentences == (MADE[1],)
    shares = {(s.what, s.room): s.share for s in mine.shares}
    assert shares["summary", 1] == 0.5 and shares["agreed", None] == 1.0
    assert (await own_credit(world.store, "ben", found)).uses["other"].sentences == (KEPT,)
    assert not (await own_credit(world.store, "eve", found)).shares


async def test_the_publics_provenance_names_nobody_and_a_researchers_does(world: World) -> None:
    found = await OutcomeBook(world.store).computed("town")
    public, full = (json.loads(provenance_of(found, full=full)) for full in (False, True))
    assert "wasAttributedTo" not in public and "agent" not in public and full["agent"]
    assert len(public["wasDerivedFrom"]) == len(full["wasDerivedFrom"]) > 4
    assert "parley:contentHash" not in public["entity"]["item:r1.mine"] and full["entity"]["item:r1.mine"]["parley:contentHash"]
