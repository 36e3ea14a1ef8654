from __future__ import annotations

import asyncio
import json
import tarfile
from pathlib import Path

import pytest
from sqlalchemy import insert

from deliberation.errors import InvalidInput, ParleyError, Unavailable
from deliberation.events import ConsentWithdrawn, UtteranceStruck
from server.http.auth import Auth, admin_token
from server.settings import Settings
from server.storage import schema as t
from server.storage.backup import backup, restore
from server.storage.engine import Engines
from server.storage.store import Store
from tests.server.storage.conftest import POSTGRES, empty_postgres
from tests.server.storage.logs import SPOKEN, design, log, said
from tests.server.storage.test_store import filled

AUDIO = b"OggS and a voice"


def url_of(folder: Path) -> str:
    return f"sqlite:///{folder}/parley.db"


async def running(folder: Path) -> Store:
    folder.mkdir(exist_ok=True)
    store = await Store.open(url_of(folder), folder / "audio")
    await filled(store)
    (folder / "audio" / "r1").mkdir(parents=True)
    (folder / "audio" / "r1" / "p1-1.ogg").write_bytes(AUDIO)
    return store


async def test_a_backup_of_a_running_server_restores_everything_elsewhere(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    store = await running(here)
    settings = Settings(data_dir=here)
    token = await (await Auth.open(store, settings, lambda: 1000.0)).issue("researcher", "trial")
    said_there = await backup(url_of(here), here, tmp_path / "parley.tar")
    assert "1 rooms with 15 events and 1 recordings" in said_there
    assert (tmp_path / "parley.tar").stat().st_mode & 0o077 == 0

    await restore(tmp_path / "parley.tar", url_of(there), there)
    restored = await Store.open(url_of(there), there / "audio")
    assert await restored.events("r1") == await store.events("r1")
    assert await restored.participants("trial") == await store.participants("trial")
    assert await restored.rooms("trial") == await store.rooms("trial")
    assert await restored.deliberations() == await store.deliberations()
    assert (there / "audio" / "r1" / "p1-1.ogg").read_bytes() == AUDIO
    assert admin_token(Settings(data_dir=there)) == (admin_token(settings)[0], False)
    assert (there / "admin-token").stat().st_mode & 0o077 == 0
    link = await (await Auth.open(restored, Settings(data_dir=there), lambda: 1000.0)).verify(token)
    assert link.role == "researcher"
    await restored.append("r1", 16, log([said("u9", "p2", "and it goes on")], first=16))
    await store.close()
    await restored.close()


async def test_a_backup_is_one_state_while_rooms_go_on_writing(tmp_path: Path) -> None:
    store = await running(tmp_path / "here")
    done = asyncio.Event()

    async def talk() -> None:
        seq = 16
        while not done.is_set():
            await store.append("r1", seq, log([said(f"u{seq}", "p2", "and so on " * 20)], first=seq))
            seq += 1

    talking = asyncio.create_task(talk())
    await backup(url_of(tmp_path / "here"), tmp_path / "here", tmp_path / "parley.tar")
    done.set()
    await talking
    await restore(tmp_path / "parley.tar", url_of(tmp_path / "there"), tmp_path / "there")
    restored = await Store.open(url_of(tmp_path / "there"))
    room = await restored.room("r1")
    assert [e.seq for e in await restored.events("r1")] == list(range(1, room.last_seq + 1))
    assert all(e.payload.text for e in await restored.events("r1", after=15))  # type: ignore[union-attr]
    await store.close()
    await restored.close()


async def test_what_was_erased_before_is_not_in_the_backup(tmp_path: Path) -> None:
    store = await running(tmp_path / "here")
    await store.append("r1", 16, log([ConsentWithdrawn(participant_id="p1", items=("take_part",))], first=16))
    await backup(url_of(tmp_path / "here"), tmp_path / "here", tmp_path / "parley.tar")
    held = (tmp_path / "parley.tar").read_bytes()
    assert b"bakery" not in held and b"Gudrun" not in held and AUDIO not in held
    assert b"rather keep the library" in held
    await store.close()


async def test_what_was_erased_since_stays_erased_when_an_old_backup_is_restored(tmp_path: Path) -> None:
    here = tmp_path / "here"
    store = await running(here)
    await backup(url_of(here), here, tmp_path / "old.tar")
    await store.append("r1", 16, log([UtteranceStruck(utterance_id="u2", participant_id="p2")], first=16))
    await store.append("r1", 17, log([ConsentWithdrawn(participant_id="p1", items=("take_part",))], first=17))
    await store.close()
    report = await restore(tmp_path / "old.tar", url_of(here), here)
    assert "erasures were applied again" in report
    restored = await Store.open(url_of(here), here / "audio")
    events = str(await restored.events("r1"))
    assert SPOKEN not in events and "I would rather keep the library" not in events and "Gudrun" not in events
    assert (await restored.participant("p1")).name is None
    assert (await restored.participant("p2")).name == "Tomek"
    assert not (here / "audio" / "r1" / "p1-1.ogg").exists()
    await restored.close()


async def test_restoring_into_a_running_server_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    here = tmp_path / "here"
    store = await running(here)
    await backup(url_of(here), here, tmp_path / "parley.tar")
    await store.append("r1", 16, log([said("u9", "p2", "later words")], first=16))
    with pytest.raises(Unavailable) as busy:
        await restore(tmp_path / "parley.tar", url_of(here), here)
    assert busy.value.code == "database_in_use"
    assert (await store.room("r1")).last_seq == 16
    await store.append("r1", 17, log([said("u10", "p2", "and more")], first=17))
    await store.close()


@pytest.mark.parametrize("damage", ["missing", "text", "cut", "other", "short"])
async def test_what_is_no_backup_is_refused_and_changes_nothing(tmp_path: Path, damage: str) -> None:
    here, file = tmp_path / "here", tmp_path / "parley.tar"
    store = await running(here)
    await backup(url_of(here), here, file)
    await store.close()
    if damage == "missing":
        file.unlink()
    elif damage == "text":
        file.write_text("hello")
    elif damage == "cut":
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    elif damage == "other":
        with tarfile.open(file, "w") as archive:
            archive.add(__file__, "manifest.json")
    else:
        with tarfile.open(file) as archive:
            archive.extractall(tmp_path / "open", filter="data")
        (tmp_path / "open" / "tables" / "events.jsonl").write_text("")
        with tarfile.open(file, "w") as archive:
            archive.add(tmp_path / "open", ".")
    with pytest.raises(InvalidInput):
        await restore(file, url_of(here), here)
    again = await Store.open(url_of(here), here / "audio")
    assert (await again.room("r1")).last_seq == 15
    assert (here / "audio" / "r1" / "p1-1.ogg").exists()
    await again.close()


async def test_there_must_be_something_to_back_up(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as nothing:
        await backup(url_of(tmp_path), tmp_path, tmp_path / "parley.tar")
    assert nothing.value.code == "nothing_to_back_up"
    assert not (tmp_path / "parley.tar").exists()


async def test_files_outside_the_data_folder_are_neither_packed_nor_written(tmp_path: Path) -> None:
    here, file = tmp_path / "here", tmp_path / "parley.tar"
    await (await running(here)).close()
    await backup(url_of(here), here, file)
    with tarfile.open(file, "a") as archive:
        entry = tarfile.TarInfo("../escaped")
        archive.addfile(entry)
    with pytest.raises(ParleyError):
        await restore(file, url_of(tmp_path / "there"), tmp_path / "there")
    assert not (tmp_path / "escaped").exists()


async def test_a_backup_moves_from_sqlite_to_postgresql_and_back(tmp_path: Path) -> None:
    if not POSTGRES:
        pytest.skip("PARLEY_TEST_POSTGRES_URL names no PostgreSQL database (it is emptied)")
    await empty_postgres(POSTGRES)
    here, there, back = tmp_path / "here", tmp_path / "there", tmp_path / "back"
    store = await running(here)
    await backup(url_of(here), here, tmp_path / "one.tar")
    await restore(tmp_path / "one.tar", POSTGRES, there)
    await backup(POSTGRES, there, tmp_path / "two.tar")
    await restore(tmp_path / "two.tar", url_of(back), back)
    restored = await Store.open(url_of(back), back / "audio")
    assert await restored.events("r1") == await store.events("r1")
    assert (back / "audio" / "r1" / "p1-1.ogg").read_bytes() == AUDIO
    with tarfile.open(tmp_path / "two.tar") as archive:
        member = archive.extractfile("manifest.json")
        assert member is not None and json.load(member)["counts"]["events"] == 15
    await store.close()
    await restored.close()


async def test_a_backup_before_an_upgrade_is_taken_by_the_new_version_and_restores(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    engines = Engines(url_of(here))
    await engines.migrate("0004")
    async with engines.write() as db:
        plan = design()
        await db.execute(insert(t.deliberations).values(id=plan.id, design=plan.model_dump_json(), created_at=1.0))
    await engines.close()
    await backup(url_of(here), here, tmp_path / "old.tar")
    await restore(tmp_path / "old.tar", url_of(there), there)
    store = await Store.open(url_of(there), there / "audio")
    assert [one.design for one in await store.deliberations()] == [plan] and await store.drafts(plan.id) == []
    await store.close()
