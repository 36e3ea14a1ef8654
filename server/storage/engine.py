"""Connections to the database: how they are opened, migrated, and what their failures mean.

Owns the engines, the pragmas and the mapping of driver errors to ours. Used by `store` and `backup` only.

SQLite runs in WAL mode with one writing connection per process (writes queue for it, so none fails on a lock of our own) and several
reading ones. `synchronous=FULL`: an event is sent only once it is stored, and that must hold for a power cut too; with NORMAL the last
commits of a WAL can be lost then. One fsync per append (about 1 to 10 ms) is paid off the loop. `secure_delete` overwrites what is erased.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event, exc, inspect, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from deliberation.errors import Conflict, Unavailable

_MIGRATIONS = Path(__file__).with_name("migrations")
_MIGRATION_LOCK = 7_061_726  # any number: the PostgreSQL advisory lock that nodes starting together queue for


class Engines:
    """The engines of one database. `write` and `read` are transactions that commit when they end without an error."""

    def __init__(self, url: str) -> None:
        """Take an SQLAlchemy URL; `sqlite:///path` and `postgresql://…` get their asynchronous drivers."""
        self.url = _async_url(url)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        self._writer, self._reader = self._sqlite_engines() if self.sqlite else self._server_engines()

    @property
    def path(self) -> Path | None:
        """The file of an SQLite database."""
        return Path(str(self.url.database)) if self.sqlite else None

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """One transaction; raises `Conflict` or `Unavailable` and leaves nothing behind where it cannot be committed."""
        with translated():
            async with self._writer.begin() as connection:
                yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """One transaction that sees one state of the database (a snapshot)."""
        with translated():
            async with self._reader.begin() as connection:
                yield connection

    async def migrate(self, revision: str = "head") -> None:
        """Bring the schema to a revision, in one transaction; nodes that start together take turns."""
        if self.path is None:
            async with self.write() as connection:
                await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
                await connection.run_sync(upgrade, revision)
            return
        with translated():
            self.path.parent.mkdir(parents=True, exist_ok=True)
        async with _turn(self.path.parent):
            with translated(), suppress(FileExistsError):
                os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            async with self.write() as connection:
                await connection.run_sync(upgrade, revision)

    async def scrub(self) -> None:
        """Move what a transaction has erased out of SQLite's write-ahead log too, as far as readers permit now."""
        if self.sqlite:
            with translated():
                async with self._writer.connect() as connection:
                    await connection.run_sync(_checkpoint)

    async def close(self) -> None:
        """Close all connections."""
        await self._writer.dispose()
        if self._reader is not self._writer:
            await self._reader.dispose()

    def _sqlite_engines(self) -> tuple[AsyncEngine, AsyncEngine]:
        writer = create_async_engine(self.url, pool_size=1, max_overflow=0, pool_timeout=15, hide_parameters=True)
        reader = create_async_engine(self.url, pool_size=4, max_overflow=4, pool_timeout=15, hide_parameters=True)
        for engine, begin in ((writer, "BEGIN IMMEDIATE"), (reader, "BEGIN")):
            event.listen(engine.sync_engine, "connect", _pragmas)
            event.listen(engine.sync_engine, "begin", _begin(begin))
        return writer, reader

    def _server_engines(self) -> tuple[AsyncEngine, AsyncEngine]:
        writer = create_async_engine(
            self.url, pool_size=8, max_overflow=8, pool_timeout=15, pool_pre_ping=True, hide_parameters=True
        )
        return writer, writer.execution_options(isolation_level="REPEATABLE READ")


def _async_url(url: str) -> URL:
    parsed = make_url(url)
    drivers = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}
    return parsed.set(drivername=drivers.get(parsed.drivername, parsed.drivername))


@asynccontextmanager
async def _turn(folder: Path) -> AsyncIterator[None]:
    """Wait until no other process or store is in here for the folder.

    SQLite's own lock does not do: turning a new file's log to WAL fails at once where another connection is doing the same.
    """
    with translated():
        held = os.open(folder, os.O_RDONLY)
    try:
        with translated():
            await asyncio.to_thread(fcntl.flock, held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def _pragmas(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver must not begin transactions of its own: `_begin` does
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "busy_timeout=10000",
        "secure_delete=ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(statement: str) -> Any:
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(statement)

    return begin


def _checkpoint(connection: Connection) -> None:
    cursor = connection.connection.cursor()  # below SQLAlchemy: a checkpoint does not run inside a transaction
    cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    cursor.close()


def upgrade(connection: Connection, revision: str) -> None:
    """Bring the schema to a revision within the connection's transaction. Raises `Unavailable` for a database of a newer version.

    A schema that is up to date is seen without loading Alembic, which takes longer than all the rest of a start's storage.
    """
    if revision == "head" and _current(connection) == max(
        path.stem[:4] for path in _MIGRATIONS.glob("versions/[0-9]*.py")
    ):
        return
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, revision)
    except CommandError as error:
        raise Unavailable(
            "database_newer",
            "The database was written by a newer version of Parley.",
            "Start that version, or restore a backup made by this one.",
        ) from error


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the driver raises into `Conflict` (a row exists already) or `Unavailable` (disk, lock, connection)."""
    try:
        yield
    except exc.IntegrityError as error:
        raise Conflict("already_stored", "Somebody else has written this in the meantime.") from error
    except (exc.DBAPIError, exc.TimeoutError, OSError) as error:
        words = str(getattr(error, "orig", None) or error).lower()
        if "is full" in words or "no space left" in words or "disk full" in words or "could not extend" in words:
            raise Unavailable(
                "disk_full", "The server's disk is full; nothing more can be stored.", "Make room on the disk."
            ) from error
        if isinstance(error, exc.ProgrammingError | exc.DataError):
            raise
        raise Unavailable("storage_unavailable", "The database cannot be reached just now.") from error
