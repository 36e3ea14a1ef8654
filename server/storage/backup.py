"""Backup of a running server into one tar, and its restoring.

Owns the archive: `manifest.json` (what and which schema), one `tables/NAME.jsonl` per table, read in one transaction (so it is one state of
the database, while rooms go on writing), the recordings that this state names, and the secret files of the data folder. It is the same for SQLite
and PostgreSQL, so a backup may also be restored into the other one. Restoring makes the tables as they were then, fills them, migrates to
today's schema, and erases again what was erased since in the database that is replaced: an old backup brings nothing back.

Called by `parley backup` and `parley restore`.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, MetaData, insert, select

from deliberation.errors import Conflict, InvalidInput, Unavailable
from server.storage.engine import Engines, translated, upgrade
from server.storage.schema import METADATA
from server.storage.store import Store

FORMAT = 1
SECRET_FILES = ("admin-token",)
_BATCH = 1000


async def backup(database_url: str, data_dir: Path, target: Path) -> str:
    """Write the backup of a database and its data folder; return a sentence about it.

    The file appears whole or not at all, readable by its owner alone. Raises `Unavailable`, `InvalidInput("nothing_to_back_up")`.
    """
    engines = Engines(database_url)
    if engines.path and not engines.path.is_file():
        raise InvalidInput("nothing_to_back_up", f"There is no database at {engines.path}.", "Name the data folder.")
    with _beside(target) as folder:
        try:
            counts, revision = await _dump(engines, Path(folder))
        finally:
            await engines.close()
        with translated():
            files = await asyncio.to_thread(_pack, Path(folder), data_dir, target, counts, revision)
    return f"Backed up {counts['rooms']} rooms with {counts['events']} events and {files} recordings to {target}."


async def restore(source: Path, database_url: str, data_dir: Path) -> str:
    """Put a backup in the place of a database that no server is using, and of its recordings; return a sentence about it.

    What that database (if there is one) knows to be erased stays erased. Changes nothing where it raises: `InvalidInput("not_a_backup")`,
    `Unavailable("database_in_use")` while a server has it open, `Conflict` where a PostgreSQL database holds others' tables.
    """
    with tempfile.TemporaryDirectory(prefix="parley-restore-") as name:
        folder = Path(name)
        manifest = await asyncio.to_thread(_unpack, source, folder)
        engines = Engines(database_url)
        await asyncio.to_thread(_refuse_if_busy, engines.path)
        erased = await _erased_since(database_url, data_dir)
        fresh = Engines(f"sqlite:///{folder}/new.db") if engines.sqlite else engines
        try:
            await _load(fresh, folder / "tables", manifest["revision"])
        finally:
            await fresh.close()
            await engines.close()
        with translated():
            await asyncio.to_thread(_install, folder, engines.path, data_dir)
    store = await Store.open(database_url, data_dir / "audio")
    try:
        await store.apply_erasures(erased)
    finally:
        await store.close()
    counts = manifest["counts"]
    again = f" {len(erased)} erasures were applied again." if erased else ""
    return f"Restored {counts['rooms']} rooms with {counts['events']} events.{again}"


def _beside(target: Path) -> tempfile.TemporaryDirectory[str]:
    """Make a folder on the same disk as `target`, so that the finished file can be moved there at once."""
    with translated():
        return tempfile.TemporaryDirectory(dir=target.resolve().parent, prefix=".backup-")


async def _dump(engines: Engines, folder: Path) -> tuple[dict[str, int], str]:
    (folder / "tables").mkdir()
    counts: dict[str, int] = {}
    async with engines.read() as db:
        revision = await db.run_sync(lambda c: MigrationContext.configure(c).get_current_revision())
        if revision is None:
            raise InvalidInput("nothing_to_back_up", "The database holds nothing of Parley's.")
        then = MetaData()  # as the tables are, which may be those of an older version
        await db.run_sync(then.reflect)
        for table in (table for table in then.sorted_tables if table.name in METADATA.tables):
            counts[table.name] = 0
            with (folder / "tables" / f"{table.name}.jsonl").open("w") as file:
                async with db.stream(select(table)) as result:
                    async for rows in result.mappings().partitions(_BATCH):
                        counts[table.name] += len(rows)
                        lines = "".join(json.dumps(dict(row), separators=(",", ":")) + "\n" for row in rows)
                        await asyncio.to_thread(file.write, lines)
    return counts, revision


def _pack(folder: Path, data_dir: Path, target: Path, counts: dict[str, int], revision: str) -> int:
    manifest = json.dumps({"format": FORMAT, "revision": revision, "counts": counts}).encode()
    draft = folder / "backup.tar"
    recordings = list(_recordings(folder / "tables" / "events.jsonl", data_dir / "audio"))
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        with tarfile.open(fileobj=file, mode="w") as archive:
            head = tarfile.TarInfo("manifest.json")
            head.size = len(manifest)
            archive.addfile(head, io.BytesIO(manifest))
            for path in sorted((folder / "tables").iterdir()):
                archive.add(path, f"tables/{path.name}")
            for path in recordings:
                archive.add(path, f"audio/{path.parent.name}/{path.name}")
            for name in SECRET_FILES:
                if (data_dir / name).is_file():
                    archive.add(data_dir / name, f"secrets/{name}")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(target)
    return len(recordings)


def _recordings(events: Path, audio_dir: Path) -> Sequence[Path]:
    """Return the recordings that a dumped state names and that are there."""
    found: dict[Path, None] = {}
    with events.open() as file:
        for line in file:
            if '"recording.changed"' not in line:
                continue
            row = json.loads(line)
            name = json.loads(row["data"]).get("file")
            path = audio_dir / Path(row["room_id"]).name / Path(name).name if name else None
            if path is not None and path.is_file():
                found[path] = None
    return list(found)


def _unpack(source: Path, folder: Path) -> dict[str, Any]:
    problem = InvalidInput("not_a_backup", f"{source} is not a backup made by this version of Parley, or it is damaged.")
    try:
        with tarfile.open(source) as archive:
            archive.extractall(folder, filter="data")
        manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
        for table, count in manifest["counts"].items():
            with (folder / "tables" / f"{table}.jsonl").open() as file:
                if sum(1 for _ in file) != count:
                    raise problem
    except FileNotFoundError as error:
        if not source.exists():
            raise InvalidInput("no_such_backup", f"There is no file {source}.") from error
        raise problem from error
    except (tarfile.TarError, ValueError, KeyError) as error:
        raise problem from error
    if manifest.get("format") != FORMAT:
        raise problem
    return manifest


async def _erased_since(database_url: str, data_dir: Path) -> list[tuple[str, Any, float]]:
    """Return what the database that is to be replaced knows to be erased."""
    engines = Engines(database_url)
    try:
        if engines.path and not engines.path.is_file():
            return []
        async with engines.read() as db:
            if await db.run_sync(lambda c: MigrationContext.configure(c).get_current_revision()) is None:
                return []
    except Unavailable:
        if engines.sqlite:
            return []  # broken: nothing in it can be read any more
        raise
    finally:
        await engines.close()
    store = await Store.open(database_url, data_dir / "audio")
    try:
        return await store.erasures()
    finally:
        await store.close()


async def _load(engines: Engines, tables: Path, revision: str) -> None:
    """Make the tables of a revision anew, fill them, and migrate to today's; in one transaction, so that nothing is lost where it fails."""
    async with engines.write() as db:
        await db.run_sync(_drop_ours)
        await db.run_sync(upgrade, revision)
        then = MetaData()
        await db.run_sync(then.reflect)
        for table in then.sorted_tables:
            path = tables / f"{table.name}.jsonl"
            with path.open() if table.name != "alembic_version" else io.StringIO() as file:
                while lines := file.readlines(1 << 20):
                    await db.execute(insert(table), [json.loads(line) for line in lines])
        await db.run_sync(upgrade, "head")


def _drop_ours(connection: Connection) -> None:
    """Drop Parley's tables; refuse where there are others."""
    found = MetaData()
    found.reflect(connection)
    if strange := found.tables.keys() - METADATA.tables.keys() - {"alembic_version"}:
        raise Conflict("database_in_use", f"The database holds tables that are not Parley's: {', '.join(sorted(strange))}.")
    found.drop_all(connection)


def _install(folder: Path, database: Path | None, data_dir: Path) -> None:
    """Move the restored database, recordings and secrets into place; the recordings first, the database last."""
    data_dir.mkdir(parents=True, exist_ok=True)
    audio = data_dir / "audio"
    if audio.exists():
        shutil.rmtree(audio)
    if (folder / "audio").exists():
        shutil.copytree(folder / "audio", audio)
    for name in SECRET_FILES:
        if (folder / "secrets" / name).is_file():
            shutil.copyfile(folder / "secrets" / name, data_dir / name)
            (data_dir / name).chmod(0o600)
    if database is None:
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    draft = database.with_name(database.name + ".restored")
    shutil.copyfile(folder / "new.db", draft)
    draft.chmod(0o600)
    for leftover in ("-wal", "-shm"):
        database.with_name(database.name + leftover).unlink(missing_ok=True)
    draft.replace(database)


def _refuse_if_busy(database: Path | None) -> None:
    """Raise where a server has the SQLite database open: only who is alone with it may end its write-ahead log."""
    if database is None or not database.is_file():
        return
    try:
        with contextlib.closing(sqlite3.connect(database, timeout=1.0)) as alone:
            alone.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.OperationalError as error:
        raise Unavailable("database_in_use", "A server is using this database.", "Stop it first.") from error
    except sqlite3.DatabaseError:
        return  # no database, or a broken one: that is what restoring is for
