from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text

from deliberation.errors import Conflict, InvalidInput, NotFound, Unavailable
from deliberation.events import (
    ChatStruck,
    ConsentWithdrawn,
    Event,
    MemberLeft,
    RecordingChanged,
    RoomClosed,
    UtteranceRevised,
    UtteranceStruck,
)
from deliberation.room import fold_all
from server.storage.records import LinkRecord, ParticipantRecord
from server.storage.schema import METADATA
from server.storage.store import DAY_SECONDS, Store
from tests.server.storage.logs import SPOKEN, design, log, opened, said, whole_room


def person(participant_id: str = "p1", name: str = "Gudrun Aas", room_id: str | None = "r1") -> ParticipantRecord:
    return ParticipantRecord(
        participant_id=participant_id,
        deliberation_id="trial",
        joined_at=990.0,
        name=name,
        consent={"take_part": True, "record": True, "quote": True},
        consent_version="1",
        segments={"region": "north"},
        answers={"trust": 3},
        room_id=room_id,
    )


async def filled(store: Store, **privacy: object) -> list[Event]:
    plan = design(**privacy)
    await store.create_deliberation(plan, 900.0)
    await store.add_participant(person())
    await store.add_participant(person("p2", "Tomek"))
    events = whole_room("r1", plan)
    await store.append("r1", 1, events[:4])
    await store.append("r1", 5, events[4:])
    return events


async def test_a_log_comes_back_as_it_was_written(store: Store) -> None:
    events = await filled(store)
    assert await store.events("r1") == events
    assert await store.events("r1", after=12) == events[12:]
    room = await store.room("r1")
    assert (room.last_seq, room.members, room.utterances, room.statements) == (15, 2, 2, 2)
    assert [r.room_id for r in await store.open_rooms()] == ["r1"]


async def test_a_second_writer_of_the_same_log_is_refused_and_writes_nothing(store: Store) -> None:
    events = await filled(store)
    rival = log([said("u9", "p2", "this comes from another node")], first=15)
    with pytest.raises(Conflict) as refused:
        await store.append("r1", 15, rival)
    assert refused.value.code == "log_moved"
    assert await store.events("r1") == events


async def test_of_many_writers_at_once_exactly_one_succeeds(store: Store) -> None:
    await filled(store)
    batches = [log([said(f"u{n}", "p1", f"number {n}")], first=16) for n in range(8)]
    outcomes = await asyncio.gather(*(store.append("r1", 16, b) for b in batches), return_exceptions=True)
    assert sum(outcome is None for outcome in outcomes) == 1
    assert all(isinstance(outcome, Conflict) for outcome in outcomes if outcome is not None)
    assert [e.seq for e in await store.events("r1")] == list(range(1, 17))


async def test_rooms_append_at_the_same_time_without_losing_anything(store: Store) -> None:
    plan = design()
    await store.create_deliberation(plan, 900.0)

    async def one_room(number: int) -> None:
        room_id = f"r{number}"
        await store.append(room_id, 1, log([opened(room_id, plan, number)]))
        for seq in range(2, 8):
            await store.append(room_id, seq, log([said(f"u{number}-{seq}", "p1", "and so on")], first=seq))

    await asyncio.gather(*(one_room(n) for n in range(6)))
    rooms = await store.rooms("trial")
    assert [(r.number, r.last_seq, r.utterances) for r in rooms] == [(n, 7, 6) for n in range(6)]


async def test_a_log_begins_with_the_opening_of_a_known_deliberation(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.append("r1", 1, log([opened("r1", design())]))
    with pytest.raises(InvalidInput):
        await store.append("r1", 1, log([said("u1", "p1", "too early")]))
    with pytest.raises(NotFound):
        await store.append("r1", 2, log([said("u1", "p1", "too early")], first=2))


async def test_striking_erases_the_words_their_corrections_and_what_quotes_them(store: Store) -> None:
    await filled(store)
    await store.append("r1", 16, log([UtteranceStruck(utterance_id="u1", participant_id="p1")], first=16))
    events = await store.events("r1")
    assert SPOKEN not in str(events)
    assert len(events) == 16
    state = fold_all(events)
    assert state.utterances["u1"].struck and not state.utterances["u1"].words
    assert state.utterances["u2"].text == "I would rather keep the library"
    assert state.statements["s2"].withdrawn  # its text was the utterance, word for word
    assert state.statements["s1"].text == "Keep the library."
    assert state.summary is not None
    assert [s.text for s in state.summary.sentences] == ["", "The library was named."]
    assert state.summary.flagged == {0}
    assert state.ledger["k1"].output == ""


async def test_a_correction_that_arrives_after_striking_is_not_kept(store: Store) -> None:
    await filled(store)
    late = UtteranceRevised(utterance_id="u1", participant_id="p1", text=SPOKEN, by="refine")
    await store.append("r1", 16, log([UtteranceStruck(utterance_id="u1", participant_id="p1")], first=16))
    await store.append("r1", 17, log([late], first=17))
    assert SPOKEN not in str(await store.events("r1"))


async def test_a_correction_in_the_same_batch_as_striking_is_not_kept(store: Store) -> None:
    await filled(store)
    late = UtteranceRevised(utterance_id="u1", participant_id="p1", text=SPOKEN, by="refine")
    await store.append("r1", 16, log([UtteranceStruck(utterance_id="u1", participant_id="p1"), late], first=16))
    assert SPOKEN not in str(await store.events("r1"))


async def test_a_struck_message_is_erased(store: Store) -> None:
    await filled(store)
    await store.append("r1", 16, log([ChatStruck(message_id="c1", participant_id="p1")], first=16))
    assert fold_all(await store.events("r1")).chat["c1"].text == ""


async def test_what_was_erased_is_not_in_the_files_either(tmp_path: Path) -> None:
    store = await Store.open(f"sqlite:///{tmp_path}/parley.db")
    await filled(store)

    def found(words: str) -> bool:
        return any(words.encode() in path.read_bytes() for path in tmp_path.glob("parley.db*"))

    assert found("Harbour Street") and found("Gudrun")
    await store.append("r1", 16, log([ConsentWithdrawn(participant_id="p1", items=("take_part",))], first=16))
    assert not found("Harbour Street") and not found("Gudrun")
    assert found("rather keep the library")
    await store.close()


async def test_withdrawing_erases_words_name_segments_and_audio_and_leaves_tombstones(
    store: Store, tmp_path: Path
) -> None:
    before = await filled(store, on_withdraw="erase")
    audio = tmp_path / "audio" / "r1" / "p1-1.ogg"
    audio.parent.mkdir(parents=True)
    audio.write_bytes(b"OggS")
    leaving = [ConsentWithdrawn(participant_id="p1", items=("take_part", "record", "quote"))]
    await store.append("r1", 16, log([*leaving, MemberLeft(participant_id="p1", reason="withdrew")], first=16))
    events = await store.events("r1")
    assert [e.kind for e in events[:15]] == [e.kind for e in before]
    state = fold_all(events)
    assert (state.members["p1"].name, state.members["p1"].segments) == (None, {})
    assert all(word not in str(events) for word in ("Gudrun", "north", "school", "bakery"))
    assert state.statements["s1"].votes == {}  # who withdraws has none
    assert state.members["p2"].name == "Tomek"
    record = await store.participant("p1")
    assert (record.name, record.segments, record.withdrawn_at) == (None, {}, 1000.0)
    assert not any(record.consent.values())
    assert not audio.exists()


async def test_withdrawing_under_pseudonymise_keeps_the_words_and_drops_the_name_and_the_voice(
    store: Store, tmp_path: Path
) -> None:
    await filled(store, on_withdraw="pseudonymise")
    audio = tmp_path / "audio" / "r1" / "p1-1.ogg"
    audio.parent.mkdir(parents=True)
    audio.write_bytes(b"OggS")
    await store.append("r1", 16, log([ConsentWithdrawn(participant_id="p1", items=("take_part",))], first=16))
    state = fold_all(await store.events("r1"))
    assert state.members["p1"].name is None
    assert state.utterances["u1"].text == SPOKEN + "."
    assert not audio.exists()


async def test_withdrawing_reaches_the_rooms_somebody_sat_in_before(store: Store) -> None:
    plan = design()
    await filled(store)
    await store.append("r2", 1, log([opened("r2", plan, 2), said("u7", "p1", "words in another room")]))
    await store.append("r2", 3, log([ConsentWithdrawn(participant_id="p1", items=("take_part",))], first=3))
    assert "bakery" not in str(await store.events("r1"))


async def test_consent_to_recording_alone_takes_only_the_recording(store: Store, tmp_path: Path) -> None:
    events = await filled(store)
    audio = tmp_path / "audio" / "r1" / "p1-1.ogg"
    audio.parent.mkdir(parents=True)
    audio.write_bytes(b"OggS")
    await store.append("r1", 16, log([ConsentWithdrawn(participant_id="p1", items=("record",))], first=16))
    assert not audio.exists()
    assert (await store.events("r1"))[:15] == events
    record = await store.participant("p1")
    assert record.consent == {"take_part": True, "record": False, "quote": True}
    assert record.name == "Gudrun Aas"


async def test_consent_to_recording_takes_the_picture_along_with_the_voice(store: Store, tmp_path: Path) -> None:
    await filled(store)
    filmed = RecordingChanged(participant_id="p1", recording=True, file="p1-2.webm", started_at=1001.0, picture=True)
    await store.append("r1", 16, log([filmed], first=16))
    files = [tmp_path / "audio" / "r1" / name for name in ("p1-1.ogg", "p1-2.webm")]
    files[0].parent.mkdir(parents=True)
    for file in files:
        file.write_bytes(b"recorded")
    await store.append("r1", 17, log([ConsentWithdrawn(participant_id="p1", items=("record",))], first=17))
    assert not any(file.exists() for file in files)


async def test_withdrawing_after_the_room_is_over_is_noted_in_its_log_once(store: Store) -> None:
    await filled(store)
    await store.append("r1", 16, log([RoomClosed(reason="finished")], first=16))
    await store.withdraw("p1", 3000.0)
    await store.withdraw("p1", 4000.0)
    events = await store.events("r1")
    assert [e.kind for e in events[16:]] == ["consent.withdrawn"]
    assert "bakery" not in str(events)
    assert (await store.participant("p1")).withdrawn_at == 3000.0


async def test_somebody_who_never_met_a_group_can_withdraw(store: Store) -> None:
    await store.create_deliberation(design(), 900.0)
    await store.add_participant(person(room_id=None))
    await store.withdraw("p1", 1000.0)
    record = await store.participant("p1")
    assert (record.name, record.withdrawn_at) == (None, 1000.0)


async def test_retention_erases_what_is_personal_and_keeps_the_tombstones(store: Store, tmp_path: Path) -> None:
    await filled(store, retention_days=30)
    await store.append("r1", 16, log([RoomClosed(reason="finished")], first=16, at=2000.0))
    audio = tmp_path / "audio" / "r1" / "p2-1.ogg"
    audio.parent.mkdir(parents=True)
    audio.write_bytes(b"OggS")
    assert await store.purge_expired(2000.0 + 29 * DAY_SECONDS) == 0
    assert (await store.participant("p1")).name == "Gudrun Aas"
    assert await store.purge_expired(2001.0 + 30 * DAY_SECONDS) == 1
    assert await store.purge_expired(2001.0 + 30 * DAY_SECONDS) == 0
    events = await store.events("r1")
    assert len(events) == 16
    assert all(word not in str(events) for word in ("Gudrun", "Tomek", "library", "Welcome"))
    assert (await store.participant("p2")).name is None
    assert not audio.exists()


async def test_deliberations_and_their_designs_come_back(store: Store) -> None:
    plan = design()
    await store.create_deliberation(plan, 900.0)
    with pytest.raises(Conflict) as refused:
        await store.create_deliberation(plan, 901.0)
    assert refused.value.code == "deliberation_exists"
    assert (await store.deliberation("trial")).design == plan
    changed = plan.model_copy(update={"title": "Another title"})
    await store.replace_design(changed)
    await store.close_deliberation("trial", 950.0)
    [record] = await store.deliberations()
    assert (record.design, record.open, record.closed_at) == (changed, False, 950.0)
    with pytest.raises(NotFound):
        await store.deliberation("another")


async def test_participants_come_back_with_whatever_people_type(store: Store) -> None:
    await store.create_deliberation(design(), 900.0)
    odd = person(name="Ζωή \x00 'drop' 🙂")
    await store.add_participant(odd)
    assert await store.participants("trial") == [odd]
    await store.set_room("p1", "r7")
    assert (await store.participant("p1")).room_id == "r7"
    with pytest.raises(Conflict):
        await store.add_participant(odd)
    with pytest.raises(NotFound):
        await store.participant("p9")


async def test_links_are_listed_and_revoked(store: Store) -> None:
    await store.create_deliberation(design(), 900.0)
    link = LinkRecord("k1", "researcher", "trial", None, 900.0, 5000.0)
    await store.add_link(link)
    assert await store.link("k1") == link
    await store.revoke_link("k1", 950.0)
    await store.revoke_link("k1", 960.0)
    assert [k.revoked_at for k in await store.links("trial")] == [950.0]
    assert await store.link("k2") is None
    with pytest.raises(NotFound):
        await store.revoke_link("k2", 950.0)


async def test_a_secret_is_made_once_for_all_nodes(store: Store) -> None:
    values = await asyncio.gather(*(store.secret("link-key") for _ in range(5)))
    assert len(set(values)) == 1 and len(values[0]) == 64


async def test_a_full_disk_is_a_clear_error_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    store = await Store.open(f"sqlite:///{tmp_path}/parley.db")
    events = await filled(store)
    async with store._engines.write() as db:
        pages = await db.scalar(text("PRAGMA page_count"))
        await db.execute(text(f"PRAGMA max_page_count={pages}"))
    batch = log([said(f"u{n}", "p1", "many words " * 400) for n in range(50)], first=16)
    with pytest.raises(Unavailable) as full:
        await store.append("r1", 16, batch)
    assert full.value.code == "disk_full"
    assert await store.events("r1") == events
    async with store._engines.write() as db:
        await db.execute(text("PRAGMA max_page_count=1000000"))
    await store.append("r1", 16, batch)
    assert (await store.room("r1")).last_seq == 65
    await store.close()


async def test_a_database_that_is_no_database_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "parley.db").write_bytes(b"this is something else" * 400)
    with pytest.raises(Unavailable):
        await Store.open(f"sqlite:///{tmp_path}/parley.db")


async def test_the_migrations_make_exactly_the_tables_of_the_schema(store: Store) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    async with store._engines.write() as db:
        differences = await db.run_sync(
            lambda c: compare_metadata(MigrationContext.configure(c, opts={"compare_type": True}), METADATA)
        )
    assert differences == []


async def test_nodes_that_start_together_migrate_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/parley.db"
    stores = await asyncio.gather(*(Store.open(url) for _ in range(4)))
    await stores[0].create_deliberation(design(), 900.0)
    assert len(await stores[3].deliberations()) == 1
    for opened_store in stores:
        await opened_store.close()
    assert (tmp_path / "parley.db").stat().st_mode & 0o077 == 0


async def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    store = await Store.open(f"sqlite:///{tmp_path}/parley.db")
    await store.close()
    with sqlite3.connect(tmp_path / "parley.db") as db:
        db.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(Unavailable) as newer:
        await Store.open(f"sqlite:///{tmp_path}/parley.db")
    assert newer.value.code == "database_newer"
