from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import text

from server.storage.engine import Engines
from server.storage.store import Store

POSTGRES = os.environ.get("PARLEY_TEST_POSTGRES_URL")


async def empty_postgres(url: str) -> None:
    engines = Engines(url)
    async with engines.write() as db:
        await db.execute(text("DROP SCHEMA public CASCADE"))
        await db.execute(text("CREATE SCHEMA public"))
    await engines.close()


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite database with all tables and nothing in them, made once; tests get copies."""
    path = tmp_path_factory.mktemp("empty") / "parley.db"

    async def make() -> None:
        await (await Store.open(f"sqlite:///{path}")).close()

    asyncio.run(make())
    return path


@pytest_asyncio.fixture(params=["sqlite", "postgresql"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, empty_database: Path) -> AsyncIterator[Store]:
    """A new, empty store; every test that takes it runs on both databases."""
    url = f"sqlite:///{tmp_path}/parley.db"
    if request.param == "postgresql":
        if not POSTGRES:
            pytest.skip("PARLEY_TEST_POSTGRES_URL names no PostgreSQL database (it is emptied)")
        await empty_postgres(POSTGRES)
        url = POSTGRES
    else:
        shutil.copyfile(empty_database, tmp_path / "parley.db")
    opened = await Store.open(url, tmp_path / "audio")
    yield opened
    await opened.close()
